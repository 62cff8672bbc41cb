package command

import "syscall"

// endWithServer has the kernel kill a command when the server dies.
func endWithServer(a *syscall.SysProcAttr) { a.Pdeathsig = syscall.SIGKILL }
