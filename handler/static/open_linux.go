package static

import (
	"errors"
	"os"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// resolveCached makes openat2(2) fail if it had to look a name up on disk (Linux 5.12).
const resolveCached = 0x20

// openHot opens a name below top if that needs no look at the disk; otherwise it returns
// errCold. It may also do so for a name through a link.
func openHot(top *folder, name string, noLinks bool) (*os.File, error) {
	if top.local == nil {
		return nil, errCold
	}
	how := unix.OpenHow{Flags: uint64(openFlags | unix.O_CLOEXEC), Resolve: unix.RESOLVE_BENEATH | unix.RESOLVE_NO_XDEV | unix.RESOLVE_NO_MAGICLINKS | resolveCached}
	if noLinks {
		how.Resolve |= unix.RESOLVE_NO_SYMLINKS
	}
	fd, err := unix.Openat2(int(top.local.Fd()), name, &how)
	switch err {
	case nil:
		return newFile(fd, name), nil
	case unix.ENOENT, unix.ENOTDIR:
		return nil, err
	}
	return nil, errCold // also for reasons that only the slow way distinguishes
}

// newFile makes a file of a descriptor opened with openFlags. Regular files never block in the
// sense of O_NONBLOCK, and others are not read, so the runtime need not poll it.
func newFile(fd int, name string) *os.File {
	_, _ = unix.FcntlInt(uintptr(fd), unix.F_SETFL, 0)
	return os.NewFile(uintptr(fd), name)
}

// reopen opens a known file if that waits for nothing, and returns its identity. The caller
// must compare it with the known one.
func reopen(path string) (*os.File, identity) {
	how := unix.OpenHow{Flags: uint64(openFlags | unix.O_CLOEXEC), Resolve: unix.RESOLVE_NO_MAGICLINKS | resolveCached}
	fd, err := unix.Openat2(unix.AT_FDCWD, path, &how)
	if err != nil {
		return nil, identity{}
	}
	var s unix.Stat_t
	if unix.Fstat(fd, &s) != nil {
		_ = unix.Close(fd)
		return nil, identity{}
	}
	return newFile(fd, path), identityOf(&s)
}

// missing returns the error of a path if it is known without a look at the disk, else errCold.
func missing(path string) error {
	how := unix.OpenHow{Flags: unix.O_PATH | unix.O_CLOEXEC, Resolve: resolveCached}
	fd, err := unix.Openat2(unix.AT_FDCWD, path, &how)
	switch err {
	case nil:
		_ = unix.Close(fd)
	case unix.ENOENT, unix.ENOTDIR:
		return err
	}
	return errCold
}

// Cached reports whether the kernel knows, without a look at the disk, what that name is, or
// that it does not exist. It is true on local file systems only. The loop may then ask itself.
func Cached(name string) bool {
	how := unix.OpenHow{Flags: unix.O_PATH | unix.O_CLOEXEC, Resolve: resolveCached}
	fd, err := unix.Openat2(unix.AT_FDCWD, name, &how)
	switch err {
	case nil:
		defer func() { _ = unix.Close(fd) }()
		return isLocal(fd)
	case unix.ENOENT, unix.ENOTDIR:
		return true
	}
	return false
}

// openLocal opens a folder for openHot, if it is local.
func openLocal(top *os.Root) *os.File {
	f, err := top.Open(".")
	if err != nil {
		return nil
	}
	if isLocal(int(f.Fd())) {
		return f
	}
	_ = f.Close()
	return nil
}

// isLocal reports whether an open file is on a local disk or in memory. Other file systems may
// wait for a network or a program even for a known name.
func isLocal(fd int) bool {
	var fs unix.Statfs_t
	if unix.Fstatfs(fd, &fs) != nil {
		return false
	}
	switch int64(fs.Type) { //nolint:unconvert // 32 bits on some systems
	case unix.EXT4_SUPER_MAGIC, unix.XFS_SUPER_MAGIC, unix.BTRFS_SUPER_MAGIC, unix.TMPFS_MAGIC, unix.F2FS_SUPER_MAGIC, unix.OVERLAYFS_SUPER_MAGIC,
		unix.SQUASHFS_MAGIC, unix.EROFS_SUPER_MAGIC_V1, unix.RAMFS_MAGIC, zfsMagic, bcachefsMagic:
		return true
	}
	return false
}

const (
	zfsMagic      = 0x2fc12fc1
	bcachefsMagic = 0xca451a4e
)

// realName returns the path of an open file without links.
func realName(f *os.File) (string, bool) {
	name, err := os.Readlink("/proc/self/fd/" + strconv.Itoa(int(f.Fd())))
	return strings.TrimSuffix(name, " (deleted)"), err == nil
}

// identify returns the identity of this version of a file.
func identify(info os.FileInfo) identity {
	s, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return identity{}
	}
	return identity{dev: s.Dev, ino: s.Ino, size: s.Size, mtim: s.Mtim.Nano(), ctim: s.Ctim.Nano()}
}

// identityAt is identify for the file at path.
func identityAt(path string) (identity, bool) {
	var s unix.Stat_t
	for {
		err := unix.Stat(path, &s)
		if errors.Is(err, unix.EINTR) {
			continue
		}
		return identityOf(&s), err == nil
	}
}

func identityOf(s *unix.Stat_t) identity {
	return identity{dev: s.Dev, ino: s.Ino, size: s.Size, mtim: s.Mtim.Nano(), ctim: s.Ctim.Nano()}
}

// readHot reads a file from the page cache. It reports false if not all of it is there.
func readHot(f *os.File, p []byte) bool {
	n, err := unix.Preadv2(int(f.Fd()), [][]byte{p}, 0, unix.RWF_NOWAIT)
	return n == len(p) && err == nil
}
