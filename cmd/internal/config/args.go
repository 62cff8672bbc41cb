package config

import (
	"errors"
	"fmt"
	"strings"

	"github.com/uwsgo/uwsgo/cmd/internal/form"
	"github.com/uwsgo/uwsgo/cmd/internal/ini"
	"github.com/uwsgo/uwsgo/cmd/internal/option"
)

// errHelp ends the reading at --help.
var errHelp = errors.New("help was asked for")

// addArgs adds the options of a command line as GNU getopt_long reads it: long options by any
// unique prefix, with the value after = or as the next word; one-letter flags in one word, the last
// with its value; -- ends the options. Other words are files, which are loaded after all options.
func addArgs(list *ini.List, args []string) (files []word, err error) {
	add := func(key, value string, has bool) error {
		if o := Options.Lookup(key); o != nil && o.Name == "help" {
			return errHelp
		}
		return list.Add(ini.Entry{Key: key, Value: value, HasValue: has})
	}
	var before behind // the word before the next one
	for i := 0; i < len(args); i++ {
		arg := args[i]
		last := before
		before = behind{}
		switch {
		case arg == "--":
			for _, name := range args[i+1:] {
				files = append(files, word{name: name})
			}
			return files, nil
		case strings.HasPrefix(arg, "--"):
			prefix, value, has := strings.Cut(arg[2:], "=")
			name, err := completeName(prefix)
			if err != nil {
				return nil, err
			}
			o := Options.Lookup(name)
			switch {
			case !o.TakesValue() && has:
				return nil, fmt.Errorf("--%s takes no value: leave out %q", name, "="+value)
			case o.TakesValue() && !o.Optional && !has:
				if i+1 == len(args) {
					return nil, fmt.Errorf("--%s needs a value: --%s=%s", name, name, o.Arg)
				}
				i++
				value, has = args[i], true
			}
			if !has {
				before = behind{arg, o, "="}
			}
			if err := add(name, value, has); err != nil {
				return nil, err
			}
		case len(arg) > 1 && arg[0] == '-':
			for rest := arg[1:]; rest != ""; {
				letter := rest[0]
				rest = rest[1:]
				o := Options.LookupShort(letter)
				if o == nil {
					return nil, fmt.Errorf("-%c: unknown option in %q; --help lists the options", letter, arg)
				}
				value, has := "", false
				switch {
				case !o.TakesValue():
				case rest != "":
					value, has, rest = rest, true, ""
				case !o.Optional:
					if i+1 == len(args) {
						return nil, fmt.Errorf("-%c (--%s) needs a value: -%c %s", letter, o.Name, letter, o.Arg)
					}
					i++
					value, has = args[i], true
				}
				if !has && rest == "" {
					before = behind{"-" + string(letter), o, ""}
				}
				if err := add(o.Name, value, has); err != nil {
					return nil, err
				}
			}
		default:
			files = append(files, word{arg, last})
		}
	}
	return files, nil
}

// SplitFiles parts the files of a command line from its options. Load complains of words that are
// neither.
func SplitFiles(args []string) (options, files []string) {
	for i := 0; i < len(args); i++ {
		arg := args[i]
		var o *option.Option // its value is the next word
		switch {
		case arg == "--":
			return options, append(files, args[i+1:]...)
		case strings.HasPrefix(arg, "--"):
			prefix, _, has := strings.Cut(arg[2:], "=")
			if name, err := completeName(prefix); err == nil && !has {
				o = Options.Lookup(name)
			}
		case len(arg) > 1 && arg[0] == '-':
			for j := 1; j < len(arg); j++ {
				short := Options.LookupShort(arg[j])
				if short != nil && short.TakesValue() {
					if j == len(arg)-1 {
						o = short
					}
					break
				}
			}
		default:
			files = append(files, arg)
			continue
		}
		options = append(options, arg)
		if o != nil && o.TakesValue() && !o.Optional && i+1 < len(args) {
			i++
			options = append(options, args[i])
		}
	}
	return options, files
}

// word is a word of the command line that is no option: the name of a file.
type word struct {
	name  string
	after behind
}

// behind is an option that was given without a value. A value in the next word does not belong to
// it.
type behind struct {
	written string // --http-keepalive, -C
	option  *option.Option
	glue    string // between the option and its value
}

// misplaced explains that a word which is no file was meant as the value of the option before it;
// nil if it was not.
func (w word) misplaced() error {
	o := w.after.option
	isNumber := strings.Trim(w.name, "0123456789") == ""
	switch {
	case o == nil || w.name == "":
	case o.Optional && (o.Kind != option.Flag || isNumber || isTruth(w.name)):
		return fmt.Errorf("%s %s: the value has to be in the same word: %s%s%s", w.after.written, w.name, w.after.written, w.after.glue, w.name)
	case !o.TakesValue() && (isNumber || isTruth(w.name)):
		return fmt.Errorf("%s takes no value: leave out %q", w.after.written, w.name)
	}
	return nil
}

// completeName returns the option that a long name on the command line means.
func completeName(prefix string) (string, error) {
	found := Options.Complete(prefix)
	switch {
	case prefix == "":
	case len(found) == 1:
		return found[0], nil
	case len(found) > 1:
		const most = 8
		names := make([]string, 0, most)
		for _, name := range found[:min(len(found), most)] {
			names = append(names, "--"+name)
		}
		list := strings.Join(names, ", ")
		if more := len(found) - len(names); more > 0 {
			list += fmt.Sprintf(" and %d more", more)
		}
		return "", fmt.Errorf("--%s: the option is ambiguous, it could be %s", prefix, list)
	}
	if near := Options.Nearest(prefix); near != "" {
		return "", fmt.Errorf("--%s: unknown option; did you mean --%s?", prefix, near)
	}
	return "", fmt.Errorf("--%s: unknown option; --help lists the options", prefix)
}

// addFile loads a file that was given by position.
func addFile(list *ini.List, w word) error {
	name := w.name
	if strings.HasPrefix(name, "[") {
		return nil // uWSGI allows notes like [production] in its command line
	}
	err := list.LoadNamed(name)
	if _, other := form.ByName(name); err == nil || other || strings.HasSuffix(name, ".ini") {
		return err
	}
	if misplaced := w.misplaced(); misplaced != nil {
		return misplaced
	}
	hint := ""
	file, section, _ := strings.Cut(name, ":")
	kind, _ := form.ByName(file)
	switch {
	case kind != "" && section != "":
		hint = fmt.Sprintf("; for one section of it, write --%s %s", strings.ToLower(string(kind)), name)
	case strings.HasSuffix(file, ".ini") && section != "":
		hint = "; for one section of it, write --ini " + name
	case strings.HasSuffix(name, ".conf") || strings.HasSuffix(name, ".cfg"):
		hint = "; if it is one, write --ini " + name
	case file != "" && section != "" && !strings.ContainsAny(name, "/ "):
		hint = "; to run it as an app, write --module " + name
	case file == "" && section != "":
		hint = "; to listen there, write --http " + name
	}
	if hint == "" && appWord.MatchString(name) {
		hint = fmt.Sprintf("; an app %s would be %s.py, which is not here", name, strings.ReplaceAll(name, ".", "/"))
	}
	return fmt.Errorf("%w%s", err, hint)
}
