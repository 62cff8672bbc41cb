package supervisor

import (
	"golang.org/x/sys/unix"

	"github.com/uwsgo/uwsgo/engine/worker/internal/proc"
)

// strays returns the processes that the app has started in a process that will not serve: its
// descendants, except for workers that it forked. It does not find daemons, because they have
// left their parent.
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

// straysOf returns the strays of a zygote that has not exited. After its exit its id may be
// another's.
func (f *fleet) straysOf(z *generation) []int {
	if z.Exited() {
		return nil
	}
	return f.strays(z.PID)
}

// killStrays kills the strays. Call it right after their parent was told to exit: so the parent
// does not see it, and the ids are still theirs.
func killStrays(list []int) {
	for _, pid := range list {
		_ = unix.Kill(pid, unix.SIGKILL)
	}
}

// abandon kills a zygote that does not fork yet, and the app's processes in it.
func (f *fleet) abandon(z *generation) {
	list := f.straysOf(z)
	z.Kill()
	killStrays(list)
}
