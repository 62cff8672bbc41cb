//go:build !linux

package proc

import (
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// Socketpair returns two connected unix sockets, closed on exec.
func Socketpair(typ int) (fds [2]int, err error) {
	syscall.ForkLock.RLock()
	defer syscall.ForkLock.RUnlock()
	fds, err = unix.Socketpair(unix.AF_UNIX, typ, 0)
	if err == nil {
		unix.CloseOnExec(fds[0])
		unix.CloseOnExec(fds[1])
	}
	return fds, os.NewSyscallError("socketpair", err)
}

// ChildAttr does nothing here. The zygote ends with its control socket, and the workers with their streams.
func ChildAttr() *syscall.SysProcAttr { return nil }

// GrowBuffer sets fd's socket buffers to size bytes, as far as the system allows.
func GrowBuffer(fd, size int) { _ = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_SNDBUF, size) }

// StackSignal is 0: there is none.
const StackSignal = 0

// SignalThread sends StackSignal to a thread of a worker.
func SignalThread(int, int) error { return syscall.ENOSYS }

// KernelState returns what a thread does in the kernel.
func KernelState(int, int) []string { return nil }

// Memory returns the resident and the virtual size of a process in bytes.
func Memory(int) (rss, vsz int64) { return 0, 0 }

// Tree returns the children of all processes.
func Tree() map[int][]int { return nil }

// State returns the state of a process and its work so far.
func State(int) (state byte, progress string) { return 0, "" }

// Descriptors returns how many descriptors a process has open, and its limit.
func Descriptors(int) (open int, limit string) { return 0, "not known" }

// HasQueue says that requests are datagrams on one socket that all workers receive from.
const HasQueue = false

// Queued reports whether something is left in the socket that fd sends to.
func Queued(int) bool { return false }

// Sealable returns nil: there is no such file.
func Sealable(string) *os.File { return nil }

// Seal is for what Sealable returns.
func Seal(*os.File) error { return nil }

// Sealed returns nil.
func Sealed(int) *os.File { return nil }
