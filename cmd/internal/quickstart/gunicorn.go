// Package quickstart helps with the first minute: it turns a command of gunicorn's into an ini
// file, and finds something to run in a folder.
package quickstart

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// Options are what FromGunicorn asks the machine.
type Options struct {
	Getenv func(name string) string
	// Settings runs a configuration file of gunicorn's, which is a Python program, and returns its
	// settings. A missing file that nobody named has none.
	Settings func(file string, named bool) (map[string]any, error)
}

// FromGunicorn writes the ini file for a command that starts gunicorn: a line for a shell, or the
// JSON list of a Dockerfile, as in scripts. What cannot be done becomes a comment. What would leave
// a door open is an error.
func FromGunicorn(w io.Writer, command string, o Options) error {
	text := strings.TrimSpace(command)
	split, err := splitCommand(text)
	if err != nil {
		return err
	}
	c := &conversion{set: map[string][]string{}, notes: split.notes}
	words, err := c.find(split.words)
	if err != nil {
		return err
	}
	o.Getenv = c.getenv(o.Getenv)
	if err := c.read(words, o); err != nil {
		return err
	}
	if err := c.convert(o); err != nil {
		return err
	}
	var b strings.Builder
	fmt.Fprintf(&b, "; Made by uwsgo --from-gunicorn of this command:\n;   %s\n", strings.Join(strings.Fields(text), " "))
	b.WriteString("[uwsgi]\n")
	for _, l := range c.lines {
		b.WriteString(l + "\n")
	}
	if len(c.notes) > 0 {
		b.WriteString("\n; What gunicorn does otherwise:\n")
		for _, n := range c.notes {
			b.WriteString("; - " + n + "\n")
		}
	}
	_, err = io.WriteString(w, b.String())
	return err
}

// splitCommand splits a line for a shell, the list of a Dockerfile with or without CMD, or the
// argument of sh -c in either.
func splitCommand(text string) (*shellWords, error) {
	split := &shellWords{}
	var err error
	if list := strings.TrimSpace(instruction.ReplaceAllString(text, "")); strings.HasPrefix(list, "[") {
		if err = json.Unmarshal([]byte(list), &split.words); err != nil {
			return nil, fmt.Errorf("not a JSON list of words: %w", err)
		}
	} else if split, err = splitShell(text); err != nil {
		return nil, err
	}
	for i, word := range split.words[:max(0, len(split.words)-2)] {
		if base := filepath.Base(word); (base == "sh" || base == "bash") && shellFlags.MatchString(split.words[i+1]) {
			return splitShell(split.words[i+2])
		}
	}
	return split, nil
}

var (
	instruction = regexp.MustCompile(`^(?i:CMD|ENTRYPOINT|command:|entrypoint:)\s+`)
	shellFlags  = regexp.MustCompile(`^-[a-z]*c$`)
	activation  = regexp.MustCompile(`^(.+)/bin/activate$`)
)

// conversion is a command on its way to an ini file.
type conversion struct {
	app        string
	set        map[string][]string // settings by gunicorn's names; lists have several values
	hooks      []string            // functions that a configuration file defines
	env        []string            // NAME=VALUE before the command
	cd         string              // from cd DIR && before it
	virtualenv string              // from . DIR/bin/activate before it
	lines      []string
	notes      []string
}

func (c *conversion) note(format string, args ...any) {
	c.notes = append(c.notes, fmt.Sprintf(format, args...))
}

func (c *conversion) line(key string, value any) {
	c.lines = append(c.lines, fmt.Sprintf("%s = %v", key, value))
}

// runners start the program that follows them, and change nothing of it.
var runners = []string{"exec", "env", "poetry", "pipenv", "uv", "pdm", "hatch", "rye", "run", "python", "python3", "-m", "web:", "nohup", "CMD", "ENTRYPOINT", "sudo", "dumb-init", "tini", "--"}

// find returns the words after gunicorn, and notes those before it and what follows.
func (c *conversion) find(words []string) ([]string, error) {
	begin := 0 // the beginning of this command
	var before []string
	for i, word := range words {
		name, value, assigns := strings.Cut(word, "=")
		switch base := filepath.Base(word); {
		case base == "gunicorn" || strings.HasPrefix(base, "gunicorn3"):
			for _, w := range before {
				c.note("%s stands before gunicorn: it may be wanted before uwsgo, too", w)
			}
			c.ownVirtualenv(word)
			rest := words[i+1:]
			if end := slices.IndexFunc(rest, isOperator); end >= 0 {
				c.note("%s behind the command is left out", spoken(rest[end:]))
				rest = rest[:end]
			}
			return rest, nil
		case word == "\x00&&" || word == "\x00;" || word == "\x00\n":
			c.earlier(words[begin:i])
			begin, before = i+1, nil
		case isOperator(word):
			return nil, fmt.Errorf("%q: give the command of gunicorn alone", strings.TrimSpace(word[1:]))
		case assigns && name != "" && !strings.ContainsAny(name, "/.-:"):
			c.env = append(c.env, name+"="+value)
		case slices.Contains(runners, base) || strings.HasPrefix(base, "python3."):
		default:
			before = append(before, word)
		}
	}
	return nil, fmt.Errorf("there is no gunicorn in it: give the whole command, such as 'gunicorn app:app -w 4'")
}

// earlier handles a command that ends before gunicorn's begins.
func (c *conversion) earlier(words []string) {
	if len(words) == 0 {
		return
	}
	assigned := 0 // variables taken from it
	for _, word := range words {
		if slices.Contains(c.env, word) {
			assigned++
		}
	}
	switch {
	case words[0] == "cd" && len(words) == 2:
		c.cd = words[1]
		return
	case (words[0] == "source" || words[0] == ".") && len(words) == 2 && activation.MatchString(words[1]):
		c.virtualenv = activation.FindStringSubmatch(words[1])[1]
		return
	case words[0] == "export" && assigned == len(words)-1:
		return
	case words[0] == "set":
		return
	}
	c.env = c.env[:len(c.env)-assigned] // they hold for that command alone
	c.note("%s runs before gunicorn: run it before uwsgo, too", spoken(words))
}

// ownVirtualenv notes that the path of gunicorn may belong to a virtualenv.
func (c *conversion) ownVirtualenv(word string) {
	word = word[strings.LastIndexByte(word, '=')+1:] // ExecStart=/srv/app/venv/bin/gunicorn
	bin := filepath.Dir(word)
	if dir := filepath.Dir(bin); filepath.Base(bin) == "bin" && !slices.Contains([]string{"/", ".", "/usr", "/usr/local"}, dir) {
		c.note("%s is a program of %s: write virtualenv = %s, unless uwsgo is installed there", filepath.Base(word), dir, dir)
	}
}

func isOperator(word string) bool { return strings.HasPrefix(word, "\x00") }

// spoken returns a part of a command for people.
func spoken(words []string) string { return strings.ReplaceAll(strings.Join(words, " "), "\x00", "") }

// getenv returns a variable in front of the command, else one of the environment.
func (c *conversion) getenv(outer func(string) string) func(string) string {
	given := slices.Clone(c.env)
	c.env = slices.DeleteFunc(c.env, func(e string) bool {
		return strings.HasPrefix(e, "GUNICORN_CMD_ARGS=") // it is for gunicorn alone
	})
	return func(name string) string {
		for _, e := range slices.Backward(given) {
			if value, ok := strings.CutPrefix(e, name+"="); ok {
				return value
			}
		}
		return outer(name)
	}
}

// read takes the settings of the configuration file, of GUNICORN_CMD_ARGS and of the words; later
// ones win.
func (c *conversion) read(words []string, o Options) error {
	given := map[string][]string{}
	extra, err := splitShell(o.Getenv("GUNICORN_CMD_ARGS"))
	if err != nil {
		return fmt.Errorf("GUNICORN_CMD_ARGS: %w", err)
	}
	for _, list := range [][]string{extra.words, words} {
		mine, err := c.parse(list)
		if err != nil {
			return err
		}
		maps.Copy(given, mine)
	}
	file, named := "gunicorn.conf.py", false
	if values := given["config"]; len(values) > 0 {
		file, named = strings.TrimPrefix(values[len(values)-1], "file:"), true
	}
	if module, ok := strings.CutPrefix(file, "python:"); ok {
		file = strings.ReplaceAll(module, ".", "/") + ".py"
	}
	if c.cd != "" && !filepath.IsAbs(file) {
		file = filepath.Join(c.cd, file)
	}
	settings, err := o.Settings(file, named)
	if err != nil {
		return fmt.Errorf("the configuration file of gunicorn: %w", err)
	}
	for name, value := range settings {
		if err := c.take(name, value); err != nil {
			return err
		}
	}
	slices.Sort(c.hooks)
	maps.Copy(c.set, given)
	if c.app == "" {
		c.app = c.last("wsgi_app")
	}
	return nil
}

// take takes one setting of a configuration file.
func (c *conversion) take(name string, value any) error {
	if slices.ContainsFunc(settings, func(s setting) bool { return s.name == name }) {
		switch v := value.(type) {
		case nil:
		case bool:
			if v {
				c.set[name] = []string{""}
			}
		case []any:
			for _, item := range v {
				c.set[name] = append(c.set[name], fmt.Sprint(item))
			}
		case float64:
			c.set[name] = []string{strconv.FormatFloat(v, 'f', -1, 64)}
		case string:
			c.set[name] = []string{v}
		default:
			c.note("%s of the configuration file has a value that cannot be read here", name)
		}
		return nil
	}
	if value == hookMark {
		c.hooks = append(c.hooks, name)
	}
	return nil
}

// hookMark is the value of a setting that is a function.
const hookMark = "\x00function"

// parse reads words as gunicorn's argparse does: --name value, --name=value, any unique beginning
// of a name, -w 4, -w4.
func (c *conversion) parse(words []string) (map[string][]string, error) {
	given := map[string][]string{}
	for i := 0; i < len(words); i++ {
		word := words[i]
		if !strings.HasPrefix(word, "-") || word == "-" {
			if c.app != "" {
				return nil, fmt.Errorf("%q: there is an app already, %s", word, c.app)
			}
			c.app = word
			continue
		}
		name, value, has := word, "", false
		if strings.HasPrefix(word, "--") {
			name, value, has = strings.Cut(word, "=")
		} else if len(word) > 2 {
			name, value, has = word[:2], strings.TrimPrefix(word[2:], "="), true
		}
		s, err := lookup(name)
		if err != nil {
			return nil, err
		}
		if !s.flag && !has {
			if i++; i == len(words) {
				return nil, fmt.Errorf("%s needs a value", name)
			}
			value = words[i]
		}
		if s.flag && has && !strings.HasPrefix(word, "--") {
			words = slices.Insert(slices.Clone(words), i+1, "-"+value) // -DR
			value = ""
		}
		given[s.name] = append(given[s.name], value)
	}
	return given, nil
}

// lookup returns a setting by an option of the command line.
func lookup(name string) (*setting, error) {
	var found []*setting
	for i := range settings {
		for option := range strings.FieldsSeq(settings[i].options) {
			if option == name {
				return &settings[i], nil
			}
			if strings.HasPrefix(name, "--") && strings.HasPrefix(option, name) && !slices.Contains(found, &settings[i]) {
				found = append(found, &settings[i])
			}
		}
	}
	switch len(found) {
	case 1:
		return found[0], nil
	case 0:
		return nil, fmt.Errorf("%s is no option of gunicorn's that is known here: take it out, and look what it did", name)
	}
	return nil, fmt.Errorf("%s is ambiguous: write the option in full", name)
}

// last returns the value of a setting; empty if it is not given.
func (c *conversion) last(name string) string {
	if values := c.set[name]; len(values) > 0 {
		return values[len(values)-1]
	}
	return ""
}

func (c *conversion) has(name string) bool { return len(c.set[name]) > 0 }
