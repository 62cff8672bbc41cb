package control

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"reflect"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/uwsgo/uwsgo/codec/pymarshal"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const patience = 20 * time.Second

// end plays the process at the other end of a channel.
type end struct {
	t    *testing.T
	peer *Peer
	conn net.Conn
	r    *bufio.Reader
	bad  chan struct{} // closed when the peer is faulty
}

func open(t *testing.T, h *Hub, number int) *end {
	t.Helper()
	e := &end{t: t, bad: make(chan struct{})}
	peer, f, err := h.Open(number, 1, func() { close(e.bad) })
	if err != nil {
		t.Fatal(err)
	}
	e.peer = peer
	if e.conn, err = net.FileConn(f); err != nil {
		t.Fatal(err)
	}
	_ = f.Close()
	e.r = bufio.NewReader(e.conn)
	_ = e.conn.SetDeadline(time.Now().Add(patience))
	t.Cleanup(func() { peer.Close(); _ = e.conn.Close() })
	return e
}

func (e *end) send(values ...any) {
	e.t.Helper()
	b, err := appendFrame(nil, values...)
	if err != nil {
		e.t.Fatal(err)
	}
	if _, err := e.conn.Write(b); err != nil {
		e.t.Fatal(err)
	}
}

func (e *end) receive() []any {
	e.t.Helper()
	var head [4]byte
	if _, err := io.ReadFull(e.r, head[:]); err != nil {
		e.t.Fatal(err)
	}
	b := make([]byte, binary.LittleEndian.Uint32(head[:]))
	if _, err := io.ReadFull(e.r, b); err != nil {
		e.t.Fatal(err)
	}
	v, err := pymarshal.Unmarshal(b)
	if err != nil {
		e.t.Fatal(err)
	}
	return v.([]any)
}

func TestCalls(t *testing.T) {
	h := NewHub(t.Logf)
	h.Handle("add", func(_ *Peer, args []any) (any, error) { return args[0].(int) + args[1].(int), nil })
	h.Handle("who", func(p *Peer, _ []any) (any, error) { return p.Worker, nil })
	h.Handle("refuse", func(*Peer, []any) (any, error) { return nil, Refuse("no %d", 7) })
	h.Handle("fail", func(*Peer, []any) (any, error) { return nil, errors.New("no disk") })
	h.Handle("odd", func(*Peer, []any) (any, error) { return nil, errors.New("a\xffb") })
	h.Handle("huge", func(*Peer, []any) (any, error) { return make([]byte, MaxFrame), nil })
	h.Handle("unknown value", func(*Peer, []any) (any, error) { return struct{}{}, nil })
	e := open(t, h, 3)
	for i, c := range []struct {
		name string
		args []any
		want []any // after the number; the last may be the beginning of a text
	}{
		{"add", []any{1, 2}, []any{3}},
		{"who", nil, []any{3}},
		{"refuse", nil, []any{"ValueError", "no 7"}},
		{"fail", nil, []any{"OSError", "no disk"}},
		{"odd", nil, []any{"OSError", `"a\xffb"`}},
		{"huge", nil, []any{"OSError", "a message of"}},
		{"unknown value", nil, []any{"OSError", "marshal: "}},
		{"add", []any{1}, []any{"OSError", "add failed: "}},
		{"nothing", nil, []any{"NotImplementedError", "this server has no service named"}},
	} {
		e.send(append([]any{i + 1, c.name}, c.args...)...)
		got := e.receive()
		number := i + 1
		if len(c.want) == 2 {
			number = -number
		}
		want := append([]any{number}, c.want...)
		text, isText := want[len(want)-1].(string)
		if isText && len(got) == len(want) {
			if last, _ := got[len(got)-1].(string); strings.HasPrefix(last, text) {
				got[len(got)-1] = text
			}
		}
		if !reflect.DeepEqual(got, want) {
			t.Errorf("%s%v: got %v, want %v", c.name, c.args, got, want)
		}
	}
}

// A frame that comes twice is one call: see shim/control.py.
func TestCallThatIsSentTwice(t *testing.T) {
	h := NewHub(t.Logf)
	calls := 0
	h.Handle("count", func(*Peer, []any) (any, error) { calls++; return calls, nil })
	e := open(t, h, 1)
	for i, number := range []int{1, 1, 3, 2, 3, 2, 4} {
		e.send(number, "count")
		if i == 1 || i == 4 || i == 5 {
			continue
		}
		if got := e.receive(); got[0] != number {
			t.Errorf("got %v, want the answer to %d", got, number)
		}
	}
	if calls != 4 {
		t.Errorf("%d calls were run, want 4", calls)
	}
}

func TestNotices(t *testing.T) {
	heard := make(chan string, 1)
	var logged atomic.Value
	h := NewHub(func(format string, args ...any) { logged.Store(fmt.Sprintf(format, args...)) })
	h.Handle("say", func(_ *Peer, args []any) (any, error) {
		heard <- args[0].(string)
		return nil, errors.New("not done")
	})
	e := open(t, h, 1)
	if err := e.peer.Tell("ring", 5, []byte{1}); err != nil {
		t.Fatal(err)
	}
	if got := e.receive(); !reflect.DeepEqual(got, []any{0, "ring", 5, []byte{1}}) {
		t.Errorf("told %v", got)
	}
	e.send(0, "say", "hello")
	if got := <-heard; got != "hello" {
		t.Errorf("heard %q", got)
	}
	e.send(1, "none") // a notice gets no answer, so this one's is next
	if got := e.receive(); got[0] != -1 {
		t.Errorf("the answer to a notice: %v", got)
	}
	if text, _ := logged.Load().(string); !strings.Contains(text, "say: not done") {
		t.Errorf("the log says %q", text)
	}
}

func TestTellNeverWaits(t *testing.T) {
	e := open(t, NewHub(t.Logf), 1)
	err := error(nil)
	for range 100000 {
		if err = e.peer.Tell("ring", strings.Repeat("x", 10000)); err != nil {
			break
		}
	}
	if !errors.Is(err, ErrBusy) {
		t.Errorf("to a process that does not read: %v", err)
	}
	e.peer.Close()
	if err := e.peer.Tell("ring"); !errors.Is(err, ErrExited) {
		t.Errorf("to one that has gone: %v", err)
	}
}

// frames that are none.
var malformed = map[string][]byte{
	"too long":       {0xff, 0xff, 0xff, 0x7f},
	"no marshal":     {1, 0, 0, 0, 'x'},
	"no list":        framed(7),
	"nothing":        framed([]any{}),
	"no name":        framed([]any{1}),
	"name no text":   framed([]any{1, 2}),
	"negative":       framed([]any{-1, "add"}),
	"number no int":  framed([]any{1.5, "add"}),
	"more than that": append(framed([]any{0, "add", 1, 1}), 9, 9, 9, 9),
}

func framed(v any) []byte {
	b, err := pymarshal.Marshal(v)
	if err != nil {
		panic(err)
	}
	return append(binary.LittleEndian.AppendUint32(nil, uint32(len(b))), b...)
}

func TestMalformed(t *testing.T) {
	for name, raw := range malformed {
		t.Run(strings.ReplaceAll(name, " ", "_"), func(t *testing.T) {
			said := make(chan string, 1)
			h := NewHub(func(format string, args ...any) { said <- fmt.Sprintf(format, args...) })
			h.Handle("add", func(*Peer, []any) (any, error) { return nil, nil })
			e := open(t, h, 2)
			e.peer.SetPID(77)
			if _, err := e.conn.Write(raw); err != nil {
				t.Fatal(err)
			}
			select {
			case <-e.bad:
			case <-time.After(patience):
				t.Fatal("the process may go on")
			}
			if text := <-said; !strings.HasPrefix(text, "worker 2 (pid: 77) has sent") {
				t.Errorf("the log says %q", text)
			}
		})
	}
}

// watcher notes what it is told.
type watcher struct{ seen []string }

func (w *watcher) Serving(p *Peer)  { w.seen = append(w.seen, "serving "+p.String()) }
func (w *watcher) Retiring(p *Peer) { w.seen = append(w.seen, "retiring "+p.String()) }
func (w *watcher) Exited(p *Peer)   { w.seen = append(w.seen, "exited "+p.String()) }

func TestObservers(t *testing.T) {
	h, w := NewHub(t.Logf), &watcher{}
	h.Observe(w)
	z, e := open(t, h, 0), open(t, h, 1)
	if n := len(h.Peers()); n != 2 {
		t.Errorf("%d peers", n)
	}
	e.peer.SetPID(5)
	e.peer.Serving()
	e.peer.Retiring()
	e.peer.Close()
	e.peer.Close()
	z.peer.Close()
	want := []string{"serving worker 1 (pid: 5)", "retiring worker 1 (pid: 5)", "exited worker 1 (pid: 5)", "exited the zygote (pid: 0)"}
	if !reflect.DeepEqual(w.seen, want) {
		t.Errorf("saw %q, want %q", w.seen, want)
	}
	if n := len(h.Peers()); n != 0 {
		t.Errorf("%d peers are left", n)
	}
}

func FuzzReadCall(f *testing.F) {
	for _, raw := range malformed {
		f.Add(raw)
	}
	f.Add(framed([]any{1, "add", 1, []byte("x")}))
	f.Fuzz(func(t *testing.T, raw []byte) {
		r := bytes.NewReader(raw)
		c, err := readCall(r)
		if err == nil && (c.id < 0 || c.args == nil) {
			t.Errorf("took %+v", c)
		}
		if err != nil && !errors.Is(err, errFrame) && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Errorf("an error of no kind: %v", err)
		}
	})
}
