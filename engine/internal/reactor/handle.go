package reactor

// Handle is the part of a loop that embedders may use: its number, its clock and Post. Code
// that attaches descriptors and timers needs the [Loop].
type Handle struct{ loop *Loop }

// Of returns the loop behind a handle.
func Of(h *Handle) *Loop { return h.loop }

// Handle returns the loop's handle, always the same. Any goroutine.
func (l *Loop) Handle() *Handle { return &l.handle }

// Index returns the number of the loop among those of its server, from 0. Any goroutine.
func (h *Handle) Index() int { return h.loop.Index() }

// Now returns nanoseconds on the monotonic clock of all loops, as of the present event. Only
// the loop's goroutine calls it.
func (h *Handle) Now() int64 { return h.loop.Now() }

// Post runs fn on the loop, after all functions posted before. It never waits. It returns an
// error when the loop has stopped; fn never runs then. Any goroutine.
func (h *Handle) Post(fn func()) error { return h.loop.Post(fn) }

// Wakeups returns how often the loop has handled an event. Any goroutine.
func (h *Handle) Wakeups() uint64 { return h.loop.Wakeups() }
