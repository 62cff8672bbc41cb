// Package form reads configurations in YAML, JSON, XML or TOML. A library parses each. Keys, lists,
// duplicates and empty values become options in order, as in uWSGI. What the options and the
// placeholders in their values mean is up to packages config and ini.
package form

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// Kind is the form of a configuration.
type Kind string

// The forms besides uWSGI's ini files.
const (
	YAML Kind = "YAML"
	JSON Kind = "JSON"
	XML  Kind = "XML"
	TOML Kind = "TOML"
)

// suffixes are the ends of names by which uWSGI tells a form; .toml is an addition.
var suffixes = []struct {
	end  string
	kind Kind
}{{".yaml", YAML}, {".yml", YAML}, {".json", JSON}, {".js", JSON}, {".xml", XML}, {".toml", TOML}}

// ByName returns the form of a file by the end of its name.
func ByName(name string) (Kind, bool) {
	for _, s := range suffixes {
		if strings.HasSuffix(name, s.end) {
			return s.kind, true
		}
	}
	return "", false
}

// ByOption returns the form of the files of an option such as yaml or xmlconfig.
func ByOption(name string) (Kind, bool) {
	switch name {
	case "yaml", "yml":
		return YAML, true
	case "json", "js":
		return JSON, true
	case "xml", "xmlconfig":
		return XML, true
	case "toml":
		return TOML, true
	}
	return "", false
}

// Option is one option of a file.
type Option struct {
	Key, Value string
	Line       int // from 1
}

// Note is something about a line that a user should know.
type Note struct {
	Line int
	Text string
}

// File is one section of a file.
type File struct {
	Options  []Option
	Found    bool     // the section is there
	Sections []string // names that could be sections, if it is missing
	Notes    []Note
}

// Error is a mistake at a line.
type Error struct {
	Line int // 0 if unknown
	Err  error
}

func (e *Error) Error() string { return e.Err.Error() }

// Unwrap returns the mistake without the line.
func (e *Error) Unwrap() error { return e.Err }

// Bounds of a file. Who reads it bounds its text.
const (
	maxOptions = 10_000
	maxDepth   = 32 // nested lists and tables
)

var (
	errTooMany = fmt.Errorf("more than %d options", maxOptions)
	errTooDeep = fmt.Errorf("more than %d levels in each other", maxDepth)
)

// Parse reads the options of a section. It reads the whole text, so a mistake anywhere counts.
func Parse(kind Kind, text []byte, section string) (*File, error) {
	text = bytes.TrimPrefix(text, []byte("\ufeff"))
	f := &File{}
	var err error
	switch kind {
	case YAML:
		err = f.yaml(text, section)
	case JSON:
		err = f.json(text, section)
	case XML:
		err = f.xml(text, section)
	case TOML:
		err = f.toml(text, section)
	default:
		err = fmt.Errorf("%s is no form of a configuration", kind)
	}
	return f, err
}

// add appends an option. A value ends at a NUL, as uWSGI's strings do.
func (f *File) add(key, value string, line int) error {
	if len(f.Options) == maxOptions {
		return &Error{line, errTooMany}
	}
	value, _, _ = strings.Cut(value, "\x00")
	f.Options = append(f.Options, Option{key, value, line})
	return nil
}

func (f *File) note(line int, format string, args ...any) {
	f.Notes = append(f.Notes, Note{line, fmt.Sprintf(format, args...)})
}

// other notes a name that could have been meant as the section.
func (f *File) other(name string) {
	const most = 5
	if len(f.Sections) < most && !slices.Contains(f.Sections, name) {
		f.Sections = append(f.Sections, name)
	}
}

// lineOf returns the line of an offset in text.
func lineOf(text []byte, offset int64) int {
	return 1 + bytes.Count(text[:min(max(int(offset), 0), len(text))], []byte("\n"))
}

// at makes err an error of a line, unless it has one.
func at(line int, err error) error {
	var own *Error
	if err == nil || errors.As(err, &own) {
		return err
	}
	return &Error{line, err}
}
