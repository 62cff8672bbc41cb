// Package proc has the parts that differ between systems: sockets for children, and facts about
// processes.
package proc

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// Socketpair returns two connected unix sockets, closed on exec.
func Socketpair(typ int) (fds [2]int, err error) {
	fds, err = unix.Socketpair(unix.AF_UNIX, typ|unix.SOCK_CLOEXEC, 0)
	return fds, os.NewSyscallError("socketpair", err)
}

// ChildAttr makes the kernel kill a child, the zygote, when the server dies. The signal comes
// when the starting thread ends, so keep that thread.
func ChildAttr() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
}

// StackSignal makes a worker thread write its Python stack. It is a real-time signal, because
// apps use SIGUSR1 and SIGUSR2. 0 means none.
const StackSignal = 62

// SignalThread sends StackSignal to a thread of a worker. It could hit another process only if
// that has just got both ids.
func SignalThread(pid, tid int) error { return unix.Tgkill(pid, tid, unix.Signal(StackSignal)) }

// KernelState returns what a thread does in the kernel, in uWSGI's words.
func KernelState(pid, tid int) (lines []string) {
	for _, name := range []string{"syscall", "wchan"} {
		if b, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%d/%s", pid, tid, name)); err == nil {
			lines = append(lines, name+"> "+strings.TrimSpace(string(b)))
		}
	}
	return lines
}

// GrowBuffer sets fd's socket buffers to size bytes, as far as the system allows.
func GrowBuffer(fd, size int) {
	if unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_SNDBUFFORCE, size) != nil {
		_ = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_SNDBUF, size)
	}
}

// Memory returns the resident and the virtual size of a process in bytes.
func Memory(pid int) (rss, vsz int64) {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/statm", pid))
	if err != nil {
		return 0, 0
	}
	_, _ = fmt.Sscan(string(b), &vsz, &rss)
	page := int64(os.Getpagesize())
	return rss * page, vsz * page
}

// Descriptors returns how many descriptors a process has open, and its limit.
func Descriptors(pid int) (open int, limit string) {
	entries, _ := os.ReadDir(fmt.Sprintf("/proc/%d/fd", pid))
	limits, _ := os.ReadFile(fmt.Sprintf("/proc/%d/limits", pid))
	for line := range strings.Lines(string(limits)) {
		if rest, ok := strings.CutPrefix(line, "Max open files"); ok {
			limit, _, _ = strings.Cut(strings.TrimSpace(rest), " ")
		}
	}
	return len(entries), limit
}

// Tree returns the children of all processes.
func Tree() map[int][]int {
	children := make(map[int][]int)
	paths, _ := filepath.Glob("/proc/[0-9]*/stat")
	for _, path := range paths {
		b, _ := os.ReadFile(path)
		fields := strings.Fields(string(b[bytes.LastIndexByte(b, ')')+1:]))
		pid, err := strconv.Atoi(filepath.Base(filepath.Dir(path)))
		if err != nil || len(fields) < 2 {
			continue
		}
		if parent, err := strconv.Atoi(fields[1]); err == nil {
			children[parent] = append(children[parent], pid)
		}
	}
	return children
}

// State returns the state of a process as ps shows it, X for one that has exited, and its work
// so far: processor time and page faults.
func State(pid int) (state byte, progress string) {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil && unix.Kill(pid, 0) == unix.ESRCH {
		return 'X', ""
	}
	// The name before the state may hold anything, brackets too.
	fields := strings.Fields(string(b[bytes.LastIndexByte(b, ')')+1:]))
	if len(fields) < 13 {
		return 0, ""
	}
	return fields[0][0], fmt.Sprint(fields[7], fields[9], fields[11], fields[12])
}

// HasQueue says whether all workers can receive requests as datagrams from one socket with an
// end: SOCK_SEQPACKET. Only Linux's is tested.
const HasQueue = true

// Queued reports whether something is left in the socket that fd sends to.
func Queued(fd int) bool {
	n, err := unix.IoctlGetInt(fd, unix.SIOCOUTQ)
	return err != nil || n > 0
}

// Sealable returns a file in memory for [Seal], nil where there is none.
func Sealable(name string) *os.File {
	fd, err := unix.MemfdCreate(name, unix.MFD_CLOEXEC|unix.MFD_ALLOW_SEALING)
	if err != nil {
		return nil
	}
	return os.NewFile(uintptr(fd), name)
}

// Seal has nobody change a file of [Sealable] any more, whoever has it.
func Seal(f *os.File) error {
	const all = unix.F_SEAL_WRITE | unix.F_SEAL_SHRINK | unix.F_SEAL_GROW | unix.F_SEAL_SEAL
	_, err := unix.FcntlInt(f.Fd(), unix.F_ADD_SEALS, all)
	return os.NewSyscallError("F_ADD_SEALS", err)
}

// Sealed returns the file of [Seal] that a descriptor is of, nil if it is none.
func Sealed(fd int) *os.File {
	if seals, err := unix.FcntlInt(uintptr(fd), unix.F_GET_SEALS, 0); err != nil || seals&unix.F_SEAL_WRITE == 0 {
		return nil
	}
	unix.CloseOnExec(fd)
	return os.NewFile(uintptr(fd), "sealed")
}
