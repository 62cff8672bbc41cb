//go:build !linux

package worker

import (
	"os"
	"runtime"
	"syscall"

	"golang.org/x/sys/unix"
)

const hasQueue = false

func memoryFile() (*os.File, error) {
	f, err := os.CreateTemp("", "uwsgo-shared-")
	if err != nil {
		return nil, err
	}
	return f, os.Remove(f.Name())
}

func socketpair(typ int) (fds [2]int, err error) {
	syscall.ForkLock.RLock()
	defer syscall.ForkLock.RUnlock()
	fds, err = unix.Socketpair(unix.AF_UNIX, typ, 0)
	if err == nil {
		unix.CloseOnExec(fds[0])
		unix.CloseOnExec(fds[1])
	}
	return fds, os.NewSyscallError("socketpair", err)
}

// The zygote ends with its control socket, and the workers with their streams.
func zygoteAttr() *syscall.SysProcAttr { return nil }

func queued(int) bool { return false }

// monotonic returns the clock that Python's time.monotonic_ns reads.
func monotonic() int64 {
	clock := int32(unix.CLOCK_MONOTONIC)
	if runtime.GOOS == "darwin" {
		clock = 8 // CLOCK_UPTIME_RAW, which is mach_absolute_time
	}
	var ts unix.Timespec
	_ = unix.ClockGettime(clock, &ts)
	return ts.Nano()
}

func growBuffer(fd, size int) { _ = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_SNDBUF, size) }

const stackSignal = 0

func signalThread(int, int) error { return syscall.ENOSYS }

func kernelState(int, int) []string { return nil }

func memory(int) (rss, vsz int64) { return 0, 0 }

const recvCloexec = 0

func processTree() map[int][]int { return nil }

func processState(int) (state byte, progress string) { return 0, "" }

// descriptors returns how many a process has open, and how many it may have.
func descriptors(int) (open int, limit string) { return 0, "not known" }
