package ini

import (
	"bytes"
	"path"
	"strconv"
	"strings"
)

// Load reads the ini file that arg names: FILE, FILE:SECTION, :SECTION of the
// file read last, - or scheme://…. It is what the ini option does.
func (l *List) Load(arg string, from Origin) error {
	return l.load(arg, Entry{Key: "ini", Value: arg, Origin: from}, true)
}

// Inherit reads the file that the inherit option names. Its options come after
// all others, too late to be expanded.
func (l *List) Inherit(e Entry) error {
	before := len(l.Entries)
	if err := l.loadByName(e.Value, e, false); err != nil {
		return err
	}
	for _, added := range l.Entries[before:] {
		if !added.Settled && (strings.Contains(added.Value, "%(") || strings.Contains(added.Value, "$(")) {
			l.Warnf("%s: %q is taken as it stands: inherit does not fill in placeholders, use include",
				added.Origin.Name(added.Key), added.Value)
		}
	}
	return nil
}

// LoadNamed reads a file given by position on the command line, where the end of
// the name tells what it is.
func (l *List) LoadNamed(name string) error {
	return l.loadByName(name, Entry{Value: name}, true)
}

func (l *List) loadByName(name string, e Entry, outermost bool) error {
	if strings.HasSuffix(name, ".ini") {
		return l.load(name, e, outermost)
	}
	for _, suffix := range []string{".xml", ".yaml", ".yml", ".json", ".js"} {
		if strings.HasSuffix(name, suffix) {
			return e.Origin.Errorf(e.Key, "%s configuration is not supported yet: write it as an ini file", suffix[1:])
		}
	}
	return e.Origin.Errorf(e.Key, "unable to load configuration from %s: the name of a configuration file ends in .ini", name)
}

// load reads one section of a file. outermost says that the file may become
// the one that upper-case magic variables speak of.
func (l *List) load(arg string, e Entry, outermost bool) error {
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
	text = bytes.TrimPrefix(text, []byte("\ufeff")) // editors of Windows put one in front
	l.last = file
	lines, err := l.substitute(text, file)
	if err != nil {
		return e.Origin.Errorf(e.Key, "%w", err)
	}
	if section == "" {
		section = "uwsgi"
	}
	return l.addLines(lines, file, section)
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

// line is a line after its magic variables were filled in.
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
		has := "it has no section at all"
		if len(others) > 0 {
			has = "it has " + strconv.Quote(strings.Join(others[:min(len(others), 5)], `", "`))
			has = strings.ReplaceAll(has, `\"`, `"`)
		}
		l.Warnf("%s: no options in section %q; %s", file, wanted, has)
	}
	return nil
}

// base is the last component of a path, as the part after its last slash.
func base(name string) string { return name[strings.LastIndexByte(name, '/')+1:] }

// absolute is name below dir, not cleaned, unless it is absolute already.
func absolute(dir, name string) string {
	if path.IsAbs(name) {
		return name
	}
	return dir + "/" + name
}
