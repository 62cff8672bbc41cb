package check

import (
	"fmt"
	"runtime"
)

// What a server needs besides its workers.
const (
	ownFiles    = 64 // listeners, logs, poller, timers
	ownThreads  = 16 // of the Go runtime
	pythonFiles = 16 // of a Python process: libraries, standard streams
	threadSpace = 8 << 20
)

// loops returns the number of event loops.
func loops() int { return max(1, runtime.GOMAXPROCS(0)/8) }

// limits compares the needs of the workers with the system's limits.
func (c *checker) limits(p Place) {
	l := c.m.Limits(p.As)
	processes, threads := int64(c.cfg.Processes), int64(c.cfg.Threads)
	if !c.cfg.HasApp() {
		return
	}
	where := c.where("processes", "")
	if threads > 1 {
		where = c.where("threads", "")
	}
	streams := int64(l.Loops) * processes * threads
	if need := ownFiles + streams; l.MostFiles >= 0 && l.MostFiles < need {
		c.tell(Error, Limited, where, fmt.Sprintf("%d processes with %d threads need %d open files, and the limit is %d: raise it (ulimit -n, LimitNOFILE=), or have fewer", processes, threads, need, l.MostFiles))
	} else if need := 128 + 2*streams; l.MostFiles >= 0 && l.MostFiles < 2*need {
		c.tell(Warning, Limited, where, fmt.Sprintf("%d processes with %d threads take %d open files during a reload, and the limit is %d, which leaves few for connections: raise it (ulimit -n, LimitNOFILE=)", processes, threads, need, l.MostFiles))
	}
	if need := pythonFiles + int64(l.Loops)*threads; l.Files >= 0 && l.Files < need {
		c.tell(Error, Limited, where, fmt.Sprintf("a worker with %d threads needs %d open files, and the limit is %d: raise it (ulimit -n, LimitNOFILE=)", threads, need, l.Files))
	}
	if need := ownThreads + 1 + processes*(threads+1); l.Processes >= 0 && l.Processes-l.Running < need {
		c.tell(Warning, Limited, where, fmt.Sprintf("the server needs %d processes and threads, and the limit of the user is %d, of which %d run: raise it (ulimit -u, LimitNPROC=), or some workers cannot be forked", need, l.Processes, l.Running))
	}
}

// space compares limit-as with the address space of the process that has imported the apps.
func (c *checker) space(taken int64) {
	limit := c.cfg.LimitAS
	if limit == 0 || taken == 0 {
		return
	}
	if need := taken + int64(c.cfg.Threads-1)*threadSpace; need > limit {
		c.at(Warning, Limited, "limit-as", fmt.Sprintf("the apps take %d MiB of address space once they are imported, with the stacks of %d threads %d MiB, and the limit is %d MiB: raise it", taken>>20, c.cfg.Threads, need>>20, limit>>20))
	}
}
