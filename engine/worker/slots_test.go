package worker

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"syscall"
	"testing"
)

// hubApp has its process serve by the hub of shim/tests/hub.py, in place of threads.
const hubApp = `
import os, sys, time

shim = sys.modules["_uwsgo"]
CLAIM, SLOTS = 64, 1 << 16

def prepare(config, place, number, fds, memory, apps, held):
    loops, slots = config["loops"], config["slots"]
    cancelled = [memory[at : at + SLOTS] for at in range(config["cancel_at"], config["cancel_at"] + loops * SLOTS, SLOTS)]
    ports = [shim.port.Port(fd, c) for fd, c in zip(fds, cancelled)]
    claims = [memory[at : at + 40].cast("Q") for at in range(place * slots * CLAIM, (place + 1) * slots * CLAIM, CLAIM)]
    queue = shim.worker.Queue(config["queue"]).sock
    shim.forked.serve(*(p.sock for p in ports), queue)
    hub = Hub(shim, queue, ports, claims, apps, {})

    def go():
        held.give_back()
        for claim in claims:
            claim[3] = shim.own.thread.get_native_id()
        hub.run()

    return go

shim.worker.prepare = prepare

def application(environ, start_response):
    path = environ["PATH_INFO"]
    if path == "/fail":
        raise ValueError("as asked")
    start_response("200 OK", [("X-Pid", str(os.getpid()))])
    if path == "/hello":
        return [b"hello"]
    if path == "/large":
        return (b"l" * 65536 for _ in range(int(environ["HTTP_N"])))
    return slow(environ["HTTP_X"])

def slow(go):
    yield b"first "
    while not os.path.exists(go):
        time.sleep(0.001)
        yield b""
    yield b"last"
`

func hub(t *testing.T) App {
	t.Helper()
	text, err := os.ReadFile("shim/tests/hub.py")
	if err != nil {
		t.Fatal(err)
	}
	return app(t, string(text)+hubApp)
}

// One thread has several requests at a time: their answers take turns on its stream, and
// each has its own credit, claim and end.
func TestSlots(t *testing.T) {
	const slots = 8
	r := start(t, Config{Apps: []App{hub(t)}, Slots: slots}, 2)
	if n := len(r.pool.Snapshot().Workers[0].Cores); n != slots {
		t.Errorf("the worker has %d cores, not %d", n, slots)
	}
	dir := t.TempDir()
	gate := func(i int) string { return fmt.Sprintf("%s/%d", dir, i) }
	slow := func(n int) (all []*call) {
		for i := range n {
			all = append(all, r.send(&call{loop: i % 2, path: "/slow", vars: map[string]string{"HTTP_X": gate(i)}}))
		}
		for _, c := range all {
			<-c.headed
		}
		return all
	}
	open := func(i int) {
		if err := touch(gate(i)); err != nil {
			t.Fatal(err)
		}
	}
	shut := func(n int) {
		for i := range n {
			_ = os.Remove(gate(i))
		}
	}

	t.Run("ends_in_any_order", func(t *testing.T) {
		all := slow(slots)
		waits := r.send(&call{path: "/hello"})
		cores := map[*Core]bool{}
		for _, c := range all {
			cores[c.core] = true
		}
		if len(cores) != slots {
			t.Errorf("%d cores have %d requests", len(cores), slots)
		}
		busy := 0
		for _, c := range r.pool.Snapshot().Workers[0].Cores {
			if c.InRequest {
				busy++
			}
		}
		if busy != slots || waits.over() {
			t.Errorf("%d cores have a request; one more is answered: %v", busy, waits.over())
		}
		for i, c := range slices.Backward(all) {
			open(i)
			c.wait().body200("first last")
		}
		waits.wait().body200("hello")
		shut(slots)
	})
	t.Run("credit_of_one_is_not_anothers", func(t *testing.T) {
		vars := map[string]string{"HTTP_N": "64"} // four windows
		held := r.send(&call{path: "/large", vars: vars, hold: true})
		<-held.headed
		for range 2 {
			c := r.send(&call{path: "/large", vars: vars}).wait()
			if c.err != nil || c.got.Len() != 64<<16 {
				t.Errorf("beside one without credit: %d bytes, %v", c.got.Len(), c.err)
			}
		}
		held.mu.Lock()
		n := held.got.Len()
		held.mu.Unlock()
		if n > Window || held.over() {
			t.Errorf("without credit: %d bytes, ended: %v", n, held.over())
		}
		r.on(0, func(p *Port) { held.hold = false; p.Credit(held.id, n) })
		if held.wait(); held.got.Len() != 64<<16 {
			t.Errorf("with credit at last: %d bytes, %v", held.got.Len(), held.err)
		}
	})
	t.Run("client_goes", func(t *testing.T) {
		all := slow(3)
		r.on(1, func(p *Port) { p.Cancel(all[1].id) })
		r.wait("its slot to be free", func() bool {
			busy := 0
			for _, c := range r.pool.Snapshot().Workers[0].Cores {
				if c.InRequest {
					busy++
				}
			}
			return busy == 2
		})
		open(0)
		open(2)
		all[0].wait().body200("first last")
		all[2].wait().body200("first last")
		shut(3)
	})
	t.Run("one_fails", func(t *testing.T) {
		all := slow(2)
		if c := r.send(&call{path: "/fail"}).wait(); !errors.Is(c.err, ErrAppFailed) {
			t.Errorf("got error %v", c.err)
		}
		open(0)
		open(1)
		for _, c := range all {
			c.wait().body200("first last")
		}
		shut(2)
	})
	t.Run("reload", func(t *testing.T) {
		all := slow(4)
		old := r.pid(1, 0)
		if err := r.pool.Reload(t.Context()); err != nil {
			t.Fatal(err)
		}
		if got := r.get("/hello"); strings.Contains(strings.Join(got.headers, ""), fmt.Sprint(old)) {
			t.Error("the old process has taken a request after the reload")
		}
		for i, c := range all {
			open(i)
			c.wait().body200("first last")
		}
		r.waitLog("buried")
		shut(4)
	})
	t.Run("process_dies", func(t *testing.T) {
		all := slow(slots)
		waits := r.send(&call{path: "/hello"})
		if err := syscall.Kill(r.pid(1, 0), syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
		for _, c := range all {
			if c.wait(); !errors.Is(c.err, ErrWorkerDied) {
				t.Errorf("got error %v", c.err)
			}
		}
		waits.wait().body200("hello") // it had not begun
	})
}

// Nothing may come of more requests than a thread has slots.
func TestMoreFramesThanSlots(t *testing.T) {
	source := strings.Replace(forges, `    if case == "data before head":`, `    if case == "one more":
        begin(); send(HEADED, HEAD, len(HEAD), rid=other)
    elif case == "data before head":`, 1)
	r := start(t, Config{Apps: []App{app(t, source)}}, 1)
	waits := r.send(&call{path: "/slow", vars: map[string]string{"HTTP_X": t.TempDir() + "/go"}})
	<-waits.headed
	next := r.send(&call{path: "/hello"})
	forged := r.send(&call{path: "/forge", hold: true, vars: map[string]string{"HTTP_X": "one more", "HTTP_ID": itoa(next.id)}})
	_ = touch(waits.vars["HTTP_X"])
	waits.wait().body200("firstlast")
	next.wait().body200("hello")
	if forged.wait(); !errors.Is(forged.err, ErrWorkerDied) {
		t.Errorf("got error %v", forged.err)
	}
}
