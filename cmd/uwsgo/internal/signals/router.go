package signals

import (
	"fmt"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/fsnotify/fsnotify"

	"github.com/uwsgo/uwsgo/engine/worker/control"
)

// mostPending bounds the signals that wait for a worker. uWSGI's pipe has a bound, too.
const mostPending = 4096

// mostBeside bounds those that wait for one kind of process beside the workers, or for one
// of it: a mule that runs code of its own may never take any.
const mostBeside = 256

// again is how often waiting deliveries are offered again, in case a process has not heard of them.
const again = time.Second

// Router routes signals to the processes that handle them. Any goroutine may call it.
type Router struct {
	logf    func(format string, args ...any)
	workers int
	beside  map[string]int // how many processes beside the workers there are, by kind
	farms   []Farm
	wake    chan struct{} // holds a token when the next time to look may have changed

	mu          sync.Mutex
	now         func() time.Time
	generations map[int]*generation
	current     int // the generation that serves
	processes   map[*control.Peer]*process
	expected    map[int]bool // workers that have a process, or will have one again
	pending     []delivery
	last        int // id of the last delivery
	offered     time.Time
	full        time.Time // when the log said that too many wait
	taken       []uint64  // signals that each worker has handled
}

// generation is what one zygote, or its workers, have asked for.
type generation struct {
	targets map[byte]string
	sources []*source
	watcher *fsnotify.Watcher // of its files; nil without
}

// process is a process with a channel.
type process struct {
	serves  bool
	targets map[byte]string // registered by the worker itself
	asked   map[string]int  // how often it has asked for each source, by key
}

// delivery is a signal on its way to one process.
type delivery struct {
	id     int
	signal byte
	to     string // worker, mule or spooler for any of these; worker2, mule1; farm:NAME
}

// New returns a router for the workers, and registers its services.
func New(h *control.Hub, workers int, logf func(format string, args ...any)) *Router {
	r := &Router{
		logf: logf, workers: workers, beside: make(map[string]int), wake: make(chan struct{}, 1), now: time.Now,
		generations: make(map[int]*generation), processes: make(map[*control.Peer]*process),
		expected: make(map[int]bool), taken: make([]uint64, workers+1),
	}
	h.Observe(r)
	h.Handle("register signal", func(p *control.Peer, args []any) (any, error) {
		n, err := ints(args[:min(1, len(args))], 1)
		if err != nil {
			return nil, err
		}
		target, _ := args[1].(string)
		return nil, r.register(p, byte(n[0]), target)
	})
	h.Handle("send signal", func(p *control.Peer, args []any) (any, error) {
		n, err := ints(args, 1)
		if err == nil {
			r.Send(p.Generation, byte(n[0]))
		}
		return nil, err
	})
	h.Handle("take signal", func(p *control.Peer, args []any) (any, error) {
		n, err := ints(args, 1)
		return err == nil && r.take(p, n[0]), err
	})
	h.Handle("add timer", func(p *control.Peer, args []any) (any, error) {
		n, err := ints(args, 2)
		if err != nil {
			return nil, err
		}
		return nil, r.add(p, &source{kind: "timer", signal: byte(n[0]), every: time.Duration(n[1]) * time.Second})
	})
	h.Handle("add rb timer", func(p *control.Peer, args []any) (any, error) {
		n, err := ints(args, 3)
		if err != nil {
			return nil, err
		}
		return nil, r.add(p, &source{kind: "rb timer", signal: byte(n[0]), every: time.Duration(n[1]) * time.Second, left: max(n[2], 0)})
	})
	h.Handle("add cron", func(p *control.Peer, args []any) (any, error) {
		n, err := ints(args, 6)
		if err != nil {
			return nil, err
		}
		s := &source{kind: "cron", signal: byte(n[0])}
		s.at.Minute, s.at.Hour, s.at.Day, s.at.Month, s.at.Week = n[1], n[2], n[3], n[4], n[5]
		return nil, r.add(p, s)
	})
	h.Handle("add file monitor", func(p *control.Peer, args []any) (any, error) {
		n, err := ints(args[:min(1, len(args))], 1)
		if err != nil {
			return nil, err
		}
		path, _ := args[1].(string)
		if !filepath.IsAbs(path) {
			return nil, control.Refuse("unable to add file monitor: %q is no absolute path", path)
		}
		return nil, r.add(p, &source{kind: "file", signal: byte(n[0]), path: filepath.Clean(path)})
	})
	return r
}

// ints returns the arguments of a call as numbers.
func ints(args []any, count int) ([]int, error) {
	list := make([]int, 0, count)
	for _, a := range args {
		if n, ok := a.(int); ok {
			list = append(list, n)
		}
	}
	if len(list) != count || len(args) != count {
		return nil, control.Refuse("this takes %d numbers", count)
	}
	return list, nil
}

// Run sends what is due until done is closed.
func (r *Router) Run(done <-chan struct{}) {
	defer r.close()
	for {
		wait := time.NewTimer(r.Tick())
		select {
		case <-wait.C:
		case <-r.wake:
		case <-done:
			wait.Stop()
			return
		}
		wait.Stop()
	}
}

// Tick sends what is due, and returns the latest time for the next call.
func (r *Router) Tick() time.Duration {
	r.mu.Lock()
	defer r.mu.Unlock()
	now := r.now()
	next := now.Add(time.Hour)
	if g := r.generations[r.current]; g != nil {
		for _, s := range g.sources {
			if s.due(now) {
				r.send(r.current, s.signal)
			}
			if !s.next.IsZero() && s.next.Before(next) {
				next = s.next
			}
		}
	}
	if len(r.pending) > 0 {
		if now.Sub(r.offered) >= again {
			for p := range r.processes {
				r.offer(p)
			}
			r.offered = now
		}
		next = earlier(next, r.offered.Add(again))
	}
	return max(next.Sub(now), 0)
}

func earlier(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}

// Waiting returns how many signals no worker has taken yet.
func (r *Router) Waiting() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.pending)
}

// Taken returns how many signals a worker has handled.
func (r *Router) Taken(worker int) uint64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	if worker < 0 || worker >= len(r.taken) {
		return 0
	}
	return r.taken[worker]
}

// generation returns the generation of a process.
func (r *Router) generation(number int) *generation {
	g := r.generations[number]
	if g == nil {
		g = &generation{targets: make(map[byte]string)}
		r.generations[number] = g
	}
	return g
}

func (r *Router) process(p *control.Peer) *process {
	one := r.processes[p]
	if one == nil {
		one = &process{targets: make(map[byte]string), asked: make(map[string]int)}
		r.processes[p] = one
	}
	return one
}

func (r *Router) register(p *control.Peer, signal byte, target string) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	to, err := r.expand(target)
	if err != nil {
		return err
	}
	if kind := kindOf(target); kind != "worker" && len(to) == 0 {
		r.logf("*** WARNING: signal %d is for %s, and there is no such process: it is dropped whenever it is sent: add %s to the configuration ***", signal, target, kind)
	}
	if p.Zygote() {
		r.generation(p.Generation).targets[signal] = target
		return nil
	}
	one := r.process(p)
	one.targets[signal] = target
	if one.serves {
		r.offer(p)
	}
	return nil
}

func (r *Router) add(p *control.Peer, s *source) error {
	if s.every < 0 || s.kind != "cron" && s.kind != "file" && s.every == 0 {
		return control.Refuse("unable to add %s: it needs a second at least", s.kind)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	one, g, key := r.process(p), r.generation(p.Generation), s.key()
	same, kinds := 0, 0
	for _, other := range g.sources {
		if other.name == key {
			same++
		}
		if other.kind == s.kind {
			kinds++
		}
	}
	if one.asked[key] < same { // another process of this generation has asked for it
		one.asked[key]++
		return nil
	}
	if kinds >= most {
		return control.Refuse("unable to add %s: there are %d already", s.kind, most)
	}
	if s.kind == "file" {
		if err := r.watchFile(g, p.Generation, s); err != nil {
			return control.Refuse("unable to add file monitor: %v", err)
		}
	}
	one.asked[key]++
	s.name = key
	g.sources = append(g.sources, s)
	if p.Generation == r.current {
		s.begin(r.now())
		r.look()
	}
	return nil
}

// look makes Run look at the time again.
func (r *Router) look() {
	select {
	case r.wake <- struct{}{}:
	default:
	}
}

// watchFile watches the folder of a file, so that a new file in its place is seen, and the contents
// of a folder.
func (r *Router) watchFile(g *generation, number int, s *source) error {
	if g.watcher == nil {
		w, err := fsnotify.NewWatcher()
		if err != nil {
			return err
		}
		g.watcher = w
		go r.followFiles(w, number)
	}
	if err := g.watcher.Add(filepath.Dir(s.path)); err != nil {
		return err
	}
	_ = g.watcher.Add(s.path) // if it is a folder
	return nil
}

func (r *Router) followFiles(w *fsnotify.Watcher, number int) {
	for {
		select {
		case ev, ok := <-w.Events:
			if !ok {
				return
			}
			r.changed(number, filepath.Clean(ev.Name))
		case err, ok := <-w.Errors:
			if !ok {
				return
			}
			r.logf("*** WARNING: file monitors: %v ***", err)
		}
	}
}

// changed notes an event of a file.
func (r *Router) changed(number int, path string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if number != r.current {
		return
	}
	for _, s := range r.generations[number].sources {
		if s.kind == "file" && s.next.IsZero() && (s.path == path || s.path == filepath.Dir(path)) {
			s.next = r.now().Add(settled)
			r.look()
		}
	}
}

// Send sends a signal on behalf of a process of a generation.
func (r *Router) Send(generation int, signal byte) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.send(generation, signal)
	r.look()
}

// SendNow sends a signal for the code that serves.
func (r *Router) SendNow(signal byte) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.send(r.current, signal)
	r.look()
}

func (r *Router) send(number int, signal byte) {
	target, known := r.target(number, signal)
	if !known {
		r.logf("signal %d is not registered by any process: it is dropped", signal)
		return
	}
	to, _ := r.expand(target)
	if kindOf(target) != "worker" {
		to = slices.DeleteFunc(to, r.tooMany)
	}
	if len(r.pending)+len(to) > mostPending {
		if now := r.now(); now.Sub(r.full) > 10*time.Second {
			r.full = now
			r.logf("*** SIGNAL QUEUE IS FULL: %d signals wait for workers that do not take them; what comes is dropped ***", len(r.pending))
		}
		return
	}
	if len(r.pending) == 0 {
		r.offered = r.now()
	}
	for _, one := range to {
		r.last++
		d := delivery{r.last, signal, one}
		r.pending = append(r.pending, d)
		for p, one := range r.processes {
			if one.serves && r.fits(p, d) {
				_ = p.Tell("signal", d.id, int(signal))
			}
		}
	}
}

// target returns where a signal goes. The imported code decides, else a worker.
func (r *Router) target(number int, signal byte) (string, bool) {
	if g := r.generations[number]; g != nil {
		if target, ok := g.targets[signal]; ok {
			return target, true
		}
	}
	for p, one := range r.processes {
		if target, ok := one.targets[signal]; ok && p.Generation == number {
			return target, true
		}
	}
	return "", false
}

// fits reports whether a process may have a delivery.
func (r *Router) fits(p *control.Peer, d delivery) bool {
	if !r.meant(p, d.to) {
		return false
	}
	if _, ok := r.processes[p].targets[d.signal]; ok {
		return true
	}
	g := r.generations[p.Generation]
	if g == nil {
		return false
	}
	_, ok := g.targets[d.signal]
	return ok
}

// offer offers a process all deliveries that it may have.
func (r *Router) offer(p *control.Peer) {
	if one := r.processes[p]; !one.serves {
		return
	}
	for _, d := range r.pending {
		if r.fits(p, d) {
			_ = p.Tell("signal", d.id, int(d.signal))
		}
	}
}

// take gives a delivery to a process, if it is still there.
func (r *Router) take(p *control.Peer, id int) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	one := r.processes[p]
	i := slices.IndexFunc(r.pending, func(d delivery) bool { return d.id == id })
	if i < 0 || one == nil || !one.serves || !r.fits(p, r.pending[i]) {
		return false
	}
	r.pending = slices.Delete(r.pending, i, i+1)
	if p.Worker > 0 && p.Worker < len(r.taken) {
		r.taken[p.Worker]++
	}
	return true
}

// Serving implements control.Observer.
func (r *Router) Serving(p *control.Peer) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !p.Zygote() {
		r.process(p).serves = true
		if p.Worker > 0 {
			r.expected[p.Worker] = true
		}
		r.offer(p)
		return
	}
	before, now := r.generations[r.current], r.now()
	r.current = p.Generation
	g := r.generation(p.Generation)
	for _, s := range g.sources {
		s.begin(now)
		if before == nil || s.left > 0 {
			continue
		}
		for i, old := range before.sources { // equal ones go on
			if old.name == s.name {
				s.next = old.next
				before.sources = slices.Delete(before.sources, i, i+1)
				break
			}
		}
	}
	for number, old := range r.generations {
		if number < p.Generation {
			old.stop()
		}
	}
	r.pending = slices.DeleteFunc(r.pending, func(d delivery) bool {
		_, known := r.target(p.Generation, d.signal)
		return !known
	})
	r.look()
}

// Retiring implements control.Observer.
func (r *Router) Retiring(p *control.Peer) {
	r.mu.Lock()
	defer r.mu.Unlock()
	one := r.processes[p]
	if one == nil {
		return
	}
	one.serves = false
	if p.Worker == 0 {
		return // its successor comes
	}
	for other, o := range r.processes {
		if o.serves && other.Worker == p.Worker {
			return
		}
	}
	// No worker follows it: there are too many.
	delete(r.expected, p.Worker)
	r.pending = slices.DeleteFunc(r.pending, func(d delivery) bool { return d.to == fmt.Sprint("worker", p.Worker) })
}

// Exited implements control.Observer.
func (r *Router) Exited(p *control.Peer) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.processes, p)
	if p.Zygote() && p.Generation != r.current {
		if g := r.generations[p.Generation]; g != nil {
			g.stop()
			delete(r.generations, p.Generation)
		}
	}
}

// stop ends everything that a generation has asked for.
func (g *generation) stop() {
	g.sources = nil
	if g.watcher != nil {
		_ = g.watcher.Close()
		g.watcher = nil
	}
}

func (r *Router) close() {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, g := range r.generations {
		g.stop()
	}
}
