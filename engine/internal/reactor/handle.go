package reactor

// Handle is what others than the engine may do with a loop: know which one it is, what time it
// has, and have it run a function. What attaches descriptors and timers needs the [Loop].
type Handle struct{ loop *Loop }

// Of returns the loop behind a handle.
func Of(h *Handle) *Loop { return h.loop }

// Handle returns that of the loop, always the same. Any goroutine.
func (l *Loop) Handle() *Handle { return &l.handle }

// Index returns the number of the loop among those of its server, from 0. Any goroutine.
func (h *Handle) Index() int { return h.loop.Index() }

// Now returns nanoseconds on the monotonic clock of all loops, as of the event that is being
// handled. The loop's own goroutine calls it.
func (h *Handle) Now() int64 { return h.loop.Now() }

// Post has the loop run fn soon, after what has been posted before. It never waits. Its error
// says that the loop has stopped and that fn will not run. Any goroutine.
func (h *Handle) Post(fn func()) error { return h.loop.Post(fn) }

// Wakeups returns how often the loop has handled an event. Any goroutine.
func (h *Handle) Wakeups() uint64 { return h.loop.Wakeups() }
