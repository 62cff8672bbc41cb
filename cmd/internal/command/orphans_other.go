//go:build !linux

package command

import "syscall"

// endWithServer does nothing where the kernel has no such service.
func endWithServer(*syscall.SysProcAttr) {}

func newPIDs(*syscall.SysProcAttr) {}
