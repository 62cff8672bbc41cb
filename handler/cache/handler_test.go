package cache

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/uwsgo/uwsgo/codec"
	"github.com/uwsgo/uwsgo/engine"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// origin is an app whose answers a test gives. It counts its requests.
type origin struct {
	mu     sync.Mutex
	answer func(x *engine.Exchange)
	asked  atomic.Int64
	last   map[string]string // fields of the last request
}

func (o *origin) Serve(x *engine.Exchange) {
	o.asked.Add(1)
	o.mu.Lock()
	answer := o.answer
	o.last = map[string]string{}
	for _, f := range x.Request().Fields {
		o.last[http.CanonicalHeaderKey(string(x.Request().Bytes(f.Name)))] = string(x.Request().Bytes(f.Value))
	}
	o.mu.Unlock()
	answer(x)
}

func (o *origin) set(answer func(x *engine.Exchange)) {
	o.mu.Lock()
	o.answer = answer
	o.mu.Unlock()
}

// says is an answer of so many lines "Name: value" and a body.
func says(status int, body string, fields ...string) func(*engine.Exchange) {
	return func(x *engine.Exchange) { x.Reply(head(x, status, fields), []byte(body)) }
}

// streams is the same in two pieces.
func streams(status int, body string, fields ...string) func(*engine.Exchange) {
	return func(x *engine.Exchange) {
		x.Start(head(x, status, fields))
		x.Write([]byte(body[:len(body)/2]))
		x.Write([]byte(body[len(body)/2:]))
		x.End()
	}
}

func head(x *engine.Exchange, status int, fields []string) *codec.Response {
	resp := x.Response()
	resp.Status = status
	for _, f := range fields {
		name, value, _ := strings.Cut(f, ": ")
		resp.Header = append(resp.Header, codec.Header{Name: []byte(name), Value: []byte(value)})
	}
	return resp
}

// site is a cache in front of an origin, with a clock of its own.
type site struct {
	*origin
	t      testing.TB
	url    string
	cache  *Handler
	clock  atomic.Int64 // seconds that have passed
	client *http.Client
}

func newSite(t testing.TB, o Options) *site {
	t.Helper()
	s := &site{origin: &origin{}, t: t}
	server, err := engine.New(engine.Options{Logf: t.Logf})
	if err != nil {
		t.Fatal(err)
	}
	if o.Size == 0 {
		o.Size = 8 << 20
	}
	o.Server = server
	if s.cache, err = New(s.origin, o); err != nil {
		t.Fatal(err)
	}
	start := time.Now()
	s.cache.now = func() time.Time { return start.Add(time.Duration(s.clock.Load()) * time.Second) }
	l, err := server.Listen("127.0.0.1:0", engine.ListenOptions{})
	if err != nil {
		t.Fatal(err)
	}
	s.url = "http://" + l.String()
	served := make(chan error, 1)
	go func() { served <- server.Serve(s.cache) }()
	transport := &http.Transport{DisableCompression: true, MaxIdleConnsPerHost: 8}
	s.client = &http.Client{
		Transport: transport, Timeout: 30 * time.Second,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	t.Cleanup(func() {
		transport.CloseIdleConnections()
		_ = server.Close()
		if err := <-served; !errors.Is(err, engine.ErrServerClosed) {
			t.Errorf("Serve: %v", err)
		}
	})
	return s
}

// reply is what a client sees.
type reply struct {
	status int
	body   string
	http.Header
	err error
}

// get asks for target with so many lines "Name: value"; a method may stand before the target.
func (s *site) get(target string, fields ...string) reply {
	s.t.Helper()
	method, path, ok := strings.Cut(target, " ")
	if !ok {
		method, path = "GET", target
	}
	var body io.Reader
	if method == "POST" {
		body = strings.NewReader("form")
	}
	req, err := http.NewRequest(method, s.url+path, body)
	if err != nil {
		s.t.Fatal(err)
	}
	for _, f := range fields {
		name, value, _ := strings.Cut(f, ": ")
		if req.Header.Add(name, value); name == "Host" {
			req.Host = value
		}
	}
	resp, err := s.client.Do(req)
	if err != nil {
		return reply{err: err}
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	return reply{resp.StatusCode, string(b), resp.Header, err}
}

// sequence describes requests one after the other.
type step struct {
	after  int      // seconds pass first
	origin string   // "STATUS BODY|Name: value|…" from now on; empty leaves it
	ask    string   // target, or method and target
	with   []string // fields of the request
	want   string   // "STATUS BODY X-Cache", "-" where the cache says nothing
	asked  int64    // the origin, in all
}

func TestSequences(t *testing.T) {
	const fresh = "Cache-Control: max-age=60"
	for _, tt := range []struct {
		name  string
		o     Options
		steps []step
	}{
		{"fresh, then not", Options{}, []step{
			{0, "200 a|" + fresh, "/", nil, "200 a MISS", 1},
			{59, "200 b|" + fresh, "/", nil, "200 a HIT", 1},
			{2, "", "/", nil, "200 b MISS", 2},
		}},
		{"nothing said, nothing stored", Options{}, []step{
			{0, "200 a|Last-Modified: Mon, 01 Jan 2024 00:00:00 GMT", "/", nil, "200 a MISS", 1},
			{0, "200 b", "/", nil, "200 b MISS", 2},
		}},
		{"valid by status", Options{Valid: map[int]time.Duration{200: time.Minute, 404: time.Second}}, []step{
			{0, "200 a", "/", nil, "200 a MISS", 1},
			{0, "", "/", nil, "200 a HIT", 1},
			{0, "404 n", "/n", nil, "404 n MISS", 2},
			{0, "", "/n", nil, "404 n HIT", 2},
			{2, "", "/n", nil, "404 n MISS", 3},
			{0, "500 e", "/e", nil, "500 e MISS", 4},
			{0, "", "/e", nil, "500 e MISS", 5},
		}},
		{"valid is not for clients with cookies", Options{Valid: map[int]time.Duration{200: time.Minute}}, []step{
			{0, "200 mine", "/", []string{"Cookie: id=1"}, "200 mine MISS", 1},
			{0, "200 all", "/", nil, "200 all MISS", 2},
			{0, "", "/", nil, "200 all HIT", 2},
			{0, "200 mine", "/", []string{"Cookie: id=1"}, "200 mine -", 3},
			{0, "200 said|" + fresh, "/said", []string{"Cookie: id=1"}, "200 said MISS", 4},
			{0, "", "/said", []string{"Cookie: id=2"}, "200 said HIT", 4},
		}},
		{"s-maxage before max-age before Expires", Options{}, []step{
			{0, "200 a|Cache-Control: max-age=0, s-maxage=\"10\"|Expires: 0", "/", nil, "200 a MISS", 1},
			{9, "", "/", nil, "200 a HIT", 1},
			{2, "200 b|Cache-Control: max-age=10|Expires: 0", "/", nil, "200 b MISS", 2},
			{9, "", "/", nil, "200 b HIT", 2},
			{2, "200 c|Expires: 0", "/", nil, "200 c MISS", 3},
			{0, "", "/", nil, "200 c MISS", 4},
		}},
		{"malformed dates have passed", Options{}, []step{
			{0, "200 a|Expires: Thu, 18 Aug 2050 02:01:18 gmt", "/", nil, "200 a MISS", 1},
			{0, "", "/", nil, "200 a HIT", 1},
			{0, "200 a|Expires: Thu,  18 Aug 2050 02:01:18 GMT", "/b", nil, "200 a MISS", 2},
			{0, "200 a|Expires: Thu, 18 Aug 2050 2:01:18 GMT", "/b", nil, "200 a MISS", 3},
			{0, "200 a|Expires: Thu, 18 Aug 2050 02:01:18 GMT|Expires: 0", "/b", nil, "200 a MISS", 4},
			{0, "", "/b", nil, "200 a MISS", 5},
		}},
		{"CDN-Cache-Control before Cache-Control", Options{}, []step{
			{0, "200 a|Cache-Control: no-store|CDN-Cache-Control: max-age=10", "/", nil, "200 a MISS", 1},
			{9, "", "/", nil, "200 a HIT", 1},
			{2, "200 b|" + fresh + "|CDN-Cache-Control: private", "/", nil, "200 b MISS", 2},
			{0, "200 c|" + fresh + "|CDN-Cache-Control: max-age=0|Expires: Thu, 18 Aug 2050 02:01:18 GMT", "/", nil, "200 c MISS", 3},
			{0, "200 d|" + fresh + "|CDN-Cache-Control: max-age=soon", "/", nil, "200 d MISS", 4},
			{0, "", "/", nil, "200 d HIT", 4},
			{0, "200 e|Cache-Control: no-store|CDN-Cache-Control: max-age=\"10\"", "/e", nil, "200 e MISS", 5},
			{0, "200 e|Cache-Control: no-store|CDN-Cache-Control: max-age=10, &&&", "/e", nil, "200 e MISS", 6},
			{0, "", "/e", nil, "200 e MISS", 7},
		}},
		{"any status that says so, but parts", Options{}, []step{
			{0, "599 a|" + fresh, "/", nil, "599 a MISS", 1},
			{0, "", "/", nil, "599 a HIT", 1},
			{0, "599 a|" + fresh + ", must-understand, no-store", "/b", nil, "599 a MISS", 2},
			{0, "200 a|" + fresh + ", must-understand, no-store", "/b", nil, "200 a MISS", 3},
			{0, "", "/b", nil, "200 a HIT", 3},
			{0, "206 a|" + fresh, "/c", nil, "206 a MISS", 4},
			{0, "", "/c", nil, "206 a MISS", 5},
		}},
		{"the age that it comes with counts", Options{}, []step{
			{0, "200 a|" + fresh + "|Age: 50", "/", nil, "200 a MISS", 1},
			{9, "", "/", nil, "200 a HIT", 1},
			{2, "", "/", nil, "200 a MISS", 2},
		}},
		{"malformed ages are not fresh", Options{}, []step{
			{0, "200 a|Cache-Control: max-age=60s", "/", nil, "200 a MISS", 1},
			{0, "", "/", nil, "200 a MISS", 2},
			{0, "200 a|Cache-Control: max-age=-60", "/", nil, "200 a MISS", 3},
			{0, "200 a|Cache-Control: extension=\"max-age=60\"", "/", nil, "200 a MISS", 4},
			{0, "", "/", nil, "200 a MISS", 5},
		}},
		{"for one client", Options{}, []step{
			{0, "200 a|Cache-Control: private, max-age=60", "/", nil, "200 a MISS", 1},
			{0, "200 a|Cache-Control: no-store, max-age=60", "/", nil, "200 a MISS", 2},
			{0, "200 a|" + fresh + "|Set-Cookie: id=1", "/", nil, "200 a MISS", 3},
			{0, "200 a|" + fresh + "|Vary: Accept, *", "/", nil, "200 a MISS", 4},
			{0, "200 a|" + fresh, "/", []string{"Authorization: Basic eDp5"}, "200 a MISS", 5},
			{0, "200 a|" + fresh, "/", []string{"Cache-Control: no-store"}, "200 a MISS", 6},
			{0, "", "/", nil, "200 a MISS", 7},
		}},
		{"shared between clients with credentials", Options{}, []step{
			{0, "200 a|" + fresh + ", public", "/", []string{"Authorization: Basic eDp5"}, "200 a MISS", 1},
			{0, "", "/", []string{"Authorization: Basic eno="}, "200 a HIT", 1},
			{0, "", "/", nil, "200 a HIT", 1},
		}},
		{"an answer to nobody is not for somebody", Options{}, []step{
			{0, "200 all|" + fresh, "/", nil, "200 all MISS", 1},
			{0, "200 mine|" + fresh, "/", []string{"Authorization: Basic eDp5"}, "200 mine -", 2},
			{0, "", "/", nil, "200 all HIT", 2},
		}},
		{"cookies when told", Options{StoreCookies: true}, []step{
			{0, "200 a|" + fresh + "|Set-Cookie: id=1", "/", nil, "200 a MISS", 1},
			{0, "", "/", nil, "200 a HIT", 1},
		}},
		{"vary", Options{}, []step{
			{0, "200 en|" + fresh + "|Vary: Accept-Language", "/", []string{"Accept-Language: en"}, "200 en MISS", 1},
			{0, "200 de|" + fresh + "|Vary: accept-language", "/", []string{"Accept-Language: de"}, "200 de MISS", 2},
			{0, "", "/", []string{"Accept-Language: en"}, "200 en HIT", 2},
			{0, "", "/", []string{"Accept-Language: de"}, "200 de HIT", 2},
			{0, "200 any|" + fresh + "|Vary: Accept-Language", "/", nil, "200 any MISS", 3},
			{0, "", "/", []string{"Accept-Language: "}, "200 any MISS", 4},
		}},
		{"codings in another order", Options{}, []step{
			{0, "200 z|" + fresh + "|Vary: Accept-Encoding|Content-Encoding: gzip", "/", []string{"Accept-Encoding: gzip, br;q=0.9"}, "200 z MISS", 1},
			{0, "", "/", []string{"Accept-Encoding: BR,  gzip"}, "200 z HIT", 1},
			{0, "200 p|" + fresh + "|Vary: Accept-Encoding", "/", []string{"Accept-Encoding: gzip;q=0, br"}, "200 p MISS", 2},
			{0, "", "/", nil, "200 p MISS", 3},
		}},
		{"conditions are answered from the whole", Options{}, []step{
			{0, "200 a|" + fresh + "|ETag: \"1\"", "/", []string{"If-None-Match: \"2\""}, "200 a MISS", 1},
			{0, "", "/", []string{"If-None-Match: W/\"1\""}, "304  HIT", 1},
			{0, "", "/", []string{"If-None-Match: \"2\""}, "200 a HIT", 1},
			{0, "", "HEAD /", nil, "200  HIT", 1},
		}},
		{"ranges", Options{}, []step{
			{0, "200 abcdef|" + fresh + "|ETag: \"1\"", "/", []string{"Range: bytes=1-2"}, "200 abcdef -", 1},
			{0, "", "/", nil, "200 abcdef MISS", 2},
			{0, "", "/", []string{"Range: bytes=1-2"}, "206 bc HIT", 2},
			{0, "", "/", []string{"Range: bytes=-1"}, "206 f HIT", 2},
			{0, "", "/", []string{"Range: bytes=9-"}, "416  HIT", 2},
			{0, "", "/", []string{"Range: bytes=1-2", "If-Range: \"2\""}, "200 abcdef HIT", 2},
		}},
		{"validation", Options{}, []step{
			{0, "200 a|" + fresh + "|ETag: \"1\"", "/", nil, "200 a MISS", 1},
			{61, "304 |" + fresh, "/", nil, "200 a REVALIDATED", 2},
			{59, "", "/", nil, "200 a HIT", 2},
			{2, "200 b|" + fresh + "|ETag: \"2\"", "/", []string{"If-None-Match: \"1\""}, "200 b MISS", 3},
			{61, "304 |" + fresh, "/", []string{"If-None-Match: \"2\""}, "304  REVALIDATED", 4},
		}},
		{"a 304 for another answer", Options{}, []step{
			{0, "200 a|" + fresh + "|ETag: \"1\"", "/", nil, "200 a MISS", 1},
			{61, "304 |" + fresh + "|ETag: \"2\"", "/", nil, "200 a REVALIDATED", 2},
			{0, "200 b|" + fresh + "|ETag: \"2\"", "/", nil, "200 b MISS", 3},
			{61, "304 |" + fresh + "|ETag: W/\"2\"", "/", nil, "200 b REVALIDATED", 4},
			{0, "", "/", nil, "200 b HIT", 4},
		}},
		{"no-cache is validated each time", Options{}, []step{
			{0, "200 a|Cache-Control: no-cache|ETag: \"1\"", "/", nil, "200 a MISS", 1},
			{0, "304 ", "/", nil, "200 a REVALIDATED", 2},
			{0, "200 b|Cache-Control: no-cache, max-age=60", "/", nil, "200 b MISS", 3},
			{0, "", "/", nil, "200 b MISS", 4},
		}},
		{"stale-if-error", Options{}, []step{
			{0, "200 a|" + fresh + ", stale-if-error=60", "/", nil, "200 a MISS", 1},
			{61, "500 e", "/", nil, "200 a STALE", 2},
			{0, "", "/", nil, "200 a STALE", 2},
			{2, "", "/", nil, "200 a STALE", 3},
			{0, "abort", "/", nil, "200 a STALE", 3},
			{2, "", "/", nil, "200 a STALE", 4},
			{60, "500 e", "/", nil, "500 e MISS", 5},
		}},
		{"must-revalidate is obeyed", Options{IfError: time.Minute, WhileRevalidate: time.Minute}, []step{
			{0, "200 a|" + fresh + ", must-revalidate, stale-if-error=60, stale-while-revalidate=60", "/", nil, "200 a MISS", 1},
			{61, "500 e", "/", nil, "500 e MISS", 2},
		}},
		{"what changes a resource removes it", Options{}, []step{
			{0, "200 a|" + fresh, "/", nil, "200 a MISS", 1},
			{0, "400 no", "POST /", nil, "400 no -", 2},
			{0, "", "/", nil, "200 a HIT", 2},
			{0, "200 ok", "POST /", nil, "200 ok -", 3},
			{0, "200 b|" + fresh, "/", nil, "200 b MISS", 4},
		}},
		{"what apps take for the host is in the key", Options{}, []step{
			{0, "200 evil|" + fresh, "/", []string{"X-Forwarded-Host: evil.example"}, "200 evil MISS", 1},
			{0, "200 good|" + fresh, "/", nil, "200 good MISS", 2},
			{0, "200 other|" + fresh, "/", []string{"Host: other.example"}, "200 other MISS", 3},
			{0, "", "/?q", nil, "200 other MISS", 4},
			{0, "", "/%61", nil, "200 other MISS", 5},
			{0, "", "/a", nil, "200 other MISS", 6},
			{0, "200 put|" + fresh, "/", []string{"X-HTTP-Method-Override: PUT"}, "200 put MISS", 7},
			{0, "", "/", nil, "200 good HIT", 7},
		}},
		{"paths that are left alone", Options{Except: regexp.MustCompile(`^/admin`)}, []step{
			{0, "200 a|" + fresh, "/admin/", nil, "200 a -", 1},
			{0, "", "/admin/", nil, "200 a -", 2},
		}},
		{"only-if-cached", Options{}, []step{
			{0, "200 a|" + fresh, "/", []string{"Cache-Control: only-if-cached"}, "504 Gateway Timeout: there is no stored answer\n -", 0},
			{0, "", "/", nil, "200 a MISS", 1},
			{0, "", "/", []string{"Cache-Control: only-if-cached"}, "200 a HIT", 1},
		}},
		{"too large", Options{MaxObject: 3}, []step{
			{0, "200 abcd|" + fresh, "/", nil, "200 abcd MISS", 1},
			{0, "", "/", nil, "200 abcd MISS", 2},
			{0, "200 abc|" + fresh, "/", nil, "200 abc MISS", 3},
			{0, "", "/", nil, "200 abc HIT", 3},
		}},
		{"purge", Options{PurgeFrom: []netip.Prefix{netip.MustParsePrefix("127.0.0.1/32")}}, []step{
			{0, "200 a|" + fresh + "|Cache-Tag: x, y", "/", nil, "200 a MISS", 1},
			{0, "200 b|" + fresh + "|Surrogate-Key: y z", "/b", nil, "200 b MISS", 2},
			{0, "", "PURGE /", nil, "200 purged 1\n -", 2},
			{0, "", "PURGE /", nil, "200 purged 0\n -", 2},
			{0, "", "/b", nil, "200 b HIT", 2},
			{0, "", "PURGE /", []string{"Cache-Tag: y"}, "200 purged 1\n -", 2},
			{0, "", "/b", nil, "200 b MISS", 3},
		}},
		{"purge by others", Options{PurgeFrom: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}}, []step{
			{0, "200 a", "PURGE /", nil, "403 Forbidden: PURGE is not allowed from this address\n -", 0},
		}},
	} {
		for _, streamed := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s/streamed=%t", tt.name, streamed), func(t *testing.T) {
				s := newSite(t, tt.o)
				for i, st := range tt.steps {
					s.clock.Add(int64(st.after))
					s.script(st.origin, streamed)
					got := s.get(st.ask, st.with...)
					word := got.Get("X-Cache")
					if word == "" {
						word = "-"
					}
					if line := fmt.Sprintf("%d %s %s", got.status, got.body, word); line != st.want || got.err != nil {
						t.Errorf("step %d, %s %q: got %q (%v), want %q; %s", i+1, st.ask, st.with, line, got.err, st.want, got.Get("Cache-Status"))
					}
					if n := s.asked.Load(); n != st.asked {
						t.Errorf("step %d: the origin was asked %d times, want %d", i+1, n, st.asked)
					}
				}
			})
		}
	}
}

// script has the origin answer as a step says.
func (s *site) script(line string, streamed bool) {
	if line == "" {
		return
	}
	if line == "abort" {
		s.set(func(x *engine.Exchange) { x.Abort() })
		return
	}
	parts := strings.Split(line, "|")
	var status int
	if _, err := fmt.Sscan(parts[0], &status); err != nil {
		s.t.Fatal(err)
	}
	_, body, _ := strings.Cut(parts[0], " ")
	if streamed {
		s.set(streams(status, body, parts[1:]...))
	} else {
		s.set(says(status, body, parts[1:]...))
	}
}

// FuzzHeader: whatever an app sends as a header, the cache neither panics nor keeps what it says is
// for one client.
func FuzzHeader(f *testing.F) {
	for _, seed := range []string{"max-age=60", "max-age=\"60", "private=\"a, b\", max-age=1", "s-maxage=1,,no-store", "a=\\\"", "=,=", "max-age=99999999999999999999"} {
		f.Add(seed, "Thu, 18 Aug 2050 02:01:18 GMT", "Accept, *")
	}
	c, err := New(nil, Options{Size: 1 << 20})
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, control, expires, vary string) {
		resp := &codec.Response{Status: 200, Header: []codec.Header{
			{Name: nameCacheControl, Value: []byte(control)}, {Name: nameExpires, Value: []byte(expires)}, {Name: nameVary, Value: []byte(vary)},
		}}
		s, _, why := c.storable(&codec.Request{}, resp, false, time.Now())
		if (s == nil) == (why == "") {
			t.Fatalf("stored %v, and why not: %q", s != nil, why)
		}
		if s != nil && strings.EqualFold(strings.TrimSpace(control), "no-store") {
			t.Fatal("stored in spite of no-store")
		}
	})
}
