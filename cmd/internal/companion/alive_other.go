//go:build !linux

package companion

import (
	"syscall"
	"time"
)

// alive reports whether a process exists.
func alive(pid int) bool { return syscall.Kill(pid, 0) != syscall.ESRCH }

// birth returns 0: unknown.
func birth(int) int64 { return 0 }

func started(int64) time.Time { return time.Time{} }
