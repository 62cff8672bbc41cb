package command

import "syscall"

// endWithServer lets the kernel kill a command when the server dies.
func endWithServer(a *syscall.SysProcAttr) { a.Pdeathsig = syscall.SIGKILL }

// newPIDs makes the command the first process of a namespace of its own.
func newPIDs(a *syscall.SysProcAttr) { a.Cloneflags |= syscall.CLONE_NEWPID }
