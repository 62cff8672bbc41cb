//go:build !linux

package load

import (
	"errors"
	"runtime"
)

func runLoops(any, Options, []wire) ([]*tally, error) {
	return nil, errors.New("load: the generator needs epoll, which " + runtime.GOOS + " does not have: run it on Linux")
}

// enoughDescriptors cannot tell here.
func enoughDescriptors(int) error { return nil }
