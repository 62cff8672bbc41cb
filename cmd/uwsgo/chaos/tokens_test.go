package chaos

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// tokenLarge is the size of most answers of testdata/tokens.py.
const tokenLarge = 100_000

// tokenKinds are the answers of testdata/tokens.py, with the size of each.
var tokenKinds = []struct {
	name string
	size int
	post bool
}{
	{"small", 100, false},
	{"large", tokenLarge, false},
	{"streamed", tokenLarge, false},
	{"written", tokenLarge, false},
	{"file", tokenLarge, false},
	{"upload", 200_000, true},
	{"raises", tokenLarge, false},
	{"alarm", tokenLarge, false},
	{"thrown", tokenLarge, false},
	{"keeps", tokenLarge, false},
}

// pattern is what the answer to a token consists of.
func pattern(token string, size int) []byte {
	line := "token " + token + "\n"
	return []byte(strings.Repeat(line, size/len(line)+1)[:size])
}

// foreign says what is wrong with an answer to a token, whole or cut off: any byte that
// is not the token's own. It is "" where nothing is wrong.
func foreign(token string, size, status int, header http.Header, got []byte, whole bool) string {
	if status != http.StatusOK {
		if bytes.Contains(got, []byte("token")) || bytes.Contains(got, []byte("stale")) || header.Get("X-Token") != "" {
			return fmt.Sprintf("status %d carries an answer", status)
		}
		return ""
	}
	want := pattern(token, size)
	switch {
	case header.Get("X-Token") != token:
		return fmt.Sprintf("the head is that of %q", header.Get("X-Token"))
	case len(got) > len(want):
		return fmt.Sprintf("%d bytes for %d", len(got), len(want))
	case whole && len(got) < len(want):
		return fmt.Sprintf("%d bytes of %d are a whole answer", len(got), len(want))
	}
	for i := range got {
		if got[i] != want[i] {
			return fmt.Sprintf("byte %d begins %q", i, got[i:min(i+40, len(got))])
		}
	}
	return ""
}

// tokenTally is what all clients saw together.
type tokenTally struct {
	mu sync.Mutex
	// Guarded by mu.
	asked, right, cut, vanished int
	rights                      map[string]int // by kind
	statuses                    map[int]int
	foreign                     []string
}

// client asks for answers of every kind until stop is closed, on a connection that it keeps.
func (y *tokenTally) client(s *server, number int, stop <-chan struct{}) {
	client := http.Client{Timeout: patience, Transport: &http.Transport{MaxConnsPerHost: 1}}
	defer client.CloseIdleConnections()
	random := rand.New(rand.NewPCG(uint64(number), 1))
	for n := 0; ; n++ {
		select {
		case <-stop:
			return
		default:
		}
		kind := tokenKinds[random.IntN(len(tokenKinds))]
		token := fmt.Sprintf("%02d-%07d", number, n)
		url := "http://" + s.addr + "/t/" + kind.name + "?" + token
		if random.IntN(20) == 0 {
			y.vanish(s.addr, kind.name, token, 1+random.IntN(5000))
			continue
		}
		y.asks(&client, url, kind.name, token, kind.size, kind.post)
	}
}

func (y *tokenTally) asks(client *http.Client, url, kind, token string, size int, post bool) {
	method, body := http.MethodGet, io.Reader(nil)
	if post {
		method, body = http.MethodPost, bytes.NewReader(pattern(token, size))
	}
	req, err := http.NewRequest(method, url, body)
	if err != nil {
		panic(err) // the URL is ours
	}
	resp, err := client.Do(req)
	var got []byte
	if err == nil {
		got, err = io.ReadAll(resp.Body)
		resp.Body.Close()
	}
	y.mu.Lock()
	defer y.mu.Unlock()
	y.asked++
	if resp == nil {
		y.cut++
		return
	}
	if what := foreign(token, size, resp.StatusCode, resp.Header, got, err == nil); what != "" {
		y.foreign = append(y.foreign, fmt.Sprintf("%s %s: %s", kind, token, what))
	}
	switch {
	case err != nil:
		y.cut++
	case resp.StatusCode == http.StatusOK:
		y.right++
		y.rights[kind]++
	default:
		y.statuses[resp.StatusCode]++
	}
}

// vanish asks, reads once, at most that many bytes, and is gone.
func (y *tokenTally) vanish(addr, kind, token string, read int) {
	c, err := net.DialTimeout("tcp", addr, patience)
	if err != nil {
		return
	}
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(patience))
	_, _ = fmt.Fprintf(c, "GET /t/%s?%s HTTP/1.1\r\nHost: x\r\n\r\n", kind, token)
	_, _ = c.Read(make([]byte, read))
	y.mu.Lock()
	defer y.mu.Unlock()
	y.vanished++
}

// TestTokens has an app do whatever could put one client's bytes into another's answer:
// it keeps what it was given, is interrupted in the middle of answers, raises, and dies,
// while clients vanish.
func TestTokens(t *testing.T) {
	const clients = 32
	app, err := filepath.Abs("testdata/tokens.py")
	if err != nil {
		t.Fatal(err)
	}
	s := start(t, append(slices.Clone(pool), "--mount", "/t="+app, "--manage-script-name", "--worker-reload-mercy", "5")...) // exceptions in threading's own code can hang the app
	f := newFinding(t, "Answers stay apart", fmt.Sprintf(
		"%v with %d clients on %d × %d workers. Each answer consists of its request's own token: small ones, 100 KB whole, streamed, written, from a file, and echoed uploads. "+
			"Meanwhile the app raises in the middle of answers, has alarms and exceptions of other threads raised in whatever it does, and writes to requests that have ended; "+
			"clients vanish, and every two seconds a worker gets SIGKILL.",
		lasting(10*time.Minute, 6*time.Second), clients, workers, threads))
	y := &tokenTally{rights: map[string]int{}, statuses: map[int]int{}}
	k := &killer{s: s}
	stopKills := during(2*time.Second, k.kill)
	stop := make(chan struct{})
	var running sync.WaitGroup
	for number := range clients {
		running.Go(func() { y.client(s, number, stop) })
	}
	time.Sleep(lasting(10*time.Minute, 6*time.Second))
	close(stop)
	running.Wait()
	stopKills()

	killed := len(k.all())
	f.figure("requests", y.asked)
	f.figure("whole answers", y.right)
	f.figure("cut off, as the client can tell", y.cut)
	f.figure("answered 500", y.statuses[500])
	f.figure("clients that vanished", y.vanished)
	f.must(len(y.foreign) == 0, "answers with a byte of another's", len(y.foreign), "0")
	for _, what := range y.foreign[:min(10, len(y.foreign))] {
		t.Error(what)
	}
	f.must(killed > 0, "workers killed", killed, "at least 1")
	f.must(y.statuses[502] <= killed*threads, "answered 502", y.statuses[502], fmt.Sprintf("at most %d for each worker killed", threads))
	for _, kind := range tokenKinds {
		if kind.name != "raises" && y.rights[kind.name] == 0 {
			t.Errorf("no whole answer of kind %s in %d requests", kind.name, y.asked)
		}
	}
	for status, n := range y.statuses {
		if status != 500 && status != 502 && status != 503 { // 503: the app has left no descriptor for a body
			t.Errorf("%d answers with status %d", n, status)
		}
	}
}

// TestForeign sees to it that the scenario would notice what it looks for.
func TestForeign(t *testing.T) {
	own := pattern("01-0000002", 100)
	head := http.Header{"X-Token": {"01-0000002"}}
	for _, tt := range []struct {
		name   string
		status int
		header http.Header
		got    []byte
		err    error
		fault  bool
	}{
		{"right", 200, head, own, nil, false},
		{"cut_off", 200, head, own[:50], errors.New("cut off"), false},
		{"short_and_whole", 200, head, own[:50], nil, true},
		{"too_long", 200, head, append(slices.Clone(own), 'x'), nil, true},
		{"head_of_another", 200, http.Header{"X-Token": {"01-0000003"}}, own, nil, true},
		{"body_of_another", 200, head, pattern("01-0000003", 100), nil, true},
		{"tail_of_another", 200, head, append(slices.Clone(own[:60]), pattern("01-0000003", 40)...), errors.New("cut off"), true},
		{"error_page", 502, http.Header{}, []byte("Bad Gateway"), nil, false},
		{"error_with_an_answer", 500, http.Header{}, own, nil, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := foreign("01-0000002", 100, tt.status, tt.header, tt.got, tt.err == nil); (got != "") != tt.fault {
				t.Errorf("got %q", got)
			}
		})
	}
}
