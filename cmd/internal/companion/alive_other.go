//go:build !linux

package companion

import (
	"syscall"
	"time"
)

// alive reports whether a process exists.
func alive(pid int) bool { return syscall.Kill(pid, 0) != syscall.ESRCH }

// birth says that it is not known when a process was started.
func birth(int) int64 { return 0 }

func started(int64) time.Time { return time.Time{} }
