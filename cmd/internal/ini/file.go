package ini

import (
	"bytes"
	"errors"
	"fmt"
	"path"
	"strconv"
	"strings"

	"github.com/uwsgo/uwsgo/cmd/internal/form"
)

// own is the form of uWSGI's ini files, which this package reads itself.
const own form.Kind = ""

// Load reads the ini file that arg names, for the ini option: FILE, FILE:SECTION, :SECTION of the
// last file, - or scheme://….
func (l *List) Load(arg string, from Origin) error {
	return l.load(arg, own, Entry{Key: "ini", Value: arg, Origin: from}, true)
}

// Inherit reads the file of the inherit option. Its options come after all others, too late to be
// expanded.
func (l *List) Inherit(e Entry) error {
	before := len(l.Entries)
	if err := l.loadByName(e.Value, e, false); err != nil {
		return err
	}
	for _, added := range l.Entries[before:] {
		if !added.Settled && (strings.Contains(added.Value, "%(") || strings.Contains(added.Value, "$(")) {
			l.Warnf("%s: %q is taken as it is: inherit fills in no placeholders, include does",
				added.Origin.Name(added.Key), added.Value)
		}
	}
	return nil
}

// LoadNamed reads a file that the command line gives by position. The end of its name tells its
// form.
func (l *List) LoadNamed(name string) error {
	return l.loadByName(name, Entry{Value: name}, true)
}

// loadByName reads a file whose form the end of its name tells.
func (l *List) loadByName(name string, e Entry, outermost bool) error {
	if kind, ok := form.ByName(name); ok {
		return l.load(name, kind, e, outermost)
	}
	if strings.HasSuffix(name, ".ini") {
		return l.load(name, own, e, outermost)
	}
	return e.Origin.Errorf(e.Key, "unable to load configuration from %s: the name of a configuration file ends in .ini, .yaml, .json, .xml or .toml", name)
}

// load reads one section of a file. outermost lets the file become the one of the upper-case magic
// variables.
func (l *List) load(arg string, kind form.Kind, e Entry, outermost bool) error {
	if l.depth == maxDepth {
		return e.Origin.Errorf(e.Key, "%s: files include each other more than %d deep", arg, maxDepth)
	}
	if l.files == maxFiles {
		return e.Origin.Errorf(e.Key, "more than %d files are included", maxFiles)
	}
	l.depth++
	l.files++
	defer func() { l.depth-- }()

	file, section := splitSection(arg)
	if err := l.mayRead(file, true); err != nil {
		return e.Origin.Errorf(e.Key, "%w", err)
	}
	if file == "" {
		if l.last == "" {
			return e.Origin.Errorf(e.Key, "%s: no file has been read that could have this section", arg)
		}
		file = l.last
		l.magic['o'], l.magic['x'] = "", section
	} else if err := l.fillMagic(file, section, outermost); err != nil {
		return e.Origin.Errorf(e.Key, "%w", err)
	}
	text, err := l.world.Read(file)
	if err != nil {
		return e.Origin.Errorf(e.Key, "%w", err)
	}
	text = bytes.TrimPrefix(text, []byte("\ufeff")) // editors of Windows write it
	if kind == own {
		l.last = file
	}
	lines, err := l.substitute(text, file)
	if err != nil {
		return e.Origin.Errorf(e.Key, "%w", err)
	}
	if section == "" {
		section = "uwsgi"
	}
	if kind != own {
		return l.addForm(kind, lines, file, section)
	}
	return l.addLines(lines, file, section)
}

// addForm adds the options of one section of a file that is no ini file.
func (l *List) addForm(kind form.Kind, lines []line, file, section string) error {
	var text strings.Builder
	for _, ln := range lines {
		text.WriteString(ln.text)
		text.WriteByte('\n')
	}
	number := func(n int) int { // line of the file: a % may have joined some
		if n < 1 || n > len(lines) {
			return n
		}
		return lines[n-1].number
	}
	f, err := form.Parse(kind, []byte(text.String()), section)
	if err != nil {
		var mistake *form.Error
		if errors.As(err, &mistake) && mistake.Line > 0 {
			return fmt.Errorf("%s:%d: no valid %s: %w", name(file), number(mistake.Line), kind, err)
		}
		return fmt.Errorf("%s: no valid %s: %w", name(file), kind, err)
	}
	for _, n := range f.Notes {
		if n.Line > 0 {
			l.Warnf("%s:%d: %s", name(file), number(n.Line), n.Text)
		} else {
			l.Warnf("%s: %s", name(file), n.Text)
		}
	}
	if !f.Found {
		l.missing(file, section, f.Sections)
	}
	for _, o := range f.Options {
		err := l.Add(Entry{Key: o.Key, Value: o.Value, HasValue: true, Origin: Origin{File: file, Line: number(o.Line)}})
		if err != nil {
			return err
		}
	}
	return nil
}

// name returns the file's name for messages.
func name(file string) string {
	if file == "-" {
		return "standard input"
	}
	return file
}

// missing warns of a section that has no options.
func (l *List) missing(file, section string, others []string) {
	has := "it has no section at all"
	if len(others) > 0 {
		has = "it has " + strconv.Quote(strings.Join(others[:min(len(others), 5)], `", "`))
		has = strings.ReplaceAll(has, `\"`, `"`)
	}
	l.Warnf("%s: no options in section %q; %s", name(file), section, has)
}

// splitSection splits FILE:SECTION at the last colon. A name with a scheme has
// one of its own, so only a colon after the last slash counts there.
func splitSection(arg string) (file, section string) {
	from := 0
	if kind, _ := scheme(arg); kind != "" {
		from = strings.LastIndexByte(arg, '/')
	}
	if i := strings.LastIndexByte(arg[from:], ':'); i >= 0 {
		return arg[:from+i], arg[from+i+1:]
	}
	return arg, ""
}

// line is a line with its magic variables filled in.
type line struct {
	number int
	text   string
}

// addLines adds the options of one section.
func (l *List) addLines(lines []line, file, wanted string) error {
	const space = " \t\r"
	section, found := "", false
	var others []string
	for _, ln := range lines {
		text, _, _ := strings.Cut(ln.text, "\x00") // uWSGI sees strings that end at NUL
		text = strings.Trim(text, space)
		if text == "" || text[0] == ';' || text[0] == '#' {
			continue
		}
		if text[0] == '[' {
			// uWSGI drops the last character without looking at it.
			section = text[1:max(1, len(text)-1)]
			others = append(others, section)
			continue
		}
		if section != wanted {
			continue
		}
		found = true
		key, value, _ := strings.Cut(text, "=")
		err := l.Add(Entry{
			Key:      strings.TrimRight(key, space),
			Value:    strings.TrimLeft(value, space),
			HasValue: true,
			Origin:   Origin{File: file, Line: ln.number},
		})
		if err != nil {
			return err
		}
	}
	if !found {
		l.missing(file, wanted, others)
	}
	return nil
}

// base returns the last component of a path, after its last slash.
func base(name string) string { return name[strings.LastIndexByte(name, '/')+1:] }

// absolute returns name below dir, not cleaned, unless it is absolute.
func absolute(dir, name string) string {
	if path.IsAbs(name) {
		return name
	}
	return dir + "/" + name
}
