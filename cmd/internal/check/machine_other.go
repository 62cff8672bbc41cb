//go:build !linux

package check

import (
	"golang.org/x/sys/unix"

	"github.com/uwsgo/uwsgo/cmd/internal/privilege"
)

// accessAs only reports whether the file exists: a process cannot ask for another user.
func accessAs(_ privilege.Identity, name string, _ uint32) error {
	return unix.Access(name, unix.F_OK)
}

func processLimit() int64 { return -1 }
