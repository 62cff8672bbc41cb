package emperor

import (
	"syscall"
	"time"
)

func markOf(st *syscall.Stat_t) Mark {
	return Mark{Time: time.Unix(st.Mtim.Unix()), Dev: st.Dev, Ino: st.Ino}
}

// endWithEmperor has the kernel end a vassal that does not listen to its emperor yet.
func endWithEmperor(a *syscall.SysProcAttr) { a.Pdeathsig = syscall.SIGTERM }
