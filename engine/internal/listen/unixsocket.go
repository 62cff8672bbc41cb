package listen

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// openUnix makes a unix socket at a path that is free, or holds the socket of a server that has
// exited. Every step that can fail uses a private name.
func (l *Listener) openUnix(o Options) error {
	path := l.Address.Path
	uid, gid, err := parseOwner(o.Owner)
	if err != nil {
		return err
	}
	if err := checkPath(path); err != nil {
		return err
	}
	fd, err := socket(unix.AF_UNIX)
	if err != nil {
		return fmt.Errorf("make a socket: %w", err)
	}
	l.FD = fd // Open closes it on error
	private, err := bindPrivate(fd, path)
	if err != nil {
		return explainPath(err, path)
	}
	if err := l.publish(private, uid, gid, o.Mode); err != nil {
		return explainPath(err, path)
	}
	return nil
}

// publish readies the socket bound to the file private and gives that file its real name, or
// removes it. Nobody can connect before listen, so its first mode is harmless.
func (l *Listener) publish(private string, uid, gid int, mode os.FileMode) (err error) {
	defer func() {
		if err != nil {
			_ = os.Remove(private)
		}
	}()
	if uid != -1 || gid != -1 {
		if err := os.Lchown(private, uid, gid); err != nil {
			return fmt.Errorf("change the owner: %w", err)
		}
	}
	if mode != 0 {
		if err := os.Chmod(private, mode); err != nil {
			return fmt.Errorf("change the mode: %w", err)
		}
	}
	if err := unix.Listen(l.FD, l.Backlog); err != nil {
		return err
	}
	file, err := os.Lstat(private)
	if err != nil {
		return err
	}
	if err := os.Rename(private, l.Address.Path); err != nil {
		return err
	}
	l.made = file
	return nil
}

// privateTries is how many names are tried for the private file. Even the one
// letter of the shortest name is free at the second or third try.
const privateTries = 32

// bindPrivate binds fd to a new file beside path and returns its name. The name is path with a
// suffix, because ss(8) shows the first name for ever. When that does not fit sun_path, the
// name is as short as path's own.
func bindPrivate(fd int, path string) (private string, err error) {
	dir, base := filepath.Split(path)
	for range privateTries {
		random := strconv.FormatUint(rand.Uint64()|1<<63, 36) // at least 13 characters
		private = path + "." + random[len(random)-6:]
		if len(private) > MaxPath {
			private = dir + random[len(random)-min(len(base), 8):]
		}
		err = unix.Bind(fd, &unix.SockaddrUnix{Name: private})
		if !errors.Is(err, unix.EADDRINUSE) {
			return private, err
		}
	}
	return private, err
}

// checkPath returns an error when a server answers at path, or when the file there is not a
// socket. Such a file is never touched.
func checkPath(path string) error {
	fi, err := os.Lstat(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return explainPath(err, path)
	}
	if kind := fi.Mode().Type(); kind != os.ModeSocket {
		return fmt.Errorf("%w: there is %s at that path, which will not be replaced; remove it or choose another path", unix.EEXIST, kindName(kind))
	}
	fd, err := socket(unix.AF_UNIX)
	if err != nil {
		return fmt.Errorf("make a socket: %w", err)
	}
	defer unix.Close(fd)
	switch err := unix.Connect(fd, &unix.SockaddrUnix{Name: path}); {
	case err == nil, errors.Is(err, unix.EAGAIN), errors.Is(err, unix.EINPROGRESS), errors.Is(err, unix.EPROTOTYPE):
		// EAGAIN is a full backlog, EPROTOTYPE a live socket of another type.
		return fmt.Errorf("%w: a server answers on %s; stop it or choose another path", unix.EADDRINUSE, path)
	case errors.Is(err, unix.ECONNREFUSED), errors.Is(err, unix.ENOENT):
		return nil // its server has exited
	default:
		return fmt.Errorf("%w: cannot tell whether a server answers on %s; remove the file if none does", err, path)
	}
}

func kindName(kind os.FileMode) string {
	switch kind {
	case 0:
		return "a regular file"
	case os.ModeDir:
		return "a directory"
	case os.ModeSymlink:
		return "a symbolic link"
	}
	return "a special file"
}

// explainPath adds advice to an error of the file system.
func explainPath(err error, path string) error {
	dir := filepath.Dir(path)
	switch {
	case errors.Is(err, unix.ENOENT), errors.Is(err, unix.ENOTDIR):
		return fmt.Errorf("%w: %s is not a directory; create it", err, dir)
	case errors.Is(err, unix.EACCES), errors.Is(err, unix.EPERM):
		return fmt.Errorf("%w: this user may not do that in %s; change its owner, or the user", err, dir)
	case errors.Is(err, unix.EROFS):
		return fmt.Errorf("%w: choose a path outside %s", err, dir)
	}
	return err
}

// openAbstract makes a socket in the abstract namespace. It has neither modes nor owners, and
// the kernel removes the name with the socket.
func (l *Listener) openAbstract() error {
	fd, err := socket(unix.AF_UNIX)
	if err != nil {
		return fmt.Errorf("make a socket: %w", err)
	}
	l.FD = fd // Open closes it on error
	// The package unix turns a leading @ into the NUL that the kernel wants.
	if err := unix.Bind(fd, &unix.SockaddrUnix{Name: "@" + l.Address.Path}); err != nil {
		if errors.Is(err, unix.EADDRINUSE) {
			return fmt.Errorf("%w: another program has that name; stop it or choose another name", err)
		}
		return err
	}
	return unix.Listen(fd, l.Backlog)
}

// parseOwner reads "user[:group]"; -1 means unchanged.
func parseOwner(s string) (uid, gid int, err error) {
	name, group, _ := strings.Cut(s, ":")
	if uid, err = parseID(name, func(name string) (string, error) {
		u, err := user.Lookup(name)
		if err != nil {
			return "", err
		}
		return u.Uid, nil
	}); err != nil {
		return 0, 0, fmt.Errorf("owner %q: there is no user %q", s, name)
	}
	if gid, err = parseID(group, func(name string) (string, error) {
		g, err := user.LookupGroup(name)
		if err != nil {
			return "", err
		}
		return g.Gid, nil
	}); err != nil {
		return 0, 0, fmt.Errorf("owner %q: there is no group %q", s, group)
	}
	return uid, gid, nil
}

// parseID takes a number, or looks up a name.
func parseID(s string, lookup func(string) (string, error)) (int, error) {
	if s == "" {
		return -1, nil
	}
	if id, err := strconv.ParseUint(s, 10, 31); err == nil {
		return int(id), nil
	}
	id, err := lookup(s)
	if err != nil {
		return 0, err
	}
	return strconv.Atoi(id)
}
