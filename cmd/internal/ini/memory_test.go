package ini

import (
	"fmt"
	"io/fs"
	"path"
	"strings"
	"testing/fstest"
	"time"
)

// home is the current folder of the machine that tests run on.
const home = "/srv/shop"

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
		Stat:  stat,
		Lstat: stat,
		Real:  func(name string) (string, error) { return path.Join(home, local(name)), nil },
		Glob:  func(pattern string) ([]string, error) { return fs.Glob(disk, pattern) },

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
