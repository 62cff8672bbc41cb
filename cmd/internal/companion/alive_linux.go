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

// alive reports whether a process exists and is no zombie, which nothing may reap while
// its starter lives.
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

// clockTick is what starts of processes are told in: USER_HZ, 100 on every machine.
const clockTick = 10 * time.Millisecond

// started returns when a process was started, by the present time and the time that
// has passed since; zero where that is not known.
func started(pid int) time.Time {
	const startTime = 22 - 3 // by proc_pid_stat(5), of the fields behind the name
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	fields := bytes.Fields(behindName(stat))
	if err != nil || len(fields) <= startTime {
		return time.Time{}
	}
	ticks, err := strconv.ParseInt(string(fields[startTime]), 10, 64)
	var now unix.Timespec
	if err != nil || unix.ClockGettime(unix.CLOCK_BOOTTIME, &now) != nil {
		return time.Time{}
	}
	return time.Now().Add(time.Duration(ticks)*clockTick - time.Duration(now.Nano()))
}
