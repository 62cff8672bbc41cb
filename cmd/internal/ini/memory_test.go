package ini

import (
	"fmt"
	"io/fs"
	"path"
	"strings"
	"testing/fstest"
	"time"

	"github.com/uwsgo/uwsgo/cmd/internal/option"
)

// home is the current folder of the machine that tests run on.
const home = "/srv/shop"

// options are the directives, and such others as the cases name.
var options = option.NewTable(append(Directives(),
	option.Option{Name: "processes", Kind: option.Int, Arg: "N"},
	option.Option{Name: "threads", Kind: option.Int, Arg: "N"},
	option.Option{Name: "listen", Kind: option.Int, Arg: "N", Immediate: true},
	option.Option{Name: "plugins", Kind: option.List, Arg: "NAMES", Immediate: true},
	option.Option{Name: "env", Kind: option.List, Arg: "NAME=VALUE"},
	option.Option{Name: "http-socket", Kind: option.List, Arg: "ADDR"},
	option.Option{Name: "static-map", Kind: option.List, Arg: "/PREFIX=DIR"},
	option.Option{Name: "chdir", Arg: "DIR", Kind: option.Text},
	option.Option{Name: "module", Arg: "MODULE", Kind: option.Text},
	option.Option{Name: "master", Kind: option.Flag},
	option.Option{Name: "vacuum", Kind: option.Flag},
	option.Option{Name: "log-format", Arg: "FORMAT", Kind: option.Text},
	option.Option{Name: "worker-reload-mercy", Kind: option.Seconds, Arg: "SECONDS"},
)...)

// memory is a machine that consists of a few files below home and a few
// environment variables, and on which nothing can be executed.
func memory(files, env map[string]string) World {
	disk := fstest.MapFS{}
	for name, text := range files {
		disk[local(name)] = &fstest.MapFile{Data: []byte(text), Mode: 0o644}
	}
	stat := func(name string) (fs.FileInfo, error) { return disk.Stat(local(name)) }
	return World{
		Getenv: func(name string) (string, bool) { v, ok := env[name]; return v, ok },
		Read: func(name string) ([]byte, error) {
			if name == "-" {
				return []byte(files["-"]), nil
			}
			text, err := disk.ReadFile(local(name))
			if err != nil {
				return nil, fmt.Errorf("cannot open %q: %w", name, fs.ErrNotExist)
			}
			return text, nil
		},
		Stat:     stat,
		Lstat:    stat,
		Readable: func(name string) bool { _, err := stat(name); return err == nil },
		Real:     func(name string) (string, error) { return path.Join(home, local(name)), nil },
		Glob:     func(pattern string) ([]string, error) { return fs.Glob(disk, pattern) },

		Cwd: home, Host: "web1", Binary: "/usr/bin/uwsgo", Version: "2.0.31",
		CPUs: 8, UID: 1000, GID: 100, User: "ann", Group: "users",
		Start: time.Unix(1700000000, 123456000),
	}
}

// local is name as a path of the file system that memory keeps.
func local(name string) string {
	return strings.TrimPrefix(path.Clean(strings.TrimPrefix(name, home+"/")), "/")
}

// describe lists what was read, in the form of the golden files.
func describe(l *List, err error) string {
	var b strings.Builder
	for _, e := range l.Entries {
		value := e.Value
		if !e.HasValue {
			value = "(no value)"
		}
		fmt.Fprintf(&b, "%s = %q\n", e.Key, value)
	}
	for _, w := range l.Warnings {
		fmt.Fprintf(&b, "warning: %s\n", w)
	}
	if err != nil {
		fmt.Fprintf(&b, "error: %v\n", err)
	}
	return b.String()
}
