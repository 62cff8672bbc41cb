package config

import (
	"errors"
	"fmt"
	"path/filepath"
	"regexp"
	"runtime"
	"strconv"
	"strings"

	"github.com/uwsgo/uwsgo/cmd/internal/ini"
	"github.com/uwsgo/uwsgo/cmd/internal/shell"
)

// An app can be named without an option, as in uWSGI and gunicorn: uwsgo app:app, uwsgo app.py.
// Without an address it gets what suits a first try.

var (
	appWord     = regexp.MustCompile(`^[A-Za-z_]\w*(\.[A-Za-z_]\w*)*(:[A-Za-z_]\w*(\.\w+)*(\(\))?)?$`)
	factoryWord = regexp.MustCompile(`^([A-Za-z_][\w.]*):([A-Za-z_]\w*)\((.+)\)$`)
)

// positionalApp returns the options of a word of the command line; none if it names no app.
func positionalApp(name string, w ini.World) ([]ini.Entry, error) {
	entry := func(key, value string) ini.Entry { return ini.Entry{Key: key, Value: value, HasValue: true} }
	file, callable, _ := strings.Cut(name, ":")
	if filepath.Base(file) == "manage.py" {
		return nil, fmt.Errorf("%s manages a Django project and is no app: name PROJECT.wsgi:application; uwsgo alone, in that folder, says which", name)
	}
	if ext := filepath.Ext(file); ext == ".py" || ext == ".wsgi" && (callable == "" || strings.Contains(file, "/")) {
		entries := []ini.Entry{entry("wsgi-file", file)}
		if callable != "" {
			entries = append(entries, entry("callable", callable))
		}
		if dir := filepath.Dir(file); dir != "." { // the folder is importable, as with python
			entries = append(entries, entry("pythonpath", dir))
		}
		return entries, nil
	}
	if m := factoryWord.FindStringSubmatch(name); m != nil {
		return nil, fmt.Errorf("%s: a factory gets no arguments: write a file wsgi.py that says from %s import %s; application = %s(%s), and run uwsgo wsgi:application", name, m[1], m[2], m[2], m[3])
	}
	if !appWord.MatchString(name) {
		return nil, nil
	}
	switch filepath.Ext(file) {
	case ".ini", ".yml", ".yaml", ".json", ".js", ".xml", ".toml", ".conf", ".cfg":
		return nil, nil // FILE:SECTION
	}
	if callable == "" {
		path := strings.ReplaceAll(file, ".", "/")
		if !isFile(w, path+".py") && !isFile(w, path+"/__init__.py") {
			return nil, nil
		}
	}
	return []ini.Entry{entry("module", name)}, nil
}

func isFile(w ini.World, name string) bool {
	info, err := w.Stat(name)
	return err == nil && info.Mode().IsRegular()
}

// The numbers of a first try: enough to be quick, and not so many that they fill a laptop.
const (
	quickThreads = 4
	quickLeast   = 2
	quickMost    = 8
)

// quick fills in what a command without an address leaves open. word is the app as named.
func (c *Config) quick(word string, w ini.World) error {
	c.Named = word
	given := map[string]bool{}
	for _, e := range c.Entries {
		given[e.Key] = true
	}
	if !strings.Contains(word, ":") && !given["callable"] {
		c.Callable = "" // the usual names are tried
	}
	if passed, _ := w.Getenv("LISTEN_FDS"); len(c.Listens) > 0 || passed != "" || c.Action != Run {
		return nil
	}
	port, _ := w.Getenv("PORT")
	if port == "" {
		port = "8000"
	} else if n, err := strconv.Atoi(port); err != nil || n < 1 || n > 65535 {
		return fmt.Errorf("PORT=%s in the environment is no port: correct it, or say where to listen with --http", port)
	}
	c.Listens = append(c.Listens, Listen{Addr: ":" + port, Protocol: HTTP, Where: "the usual address (--http :9000 names another)"})
	if !given["processes"] && !given["workers"] && !given["threads"] && !given["cheaper"] {
		c.Threads = quickThreads
		c.Processes = min(max(quickLeast, min(w.CPUs, runtime.GOMAXPROCS(0))), quickMost)
		if text, _ := w.Getenv("WEB_CONCURRENCY"); text != "" {
			n, err := strconv.Atoi(text)
			if err != nil || n < 1 || n > maxProcesses {
				return fmt.Errorf("WEB_CONCURRENCY=%s in the environment is no number of processes: correct it, or give --processes", text)
			}
			c.Processes = n
		}
	}
	c.Quick = fmt.Sprintf("%s is served on http://localhost:%s by %d processes with %d threads each. To change that: uwsgo %s --http :%s --processes %d --threads %d",
		word, port, c.Processes, c.Threads, shell.Quote(word), port, c.Processes, c.Threads)
	return nil
}

// errTwoApps is the error for a command line with two apps.
var errTwoApps = errors.New("two apps are named: run one, and mount the other with --mount /PATH=APP")
