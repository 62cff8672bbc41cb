//go:build !linux

package emperor

import (
	"syscall"
	"time"
)

func markOf(st *syscall.Stat_t) Mark {
	return Mark{Time: time.Unix(st.Mtimespec.Unix()), Dev: uint64(st.Dev), Ino: st.Ino}
}

func endWithEmperor(*syscall.SysProcAttr) {}
