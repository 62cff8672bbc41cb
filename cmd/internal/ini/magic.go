package ini

import (
	"fmt"
	"io/fs"
	"path"
	"strconv"
	"strings"
)

// initMagic sets the magic variables that do not depend on a file. A letter without a meaning
// stands for nothing, so it needs no entry.
func (l *List) initMagic() {
	w := &l.world
	l.magic['%'] = "%"
	l.magic['('] = "%("
	l.magic['['] = "\x1b"
	l.magic['v'] = w.Cwd
	l.magic['h'] = w.Host
	l.magic['t'] = strconv.FormatInt(w.Start.Unix(), 10)
	l.magic['T'] = strconv.FormatInt(w.Start.UnixMicro(), 10)
	l.magic['V'] = w.Version
	l.magic['k'] = strconv.Itoa(w.CPUs)
	l.magic['u'], l.magic['U'] = strconv.Itoa(w.UID), w.User
	l.magic['g'], l.magic['G'] = strconv.Itoa(w.GID), w.Group
}

// Link is a directory of a file that was named by way of a link. As in uWSGI, magic variables have
// the real directory. What follows the link later needs its name.
type Link struct{ Real, Named string }

// fillMagic sets the magic variables of a file.
func (l *List) fillMagic(file, section string, outermost bool) error {
	m := &l.magic
	m['o'] = file
	if kind, _ := scheme(file); kind != "" || file == "-" {
		return nil
	}
	info, err := l.world.Lstat(file)
	if err != nil {
		return fmt.Errorf("cannot read %q: %w", file, reason(err))
	}
	full := absolute(l.world.Cwd, file)
	if info.Mode()&fs.ModeSymlink == 0 {
		named := path.Dir(full)
		if full, err = l.world.Real(file); err != nil {
			return fmt.Errorf("cannot read %q: %w", file, reason(err))
		}
		if real := path.Dir(full); real != named {
			l.Links = append(l.Links, Link{Real: real, Named: named})
		}
	}
	m['b'] = l.world.Binary
	m['p'] = full
	m['i'] = inode(info)
	m['j'] = hash(full)
	m['s'] = base(full)
	m['d'] = strings.TrimSuffix(full, m['s'])
	dir := strings.TrimSuffix(m['d'], "/")
	m['c'] = base(dir)
	m['e'], m['n'] = "", m['s']
	if dot := strings.LastIndexByte(m['s'], '.'); dot >= 0 {
		m['n'], m['e'] = m['s'][:dot], m['s'][dot+1:]
	}
	parts := strings.FieldsFunc(dir, func(r rune) bool { return r == '/' })
	for i := range 10 {
		m['0'+i] = ""
		if i < len(parts) {
			m['0'+i] = parts[i]
		}
	}
	m['x'] = section
	if outermost && !l.first {
		l.first = true
		for _, c := range "odspcenxij" {
			m[c-'a'+'A'] = m[c]
		}
	}
	return nil
}

// reason returns the reason of a file error, whose message names operation and path itself.
func reason(err error) error {
	if path, ok := err.(*fs.PathError); ok {
		return path.Err
	}
	return err
}

// hash is Bernstein's hash with exclusive or, as hexadecimal bytes in the machine's order. uWSGI
// prints it for %j.
func hash(s string) string {
	h := uint32(5381)
	for _, c := range []byte(s) {
		h = (h<<5 + h) ^ uint32(int32(int8(c))) // C's char has a sign
	}
	return fmt.Sprintf("%02X%02X%02X%02X", byte(h), byte(h>>8), byte(h>>16), byte(h>>24))
}

// substitute fills in the magic variables of a whole file and splits it into lines. As in uWSGI, a
// % at the end of a line takes the newline with it.
func (l *List) substitute(text []byte, file string) ([]line, error) {
	var lines []line
	var now strings.Builder
	number, start := 1, 1
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case c == '\n':
			lines = append(lines, line{start, now.String()})
			if err := l.spend(now.Len()); err != nil {
				return nil, fmt.Errorf("%s:%d: %w", file, number, err)
			}
			now.Reset()
			number++
			start = number
		case c != '%':
			now.WriteByte(c)
		case i+1 < len(text):
			i++
			if text[i] == '\n' {
				l.Warnf("%s:%d: %% at the end of the line joins the next line to it: write %%%%", file, number)
				number++
			}
			now.WriteString(l.magic[text[i]])
			if now.Len() > maxWork {
				return nil, fmt.Errorf("%s:%d: the line is too long", file, number)
			}
		}
	}
	return append(lines, line{start, now.String()}), nil
}
