package companion

import (
	"bytes"
	"fmt"
	"os"
	"syscall"
)

// alive reports whether a process exists and is no zombie, which nothing may reap while
// its starter lives.
func alive(pid int) bool {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil { // gone, or /proc is not there
		return syscall.Kill(pid, 0) != syscall.ESRCH
	}
	// The name before the state may hold anything, brackets too.
	after := stat[bytes.LastIndexByte(stat, ')')+1:]
	return !bytes.HasPrefix(after, []byte(" Z")) && !bytes.HasPrefix(after, []byte(" X"))
}
