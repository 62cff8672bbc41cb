package worker

import "golang.org/x/sys/unix"

// strays returns what the app has started so far in a process that is not to serve: the
// children of that and theirs, but not the workers that were forked by it. What has been
// left by its parent, as a daemon is, belongs to nobody any more and is not found.
func (g *supervisor) strays(pid int) (list []int) {
	if pid <= 1 {
		return nil
	}
	workers := make(map[int]bool)
	for _, p := range g.places {
		workers[int(p.pid.Load())] = true
	}
	children := processTree()
	for open := []int{pid}; len(open) > 0; open = open[1:] {
		for _, child := range children[open[0]] {
			if !workers[child] {
				list, open = append(list, child), append(open, child)
			}
		}
	}
	return list
}

// straysOf returns the same of a zygote, unless that has ended: its id may be another's.
func (g *supervisor) straysOf(z *zygote) []int {
	select {
	case <-z.ended:
		return nil
	default:
		return g.strays(z.pid)
	}
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
func (g *supervisor) abandon(z *zygote) {
	list := g.straysOf(z)
	z.kill()
	killStrays(list)
}
