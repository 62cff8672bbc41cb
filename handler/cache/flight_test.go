package cache

import (
	"bufio"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/uwsgo/uwsgo/engine"
)

const patience = 30 * time.Second

// held is an origin that answers when it is let.
type held struct{ refs chan engine.Ref }

func (h held) answer(x *engine.Exchange) { h.refs <- x.Ref() }

// next is the request that has come.
func (h held) next(t *testing.T) engine.Ref {
	t.Helper()
	select {
	case ref := <-h.refs:
		return ref
	case <-time.After(patience):
		t.Fatal("the origin was not asked")
		panic("unreachable")
	}
}

func wait(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(patience); !ok(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%s: not after %v", what, patience)
		}
	}
}

// waiting counts the clients that wait for the fetch of another one.
func (c *Handler) waiting() (n int) {
	c.flights.mu.Lock()
	defer c.flights.mu.Unlock()
	for _, f := range c.flights.list {
		n += len(f.waiting)
	}
	return n
}

// herd asks for the same page from so many clients at once.
func (s *site) herd(n int, fields ...string) chan reply {
	got := make(chan reply, n)
	for range n {
		go func() { got <- s.get("/", fields...) }()
	}
	return got
}

func TestOneFetchForAll(t *testing.T) {
	const clients = 300
	for _, old := range []bool{false, true} {
		t.Run(fmt.Sprintf("expired=%t", old), func(t *testing.T) {
			s := newSite(t, Options{})
			if old {
				s.set(says(200, "old", "Cache-Control: max-age=1", "ETag: \"1\""))
				s.get("/")
				s.clock.Add(2)
			}
			before := s.asked.Load()
			h := held{make(chan engine.Ref, clients)}
			s.set(h.answer)
			got := s.herd(clients)
			ref := h.next(t)
			wait(t, "all wait", func() bool { return s.cache.waiting() == clients-1 })
			if err := ref.Post(says(200, "new", "Cache-Control: max-age=60")); err != nil {
				t.Fatal(err)
			}
			for range clients {
				if r := <-got; r.err != nil || r.status != 200 || r.body != "new" {
					t.Fatalf("%d %q %v", r.status, r.body, r.err)
				}
			}
			if n := s.asked.Load() - before; n != 1 {
				t.Errorf("%d fetches for %d clients", n, clients)
			}
			if n := s.cache.Stats().Collapsed; n != clients-1 {
				t.Errorf("%d collapsed", n)
			}
		})
	}
}

// TestNotShared: those who wait for an answer that turns out to be for one client get their own,
// at the same time, and nobody waits for the next one.
func TestNotShared(t *testing.T) {
	const clients = 20
	s := newSite(t, Options{})
	h := held{make(chan engine.Ref, clients)}
	s.set(h.answer)
	got := s.herd(clients)
	first := h.next(t)
	wait(t, "all wait", func() bool { return s.cache.waiting() == clients-1 })
	_ = first.Post(says(200, "1", "Cache-Control: private"))
	for i := range clients - 1 { // they are all there before one of them has an answer
		ref := h.next(t)
		defer func() { _ = ref.Post(says(200, fmt.Sprint(i+2), "Cache-Control: private")) }()
	}
	again := s.herd(2)
	defer func() {
		for range 2 {
			<-again
		}
	}()
	for range 2 {
		ref := h.next(t)
		defer func() { _ = ref.Post(says(200, "x")) }()
	}
	go func() {
		for range clients {
			<-got
		}
	}()
}

// TestLeaderGone: the next client fetches when the one that everybody waits for has gone.
func TestLeaderGone(t *testing.T) {
	s := newSite(t, Options{})
	h := held{make(chan engine.Ref, 4)}
	s.set(h.answer)
	c, err := net.Dial("tcp", strings.TrimPrefix(s.url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := fmt.Fprintf(c, "GET / HTTP/1.1\r\nHost: %s\r\n\r\n", strings.TrimPrefix(s.url, "http://")); err != nil {
		t.Fatal(err)
	}
	h.next(t)
	got := s.herd(2)
	wait(t, "two wait", func() bool { return s.cache.waiting() == 2 })
	_ = c.(*net.TCPConn).SetLinger(0)
	_ = c.Close()
	_ = h.next(t).Post(says(200, "a", "Cache-Control: max-age=60"))
	for range 2 {
		if r := <-got; r.body != "a" || r.err != nil {
			t.Errorf("%q %v", r.body, r.err)
		}
	}
	if n := s.asked.Load(); n != 2 {
		t.Errorf("asked %d times", n)
	}
}

// TestWaitEnds: clients do not wait for ever for a fetch that hangs, and later ones not at all.
func TestWaitEnds(t *testing.T) {
	s := newSite(t, Options{WaitFor: 50 * time.Millisecond})
	h := held{make(chan engine.Ref, 4)}
	s.set(h.answer)
	got := s.herd(2)
	hanging := h.next(t)
	second := h.next(t)
	third := s.herd(1)
	_ = h.next(t).Post(says(200, "3"))
	if r := <-third; r.body != "3" {
		t.Errorf("%q %v", r.body, r.err)
	}
	_ = second.Post(says(200, "2"))
	_ = hanging.Post(says(200, "1"))
	for range 2 {
		<-got
	}
}

func TestWhileRevalidate(t *testing.T) {
	s := newSite(t, Options{})
	s.set(says(200, "old", "Cache-Control: max-age=1, stale-while-revalidate=60", "ETag: \"1\""))
	s.get("/", "Accept-Language: de")
	s.clock.Add(3)
	h := held{make(chan engine.Ref, 4)}
	s.set(h.answer)
	for range 3 { // the fetch goes on behind them
		if r := s.get("/"); r.body != "old" || r.Get("X-Cache") != "STALE" || r.Get("Age") != "3" || r.Get("Cache-Status") != "uwsgo; hit; ttl=-2" {
			t.Fatalf("%q %v", r.body, r.Header)
		}
	}
	ref := h.next(t)
	if n := s.asked.Load(); n != 2 {
		t.Errorf("asked %d times", n)
	}
	s.mu.Lock()
	if s.last["If-None-Match"] != `"1"` {
		t.Errorf("the fetch is not one that validates: %v", s.last)
	}
	s.mu.Unlock()
	_ = ref.Post(says(304, "", "Cache-Control: max-age=60"))
	wait(t, "the new answer", func() bool { return s.get("/").Get("X-Cache") == "HIT" })
}

// TestBroken: nothing of an answer that breaks off is stored.
func TestBroken(t *testing.T) {
	for name, answer := range map[string]func(x *engine.Exchange){
		"abort": func(x *engine.Exchange) {
			x.Start(head(x, 200, []string{"Cache-Control: max-age=60"}))
			x.Write([]byte("part"))
			x.Abort()
		},
		"short": func(x *engine.Exchange) {
			resp := head(x, 200, []string{"Cache-Control: max-age=60"})
			resp.ContentLength = 10
			x.Start(resp)
			x.Write([]byte("part"))
			x.End()
		},
		"long": func(x *engine.Exchange) {
			resp := head(x, 200, []string{"Cache-Control: max-age=60"})
			resp.ContentLength = 2
			x.Start(resp)
			x.Write([]byte("part"))
			x.End()
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := newSite(t, Options{})
			s.set(answer)
			s.get("/")
			s.set(says(200, "whole", "Cache-Control: max-age=60"))
			if r := s.get("/"); r.body != "whole" || r.Get("X-Cache") != "MISS" {
				t.Errorf("%q %v %v", r.body, r.Header, r.err)
			}
		})
	}
}

// TestBound: the memory stays within the size whatever is asked for.
func TestBound(t *testing.T) {
	s := newSite(t, Options{Size: 1 << 20})
	page := strings.Repeat("x", 32<<10)
	s.set(func(x *engine.Exchange) {
		says(200, page, "Cache-Control: max-age=60", "Vary: Accept-Language")(x)
	})
	for i := range 200 {
		s.get(fmt.Sprintf("/%d", i%80), fmt.Sprintf("Accept-Language: l%d", i))
	}
	if n := s.cache.Stats().Bytes; n > 1<<20 || n == 0 {
		t.Errorf("%d bytes are stored", n)
	}
}

// TestNoMixUp: each client gets its own page while pages expire, break, vary and are purged.
func TestNoMixUp(t *testing.T) {
	s := newSite(t, Options{Size: 256 << 10, IfError: time.Second, WhileRevalidate: time.Second})
	s.set(func(x *engine.Exchange) {
		r := x.Request()
		body := fmt.Sprintf("%s|%s|%s", r.Path(), r.Get("Accept-Language"), r.Get("Authorization"))
		more := []string{"Cache-Control: max-age=1", "Vary: Accept-Language", "ETag: \"1\""}
		switch rand.IntN(8) {
		case 0:
			more[0] = "Cache-Control: private"
		case 1:
			says(503, body)(x)
			return
		case 2:
			streams(200, body, more...)(x)
			return
		case 3:
			x.Start(head(x, 200, more))
			x.Write([]byte(body[:3]))
			x.Abort()
			return
		case 4:
			if r.Get("If-None-Match") != nil {
				says(304, "", more...)(x)
				return
			}
		}
		says(200, body, more...)(x)
	})
	var clients sync.WaitGroup
	for i := range 16 {
		clients.Go(func() {
			for n := range 150 {
				path, lang, auth := fmt.Sprintf("/%d", rand.IntN(4)), string('a'+rune(rand.IntN(3))), ""
				fields := []string{"Accept-Language: " + lang}
				if rand.IntN(4) == 0 {
					auth = fmt.Sprintf("Basic %d-%d", i, n)
					fields = append(fields, "Authorization: "+auth)
				}
				r := s.get(path, fields...)
				if want := path + "|" + lang + "|" + auth; r.err == nil && r.body != want {
					t.Errorf("got %q, want %q", r.body, want)
				}
				if rand.IntN(20) == 0 {
					s.clock.Add(1)
				}
				if rand.IntN(40) == 0 {
					s.get("POST " + path)
				}
			}
		})
	}
	clients.Wait()
	if n := s.cache.waiting(); n != 0 {
		t.Errorf("%d still wait", n)
	}
}

// BenchmarkHit is the way of a stored answer over one connection.
func BenchmarkHit(b *testing.B) {
	s := newSite(b, Options{})
	s.set(says(200, strings.Repeat("x", 1000), "Cache-Control: max-age=60", "Vary: Accept-Encoding"))
	c, err := net.Dial("tcp", strings.TrimPrefix(s.url, "http://"))
	if err != nil {
		b.Fatal(err)
	}
	defer c.Close()
	r := bufio.NewReader(c)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := io.WriteString(c, "GET / HTTP/1.1\r\nHost: x\r\nAccept-Encoding: gzip, br\r\n\r\n"); err != nil {
			b.Fatal(err)
		}
		resp, err := http.ReadResponse(r, nil)
		if err != nil {
			b.Fatal(err)
		}
		_, _ = io.Copy(io.Discard, resp.Body)
	}
}
