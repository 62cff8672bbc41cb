package worker

import "time"

// pace decides whether the loop may gather answers (see reactor.Loop.Gather). While requests
// wait for workers, delaying an answer by a fraction of a millisecond leaves nobody idle.
// Waking the loop for each answer costs more than the answer: with a Flask hello world the
// whole server used 8 % more CPU. It belongs to its Port.
type pace struct {
	answers int
	since   int64 // when answers was 0, on the loop's clock
	each    int64 // nanoseconds from one answer to the next, lately
}

// What pace goes by. Below fastest the loop has many answers at a time anyway, and
// above slowest wake-ups are too few to matter.
const (
	paceWindow  = 32
	paceFastest = int64(25 * time.Microsecond)
	paceSlowest = int64(500 * time.Microsecond)
	gatherLeast = int64(60 * time.Microsecond) // less is not worth a sleep
	gatherMost  = int64(300 * time.Microsecond)
)

// answered counts an answer.
func (p *pace) answered(now int64) {
	if p.answers++; p.answers == paceWindow {
		p.each = (now - p.since) / paceWindow
		p.answers, p.since = 0, now
	}
}

// gather returns how long to gather while that many requests wait for a worker: at most a
// quarter of the time that they keep the workers busy.
func (p *pace) gather(waiting int) time.Duration {
	if waiting <= 0 || p.each < paceFastest || p.each > paceSlowest {
		return 0
	}
	d := min(int64(waiting)*p.each/4, gatherMost)
	if d < gatherLeast {
		return 0
	}
	return time.Duration(d)
}
