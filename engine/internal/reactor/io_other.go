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

// WriteMore is Write when more output follows at once.
func WriteMore(fd int, p []byte) (int, error) { return Write(fd, p) }

// WritePair is Write of p and then q.
func WritePair(fd int, p, q []byte) (int, error) {
	n, err := Write(fd, p)
	if err != nil || n < len(p) {
		return n, err
	}
	more, err := Write(fd, q)
	if err != nil { // it shows again at the next write
		return n, nil
	}
	return n + more, nil
}

// Peek reads in the same way, and leaves the bytes in the socket.
func Peek(fd int, p []byte) (int, error) {
	n, _, err := unix.Recvfrom(fd, p, unix.MSG_PEEK)
	return n, err
}

// ResetsUnread says that a unix socket that is closed with input unread resets the
// connection. Other systems than Linux do not do that.
const ResetsUnread = false
