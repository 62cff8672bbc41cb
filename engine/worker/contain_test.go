package worker

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// faulty is a client one of whose methods panics.
type faulty struct {
	*call
	in string
}

func (f faulty) panics(in string) {
	if f.in == in {
		panic("as asked in " + in)
	}
}

func (f faulty) Reply(core *Core, status []byte, h *Headers, body []byte) {
	f.panics("Reply")
	f.call.Reply(core, status, h, body)
}

func (f faulty) Head(core *Core, status []byte, h *Headers) {
	f.panics("Head")
	f.call.Head(core, status, h)
}

func (f faulty) Data(p []byte) {
	f.panics("Data")
	f.call.Data(p)
}

func (f faulty) End() {
	f.panics("End")
	f.call.End()
}

func (f faulty) File(core *Core, status []byte, h *Headers, file *os.File, offset, n int64) {
	if f.in == "File" {
		_ = file.Close()
	}
	f.panics("File")
	f.call.File(core, status, h, file, offset, n)
}

func (f faulty) Fail(err error) {
	f.call.Fail(err)
	f.panics("Fail")
}

func (f faulty) Describe() string {
	f.panics("Describe")
	return f.call.Describe()
}

func (f faulty) HalfClosed() bool {
	f.panics("HalfClosed")
	return f.call.HalfClosed()
}

// panicking sends c by a client that panics, and has the loop's report of it counted.
func (r *rig) panicking(c *call, in string) (told func() []string) {
	r.t.Helper()
	var reasons []string
	c.prepare(r)
	r.on(0, func(p *Port) {
		p.loop.OnPanic = func(reason any, stack []byte) {
			if !strings.Contains(string(stack), "faulty") {
				r.t.Errorf("panic: %v\n%s", reason, stack)
			}
			reasons = append(reasons, reason.(string))
		}
		dst, id, err := p.Begin(faulty{c, in}, Job{})
		if err == nil {
			c.id = id
			err = p.Send(id, c.environ(dst), c.body)
		}
		if err != nil {
			r.t.Errorf("cannot send: %v", err)
		}
	})
	return func() (list []string) {
		r.on(0, func(*Port) { list = append(list, reasons...) })
		return list
	}
}

// A panic of who waits for one answer costs that one alone. The frames behind it on the
// stream are of others, and what the loop counts stays right.
func TestClientPanics(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	content := strings.Repeat("0123456789", 20_000)
	if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ in, path string }{
		{"Reply", "/hello"},
		{"Head", "/stream"},
		{"Data", "/stream"},
		{"Data", "/large"},
		{"End", "/stream"},
		{"File", "/file"},
		{"Fail", "/raise"},
		{"Fail", "/abort"},
	} {
		t.Run(c.in+"_"+c.path[1:], func(t *testing.T) {
			modes(t, func(t *testing.T, stream bool) {
				r := start(t, Config{
					Apps: []App{app(t, paths)}, StreamMode: stream, Env: append(os.Environ(), "TEST_FILE="+file),
				}, 1)
				pid := r.pid(1, 0)
				blocked, release := blocker(r) // so that the others follow each other at once
				one := &call{path: c.path}
				told := r.panicking(one, c.in)
				others := []*call{{path: "/hello"}, {path: "/stream"}, {path: "/large"}, {path: "/file"}, {path: "/hello"}}
				r.sendAll(others)
				// What a thread answers meanwhile comes in one piece.
				held, goOn := make(chan struct{}), make(chan struct{})
				if err := r.loops[0].Post(func() { close(held); <-goOn }); err != nil {
					t.Fatal(err)
				}
				<-held
				release()
				time.Sleep(20 * time.Millisecond) // only makes it likely
				close(goOn)
				blocked.wait().body200("waited")
				one.wait()
				if c.in != "Fail" && !errors.Is(one.err, ErrPanicked) {
					t.Errorf("who panicked was told %v, want %v", one.err, ErrPanicked)
				}
				for i, want := range []string{"hello", strings.Repeat("x", 10_000), "", content[10:], "hello"} {
					if other := others[i].wait(); want != "" {
						other.body200(want)
					} else if other.got.Len() != 256*40000 {
						t.Errorf("%s: got %d bytes, error %v", other.path, other.got.Len(), other.err)
					}
				}
				if got := told(); len(got) != 1 || got[0] != "as asked in "+c.in {
					t.Errorf("the loop was told of %q, want of one panic", got)
				}
				r.idle()
				r.pid(1, 0)
				if now := r.pid(1, 0); now != pid {
					t.Errorf("the worker was replaced: %d, then %d", pid, now)
				}
			})
		})
	}
	// What is asked of a client for the log, or to save work, does not keep it from its answer.
	t.Run("Describe", func(t *testing.T) {
		r := start(t, Config{Apps: []App{app(t, paths)}, Harakiri: 100 * time.Millisecond}, 1)
		late := &call{path: "/wait", vars: map[string]string{"HTTP_X": filepath.Join(t.TempDir(), "never")}}
		told := r.panicking(late, "Describe")
		if late.wait(); !errors.Is(late.err, ErrHarakiri) {
			t.Errorf("got %v, want %v", late.err, ErrHarakiri)
		}
		if got := told(); len(got) != 1 {
			t.Errorf("the loop was told of %q", got)
		}
		r.waitLog("running for")
	})
	t.Run("HalfClosed", func(t *testing.T) {
		r := start(t, Config{Apps: []App{app(t, paths)}}, 1)
		blocked, release := blocker(r)
		var others []*call
		for range 2 * queueAhead { // more than the queue takes
			others = append(others, &call{path: "/hello"})
		}
		r.sendAll(others)
		one := &call{path: "/hello"}
		r.panicking(one, "HalfClosed")
		last := r.send(&call{path: "/hello"})
		time.Sleep(time.Duration(halfClosedAfter) + 50*time.Millisecond)
		release()
		blocked.wait()
		one.wait().body200("hello")
		last.wait().body200("hello")
		r.idle()
	})
}
