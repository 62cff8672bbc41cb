package worker

// flow tells how long a request that comes now will wait, from how fast requests
// have been answered since they began to wait. It belongs to a Port, which has one
// for each lane.
type flow struct {
	servers int   // threads that the requests can count on
	active  int   // requests begun and not ended
	each    int64 // nanoseconds from one answer to the next, lately; 0: not known
	since   int64 // when passed was 0
	passed  int   // answers since then
}

// flowWindow is how many answers make one measurement.
const flowWindow = 16

func (f *flow) begin(now int64) {
	if f.active++; f.active == f.servers+1 {
		f.since, f.passed, f.each = now, 0, 0 // what was before says nothing
	}
}

// resize notes that there are more or fewer threads; earlier counts say nothing.
func (f *flow) resize(servers int, now int64) {
	f.servers = servers
	f.since, f.passed, f.each = now, 0, 0
}

// end notes the end of a request, and whether it was answered by a worker.
func (f *flow) end(now int64, answered bool) {
	if answered && f.active > f.servers {
		if f.passed++; f.passed == flowWindow {
			f.each = max(1, (now-f.since)/flowWindow)
			f.since, f.passed = now, 0
		}
	}
	f.active--
}

// expect returns how many nanoseconds a request that begins now will wait.
func (f *flow) expect(now int64) int64 {
	ahead := int64(f.active - f.servers)
	if ahead < 0 {
		return 0
	}
	each := f.each
	// A measurement that is overdue says more than the last one. All threads may be
	// about to answer at once, so as many answers are taken to have come.
	if elapsed := now - f.since; elapsed > each*flowWindow {
		each = max(each, elapsed/int64(f.passed+f.servers))
	}
	return ahead * each
}
