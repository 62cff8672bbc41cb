package emperor

import (
	"fmt"
	"syscall"

	"golang.org/x/sys/unix"
)

// keepRights has the calling thread keep what root may do when the process gives up root.
func keepRights() error {
	if err := unix.Prctl(unix.PR_SET_KEEPCAPS, 1, 0, 0, 0); err != nil {
		return fmt.Errorf("cannot keep capabilities: %w", err)
	}
	return nil
}

// limitRights leaves the calling thread no more than the right to become another user. What
// it executes has none: capabilities of a user other than root end there.
func limitRights() error {
	head := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	const rights = 1<<unix.CAP_SETUID | 1<<unix.CAP_SETGID
	var data [2]unix.CapUserData // what has numbers from 32 on is in the second
	data[0].Permitted, data[0].Effective = rights, rights
	if err := unix.Capset(&head, &data[0]); err != nil {
		return fmt.Errorf("cannot keep the capabilities setuid and setgid: %w: start it with these, or leave out uid, gid and cap", err)
	}
	return nil
}

// killAs sends a signal to a group of processes as their user, which the calling thread becomes
// meanwhile, and no other.
func killAs(uid, pgid int, sig syscall.Signal) error {
	const same = ^uintptr(0)
	own := unix.Geteuid()
	if _, _, err := unix.RawSyscall(unix.SYS_SETRESUID, same, uintptr(uid), same); err != 0 {
		return err
	}
	err := unix.Kill(-pgid, sig)
	if _, _, back := unix.RawSyscall(unix.SYS_SETRESUID, same, uintptr(own), same); back != 0 {
		return back
	}
	return err
}
