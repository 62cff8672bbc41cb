package supervisor

import (
	"golang.org/x/sys/unix"

	"github.com/uwsgo/uwsgo/engine/worker/internal/proc"
)

// strays returns what the app has started so far in a process that is not to serve: the
// children of that and theirs, but not the workers that were forked by it. What has been
// left by its parent, as a daemon is, belongs to nobody any more and is not found.
func (f *fleet) strays(pid int) (list []int) {
	if pid <= 1 {
		return nil
	}
	workers := make(map[int]bool)
	for _, p := range f.places {
		workers[p.pid()] = true
	}
	f.g.backgrounds.pids(workers)
	children := proc.Tree()
	for open := []int{pid}; len(open) > 0; open = open[1:] {
		for _, child := range children[open[0]] {
			if !workers[child] {
				list, open = append(list, child), append(open, child)
			}
		}
	}
	return list
}

// straysOf returns the same of a zygote, unless that has exited: its id may be another's.
func (f *fleet) straysOf(z *generation) []int {
	if z.Exited() {
		return nil
	}
	return f.strays(z.PID)
}

// killStrays kills what strays has found. It comes after their parent has been told to
// end, so that that does not see it, and at once, as ids are used again.
func killStrays(list []int) {
	for _, pid := range list {
		_ = unix.Kill(pid, unix.SIGKILL)
	}
}

// abandon kills a zygote that has not got as far as to fork, and what the app has started
// in it.
func (f *fleet) abandon(z *generation) {
	list := f.straysOf(z)
	z.Kill()
	killStrays(list)
}
