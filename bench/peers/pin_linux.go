package peers

import (
	"fmt"
	"os/exec"
	"runtime"

	"golang.org/x/sys/unix"
)

// startPinned starts a command on some processors. Its children inherit them, so
// the thread that forks takes them for a moment; nothing runs elsewhere first.
func startPinned(cmd *exec.Cmd, processors []int) error {
	if len(processors) == 0 {
		return cmd.Start()
	}
	runtime.LockOSThread()
	var before, set unix.CPUSet
	if err := unix.SchedGetaffinity(0, &before); err != nil {
		runtime.UnlockOSThread()
		return fmt.Errorf("asking for the processors of a thread: %w", err)
	}
	for _, processor := range processors {
		set.Set(processor)
	}
	if err := unix.SchedSetaffinity(0, &set); err != nil {
		runtime.UnlockOSThread()
		return fmt.Errorf("pinning the server to the processors %v: %w", processors, err)
	}
	started := cmd.Start()
	if err := unix.SchedSetaffinity(0, &before); err != nil {
		// The thread stays locked and so ends with its goroutine, as it is of no
		// use to others.
		return fmt.Errorf("giving a thread its processors back: %w", err)
	}
	runtime.UnlockOSThread()
	return started
}
