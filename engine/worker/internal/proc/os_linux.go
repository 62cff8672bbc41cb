// Package proc is what each system does in its own way: sockets for children, and what can
// be known of processes.
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

// ChildAttr has the kernel kill a child, the zygote, when the server dies. The signal comes
// when the thread that started the process ends, so that thread must be kept.
func ChildAttr() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
}

// StackSignal has a worker thread write its Python stack: a real-time signal, as
// apps have uses of their own for SIGUSR1 and SIGUSR2. 0 where there is none.
const StackSignal = 62

// SignalThread sends StackSignal to a thread of a worker. That the process still is
// the one that was meant is sure but for a process that took both ids just now.
func SignalThread(pid, tid int) error { return unix.Tgkill(pid, tid, unix.Signal(StackSignal)) }

// KernelState says what a thread is doing in the kernel, in uWSGI's words.
func KernelState(pid, tid int) (lines []string) {
	for _, name := range []string{"syscall", "wchan"} {
		if b, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%d/%s", pid, tid, name)); err == nil {
			lines = append(lines, name+"> "+strings.TrimSpace(string(b)))
		}
	}
	return lines
}

// GrowBuffer lets fd have size bytes under way, as far as the system allows.
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

// Descriptors returns how many a process has open, and how many it may have.
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

// State returns the state of a process as ps shows it, X for one that is gone, and
// what it has done so far: processor time and page faults.
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

// HasQueue says whether requests can be datagrams on a socket that all workers
// receive from and that ends: SOCK_SEQPACKET, of which only Linux's is tested.
const HasQueue = true

// Queued reports whether something is left in the socket that fd sends to.
func Queued(fd int) bool {
	n, err := unix.IoctlGetInt(fd, unix.SIOCOUTQ)
	return err != nil || n > 0
}
