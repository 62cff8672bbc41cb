package emperor

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
)

// extensions are those of vassals, uWSGI's.
var extensions = []string{".xml", ".ini", ".yml", ".yaml", ".js", ".json"}

// mostName bounds the name of a vassal, as in uWSGI.
const mostName = 254

// CheckMonitor returns why value cannot be monitored, nil if it can.
func CheckMonitor(value string) error {
	scheme, rest, ok := strings.Cut(value, "://")
	switch {
	case ok && (scheme == "dir" || scheme == "glob") && rest != "":
	case ok && strings.Trim(scheme, "abcdefghijklmnopqrstuvwxyz0123456789-_") == "":
		return fmt.Errorf("%s:// is not supported: vassals are files here, so name a directory or a pattern, and have what knows of them write the files there", scheme)
	}
	if _, err := filepath.Match(pattern(strings.TrimPrefix(value, "glob://")), ""); err != nil {
		return fmt.Errorf("%q is no pattern: %w", value, err)
	}
	return nil
}

// monitor finds the files of one value of emperor.
type monitor struct {
	name string // as told in statistics
	dir  string // the directory that is looked at; empty for a pattern
	glob string // the pattern, as an absolute path
	base string // where a pattern begins that is not absolute
	deny string // why it cannot be read, of which the log has told
}

// newMonitor makes the monitor of a value that CheckMonitor has found right. Paths begin in dir.
func newMonitor(value, dir string) *monitor {
	abs := func(path string) string {
		if filepath.IsAbs(path) {
			return path
		}
		return filepath.Join(dir, path)
	}
	if path, ok := strings.CutPrefix(value, "dir://"); ok {
		return &monitor{name: abs(path), dir: abs(path)}
	}
	path, asked := strings.CutPrefix(value, "glob://")
	m := &monitor{name: path, glob: pattern(path), base: dir}
	if !asked {
		found, _ := filepath.Glob(abs(m.glob))
		if len(found) == 1 && isDir(found[0]) {
			return &monitor{name: found[0], dir: found[0]}
		}
		if len(found) == 0 && !strings.ContainsAny(path, `*?[\`) && !valid(path, nil) {
			return &monitor{name: abs(path), dir: abs(path)} // it is waited for
		}
	}
	return m
}

// pattern has the words of glob(7) as Go writes them.
func pattern(p string) string { return strings.ReplaceAll(p, "[!", "[^") }

func isDir(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.IsDir()
}

// valid reports whether a name is one of a vassal.
func valid(name string, extra []string) bool {
	if len(name) > mostName {
		return false
	}
	has := func(end string) bool { return strings.HasSuffix(name, end) }
	return slices.ContainsFunc(extensions, has) || slices.ContainsFunc(extra, has)
}

// Finding says which files are vassals, and what is known of them.
type Finding struct {
	Extensions     []string // further ones
	Nofollow       bool     // of a link take the link's own time and owner
	TyrantNofollow bool     // its own owner
}

// Find returns the files that one value of emperor finds now. Relative paths begin in dir.
func Find(value, dir string, how Finding) ([]File, error) {
	return newMonitor(value, dir).scan(how)
}

// scan returns the files there are. An error says that they are not known now.
func (m *monitor) scan(how Finding) ([]File, error) {
	dir, names := m.dir, []string(nil)
	if dir != "" {
		f, err := os.Open(dir)
		if errors.Is(err, fs.ErrNotExist) {
			return nil, nil
		}
		if err != nil {
			return nil, err
		}
		names, err = f.Readdirnames(-1)
		_ = f.Close()
		if err != nil {
			return nil, err
		}
		slices.Sort(names)
	} else {
		dir = m.base
		full := m.glob
		if !filepath.IsAbs(full) {
			full = filepath.Join(dir, full)
		}
		found, err := filepath.Glob(full)
		if err != nil {
			return nil, err
		}
		for _, path := range found {
			if hidden(full, path) {
				continue
			}
			if rel, ok := strings.CutPrefix(path, dir+"/"); ok && !filepath.IsAbs(m.glob) {
				path = rel
			}
			names = append(names, path)
		}
	}
	var files []File
	for _, name := range names {
		if !valid(name, how.Extensions) {
			continue
		}
		path := name
		if !filepath.IsAbs(path) {
			path = filepath.Join(dir, name)
		}
		if f, ok := look(path, how); ok {
			f.ID, f.Dir, f.Name = path, dir, name
			files = append(files, f)
		}
	}
	return files, nil
}

// hidden reports whether a name begins with a dot where the pattern does not: glob(7) leaves
// such files out.
func hidden(glob, path string) bool {
	patterns, names := strings.Split(glob, "/"), strings.Split(path, "/")
	for i := range min(len(patterns), len(names)) {
		if strings.HasPrefix(names[i], ".") && !strings.HasPrefix(patterns[i], ".") {
			return true
		}
	}
	return false
}

// look describes one file; false if it is no file, or has gone.
func look(path string, how Finding) (File, bool) {
	var link, target syscall.Stat_t
	if syscall.Lstat(path, &link) != nil || syscall.Stat(path, &target) != nil || target.Mode&syscall.S_IFMT != syscall.S_IFREG {
		return File{}, false
	}
	st, owner := &target, &target
	if how.Nofollow {
		st, owner = &link, &link
	}
	if how.TyrantNofollow {
		owner = &link
	}
	return File{Mark: markOf(st), UID: int(owner.Uid), GID: int(owner.Gid)}, true
}
