//go:build !linux

package emperor

import (
	"errors"
	"syscall"
)

var errRights = errors.New("only Linux has capabilities: leave out uid, gid and cap, as vassals never run as root")

func keepRights() error { return errRights }

func limitRights() error { return errRights }

func killAs(int, int, syscall.Signal) error { return errRights }
