package policy

import "fmt"

// Health is whether a zygote responds. It counts looks, one a second, not time: while the whole
// server stands still there are none.
type Health struct {
	Owed     int    // answers to commands that have not come
	Stopped  int    // looks in a row at which the process was stopped
	quiet    int    // ... at which an answer was owed and it did nothing
	overdue  int    // ... at which an answer was owed
	idle     int    // ... at which none was
	retry    int    // looks until the next try to replace it
	progress string // the process's work up to the last look
	Stuck    string // why it counts as stuck; empty when it responds
	deaf     bool   // for good: what it says makes no sense
}

// How many looks it takes. A zygote that is swapped in, or forks on a busy machine, does some
// work or waits for a processor; neither counts as quiet.
const (
	stoppedLooks = 3
	quietLooks   = 10
	overdueLooks = 120
	pingLooks    = 5
	retryLooks   = 60
)

// Answered notes that an answer has come.
func (h *Health) Answered() {
	h.Owed = max(0, h.Owed-1)
	h.quiet, h.overdue = 0, 0
}

// Look notes what the process does. state is a letter as in /proc, 0 for none. It reports
// whether the process has begun or ceased to respond.
func (h *Health) Look(state byte, progress string) (changed bool) {
	if h.deaf {
		return false
	}
	was := h.Stuck
	if state == 'T' {
		h.Stopped++
	} else {
		h.Stopped = 0
	}
	if h.Owed > 0 {
		h.overdue++
	}
	if h.Owed > 0 && state != 'R' && progress == h.progress {
		h.quiet++
	} else {
		h.quiet = 0
	}
	h.progress = progress
	switch {
	case h.Stopped >= stoppedLooks:
		h.Stuck = "is stopped (SIGSTOP)"
	case h.quiet >= quietLooks && state != 'T', h.overdue >= overdueLooks:
		h.Stuck = fmt.Sprintf("has not answered for %d seconds", h.overdue)
	case h.Owed == 0 && h.Stopped == 0:
		h.Stuck = ""
	}
	if changed = (h.Stuck == "") != (was == ""); changed {
		h.retry = 0
	}
	return changed
}

// Ping reports whether to ping a responding zygote now.
func (h *Health) Ping() bool {
	h.idle++
	return h.Owed == 0 && h.idle%pingLooks == 0
}

// Distrust marks it as stuck for good: its reports are malformed. It reports whether it
// responded until then.
func (h *Health) Distrust(why string) (changed bool) {
	if changed = h.Stuck == ""; changed {
		h.retry = 0
	}
	h.deaf, h.Stuck = true, why
	return changed
}

// Replace reports whether to try to replace a stuck zygote now: at the first look, and then
// once in a while.
func (h *Health) Replace() bool {
	if h.retry--; h.retry > 0 {
		return false
	}
	h.retry = retryLooks
	return true
}
