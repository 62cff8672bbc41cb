//go:build !linux

package shared

import (
	"os"
	"runtime"

	"golang.org/x/sys/unix"
)

func memoryFile() (*os.File, error) {
	f, err := os.CreateTemp("", "uwsgo-shared-")
	if err != nil {
		return nil, err
	}
	return f, os.Remove(f.Name())
}

// Monotonic returns the clock that Python's time.monotonic_ns reads.
func Monotonic() int64 {
	clock := int32(unix.CLOCK_MONOTONIC)
	if runtime.GOOS == "darwin" {
		clock = 8 // CLOCK_UPTIME_RAW, which is mach_absolute_time
	}
	var ts unix.Timespec
	_ = unix.ClockGettime(clock, &ts)
	return ts.Nano()
}

// inMemory says that what memoryFile makes never goes to a disk.
const inMemory = false

func keepSize(*os.File) {}

func giveBack([]byte) {}
