package privilege

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

const (
	writeFlags  = unix.O_WRONLY | unix.O_CREAT | unix.O_CLOEXEC | unix.O_NOCTTY
	appendFlags = writeFlags | unix.O_APPEND
)

// Append opens a file to append to, and makes it if it is missing. It opens a named pipe too,
// without waiting for a reader.
//
// If root is to become id, Append makes sure that id has put nothing in the way that leads root to a
// file which id may not write. In a directory where id may write it follows neither symbolic nor
// hard links. Behind such a directory no link may lead to one where id may not write. Permissions
// are those of owner, group and others; ACLs do not count.
func (id Identity) Append(path string, mode fs.FileMode) (*os.File, error) {
	f, err := id.open(path, appendFlags, mode)
	if !errors.Is(err, unix.ENXIO) {
		return f, err
	}
	// Nobody reads the pipe yet. A pipe that can also be read stays open.
	return id.open(path, appendFlags&^unix.O_WRONLY|unix.O_RDWR, mode)
}

// Write opens a regular file to write to, keeps its contents, and makes it if it is missing. It
// follows no link in place of the file, and is otherwise as careful as Append.
func (id Identity) Write(path string, mode fs.FileMode) (*os.File, error) {
	f, err := id.open(path, writeFlags|unix.O_NOFOLLOW, mode)
	if errors.Is(err, unix.ENXIO) { // a pipe without a reader, or a socket
		return nil, notRegular(path)
	}
	if err != nil {
		return nil, err
	}
	if info, err := f.Stat(); err != nil || !info.Mode().IsRegular() {
		_ = f.Close()
		return nil, notRegular(path)
	}
	return f, nil
}

func notRegular(path string) error {
	return fmt.Errorf("%s is no regular file, but a pipe, a socket or a device: name another, or remove it", path)
}

// plain opens a file, and waits for nobody at the other end of a pipe.
func plain(at int, path string, flags int, mode fs.FileMode) (*os.File, error) {
	fd, err := unix.Openat(at, path, flags|unix.O_NONBLOCK, uint32(mode.Perm()))
	for err == unix.EINTR {
		fd, err = unix.Openat(at, path, flags|unix.O_NONBLOCK, uint32(mode.Perm()))
	}
	if err != nil {
		return nil, &fs.PathError{Op: "open", Path: path, Err: err}
	}
	_ = unix.SetNonblock(fd, false) // programs that inherit it do not expect that
	return os.NewFile(uintptr(fd), path), nil
}

// open opens a file as [Identity.Append] says.
func (id Identity) open(path string, flags int, mode fs.FileMode) (*os.File, error) {
	if os.Geteuid() != 0 || id.UID <= 0 {
		return plain(unix.AT_FDCWD, path, flags, mode)
	}
	path, err := filepath.Abs(path)
	if err != nil {
		return nil, err
	}
	dir := filepath.Dir(path)
	real, err := filepath.EvalSymlinks(dir)
	if err != nil {
		return nil, err
	}
	// A link of root's may lead through a directory where id moves things, too.
	changes, err := id.changes(dir)
	if err == nil && !changes && real != dir {
		changes, err = id.changes(real)
	}
	if err != nil {
		return nil, err
	}
	if !changes {
		return plain(unix.AT_FDCWD, path, flags, mode)
	}
	at, err := id.enter(dir)
	if err != nil {
		return nil, err
	}
	defer at.Close()
	f, err := plain(int(at.Fd()), filepath.Base(path), flags|unix.O_NOFOLLOW, mode)
	if err != nil {
		return nil, explainLink(path, err)
	}
	var st unix.Stat_t
	if err := unix.Fstat(int(f.Fd()), &st); err != nil {
		_ = f.Close()
		return nil, &fs.PathError{Op: "fstat", Path: path, Err: err}
	}
	if st.Mode&unix.S_IFMT == unix.S_IFREG && st.Nlink > 1 { // other files keep nothing
		_ = f.Close()
		return nil, fmt.Errorf("%s has another name (hard link), and user %d may have made it: remove it", path, id.UID)
	}
	return f, nil
}

// changes reports whether id can change where dir, an absolute path, leads, or its contents.
func (id Identity) changes(dir string) (bool, error) {
	for {
		var st unix.Stat_t
		if err := unix.Stat(dir, &st); err != nil {
			return false, &fs.PathError{Op: "stat", Path: dir, Err: err}
		}
		if id.writes(&st) {
			return true, nil
		}
		if dir == "/" {
			return false, nil
		}
		dir = filepath.Dir(dir)
	}
}

// writes reports whether id can write the file of st, or let itself do so.
func (id Identity) writes(st *unix.Stat_t) bool {
	gid := int(st.Gid)
	return int(st.Uid) == id.UID || st.Mode&0o002 != 0 ||
		st.Mode&0o020 != 0 && (gid == id.GID || slices.Contains(id.Groups, gid))
}

// enter opens dir if id may write it, or if no link leads there.
func (id Identity) enter(dir string) (*os.File, error) {
	const flags = unix.O_RDONLY | unix.O_DIRECTORY | unix.O_CLOEXEC
	at, err := os.OpenFile(dir, flags, 0)
	if err != nil {
		return nil, err
	}
	var st unix.Stat_t
	if err := unix.Fstat(int(at.Fd()), &st); err == nil && id.writes(&st) {
		return at, nil
	}
	_ = at.Close()
	if at, err = os.OpenFile("/", flags, 0); err != nil {
		return nil, err
	}
	for name := range strings.SplitSeq(strings.Trim(dir, "/"), "/") {
		fd, err := unix.Openat(int(at.Fd()), name, flags|unix.O_NOFOLLOW, 0)
		_ = at.Close()
		if err != nil {
			return nil, explainLink(dir, err)
		}
		at = os.NewFile(uintptr(fd), name)
	}
	return at, nil
}

func explainLink(path string, err error) error {
	if open, ok := errors.AsType[*fs.PathError](err); ok {
		err = open.Err // of a name in a directory
	}
	// A link in place of a directory gives ENOTDIR, on FreeBSD EMLINK.
	if errors.Is(err, unix.ELOOP) || errors.Is(err, unix.EMLINK) || errors.Is(err, unix.ENOTDIR) {
		return fmt.Errorf("%s is, or is behind, a symbolic link that the user of uid could change, and root does not follow it: name the file itself", path)
	}
	return &fs.PathError{Op: "open", Path: path, Err: err}
}
