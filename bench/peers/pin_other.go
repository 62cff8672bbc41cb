//go:build !linux

package peers

import (
	"errors"
	"os/exec"
)

// startPinned starts a command. Pinning is for Linux.
func startPinned(cmd *exec.Cmd, processors []int) error {
	if len(processors) > 0 {
		return errors.New("servers can be pinned to processors on Linux only")
	}
	return cmd.Start()
}
