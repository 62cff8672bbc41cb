package worker

// flow predicts how long a new request waits, from the rate of answers since requests began to
// wait. It belongs to a Port, which has one for each lane.
type flow struct {
	servers int   // threads that serve these requests
	active  int   // requests begun and not ended
	each    int64 // recent nanoseconds from one answer to the next; 0 for unknown
	since   int64 // when passed was 0
	passed  int   // answers since then
}

// flowWindow is how many answers make one measurement.
const flowWindow = 16

func (f *flow) begin(now int64) {
	if f.active++; f.active == f.servers+1 {
		f.since, f.passed, f.each = now, 0, 0 // earlier counts say nothing
	}
}

// resize notes that there are more or fewer threads; earlier counts say nothing.
func (f *flow) resize(servers int, now int64) {
	f.servers = servers
	f.since, f.passed, f.each = now, 0, 0
}

// uncount counts one request less. answered says that a worker answered it.
func (f *flow) uncount(now int64, answered bool) {
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
