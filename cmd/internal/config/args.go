package config

import (
	"errors"
	"fmt"
	"strings"

	"github.com/uwsgo/uwsgo/cmd/internal/ini"
	"github.com/uwsgo/uwsgo/cmd/internal/option"
)

// errHelp says that --help was met, which ends reading at once.
var errHelp = errors.New("help was asked for")

// addArgs adds the options of a command line as GNU getopt_long reads it: long
// options by any unique prefix, with their value after = or as the next word;
// one-letter flags in one word, the last with its value; -- ends the options.
// Words in between are files to load when all options have been read.
func addArgs(list *ini.List, args []string) (files []string, err error) {
	add := func(key, value string, has bool) error {
		if o := option.Lookup(key); o != nil && o.Name == "help" {
			return errHelp
		}
		return list.Add(ini.Entry{Key: key, Value: value, HasValue: has})
	}
	for i := 0; i < len(args); i++ {
		arg := args[i]
		switch {
		case arg == "--":
			return append(files, args[i+1:]...), nil
		case strings.HasPrefix(arg, "--"):
			prefix, value, has := strings.Cut(arg[2:], "=")
			name, err := completeName(prefix)
			if err != nil {
				return nil, err
			}
			o := option.Lookup(name)
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
			if err := add(name, value, has); err != nil {
				return nil, err
			}
		case len(arg) > 1 && arg[0] == '-':
			for rest := arg[1:]; rest != ""; {
				letter := rest[0]
				rest = rest[1:]
				o := option.LookupShort(letter)
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
				if err := add(o.Name, value, has); err != nil {
					return nil, err
				}
			}
		default:
			files = append(files, arg)
		}
	}
	return files, nil
}

// completeName finds the option that a long name on the command line means.
func completeName(prefix string) (string, error) {
	found := option.Complete(prefix)
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
	if near := option.Nearest(prefix); near != "" {
		return "", fmt.Errorf("--%s: unknown option; did you mean --%s?", prefix, near)
	}
	return "", fmt.Errorf("--%s: unknown option; --help lists the options", prefix)
}

// addFile loads a file that was given by position.
func addFile(list *ini.List, name string) error {
	if strings.HasPrefix(name, "[") {
		return nil // uWSGI lets notes like [production] stand in its command line
	}
	err := list.LoadNamed(name)
	if err == nil || strings.HasSuffix(name, ".ini") {
		return err
	}
	hint := ""
	file, section, _ := strings.Cut(name, ":")
	switch {
	case strings.HasSuffix(name, ".py") || strings.HasSuffix(name, ".wsgi"):
		hint = "; to run it as an app, write --wsgi-file " + name
	case strings.HasSuffix(file, ".ini") && section != "":
		hint = "; for one section of it, write --ini " + name
	case strings.HasSuffix(name, ".conf") || strings.HasSuffix(name, ".cfg"):
		hint = "; if it is one, write --ini " + name
	case file != "" && section != "" && !strings.ContainsAny(name, "/ "):
		hint = "; to run it as an app, write --module " + name
	case file == "" && section != "":
		hint = "; to listen there, write --http " + name
	}
	if hint == "" {
		return err
	}
	return fmt.Errorf("%w%s", err, hint)
}
