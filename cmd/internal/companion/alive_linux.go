package companion

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// alive reports whether a process exists and is no zombie. Nobody may reap a zombie while its
// starter lives.
func alive(pid int) bool {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil { // gone, or /proc is not there
		return syscall.Kill(pid, 0) != syscall.ESRCH
	}
	after := behindName(stat)
	return !bytes.HasPrefix(after, []byte(" Z")) && !bytes.HasPrefix(after, []byte(" X"))
}

// behindName returns what follows the name, which may hold anything, brackets too.
func behindName(stat []byte) []byte { return stat[bytes.LastIndexByte(stat, ')')+1:] }

// clockTick is USER_HZ, the unit of start times: 100 on every machine.
const clockTick = 10 * time.Millisecond

// birth returns when a process started, in nanoseconds since the machine did; 0 if unknown.
func birth(pid int) int64 {
	const startTime = 22 - 3 // by proc_pid_stat(5), of the fields behind the name
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	fields := bytes.Fields(behindName(stat))
	if err != nil || len(fields) <= startTime {
		return 0
	}
	ticks, err := strconv.ParseInt(string(fields[startTime]), 10, 64)
	if err != nil {
		return 0
	}
	return ticks * int64(clockTick)
}

// started returns the time of a birth, by the present time and what has passed since; zero if
// unknown.
func started(born int64) time.Time {
	var now unix.Timespec
	if born == 0 || unix.ClockGettime(unix.CLOCK_BOOTTIME, &now) != nil {
		return time.Time{}
	}
	return time.Now().Add(time.Duration(born - now.Nano()))
}
