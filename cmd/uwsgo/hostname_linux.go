package main

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// setHostname names the machine, or the container that has a name of its own.
func setHostname(name string) error {
	if err := unix.Sethostname([]byte(name)); err != nil {
		return fmt.Errorf("hostname: %w", err)
	}
	return nil
}
