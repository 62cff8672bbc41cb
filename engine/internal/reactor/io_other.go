//go:build !linux

package reactor

import (
	"time"

	"golang.org/x/sys/unix"
)

// pause sleeps for ns nanoseconds.
func pause(ns int64) { time.Sleep(time.Duration(ns)) }

// Read reads from a non-blocking descriptor.
func Read(fd int, p []byte) (int, error) { return unix.Read(fd, p) }

// Write writes to a non-blocking descriptor.
func Write(fd int, p []byte) (int, error) { return unix.Write(fd, p) }
