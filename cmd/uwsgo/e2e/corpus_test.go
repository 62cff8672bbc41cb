package e2e

import (
	"bufio"
	"bytes"
	"encoding/json"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// How the bytes of a case are sent.
var ways = []string{"whole", "byte_by_byte", "split_at_random", "half_closed"}

// TestHTTPCorpus sends every case of a corpus of HTTP requests in four ways and
// judges what client and app saw. The corpus is not part of the repository.
func TestHTTPCorpus(t *testing.T) {
	path := os.Getenv("UWSGO_HTTP_CORPUS")
	if path == "" {
		t.Skip("SKIP: UWSGO_HTTP_CORPUS names no corpus (a cases.json)")
	}
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var cases []*corpusCase
	if err := json.Unmarshal(data, &cases); err != nil {
		t.Fatal(err)
	}

	dir := shortTempDir(t)
	seenFile := filepath.Join(dir, "seen")
	port := freePort(t)
	listen := "--http"
	if option := os.Getenv("E2E_HTTP_OPTION"); option != "" { // for other binaries
		listen = option
	}
	cmd := command(filepath.Join(root, "cmd/uwsgo/e2e/testdata"), listen, "127.0.0.1:"+port, "--wsgi-file", "echo.py", "--master",
		"--processes", "4", "--disable-logging")
	cmd.Env = append(cmd.Env, "E2E_SEEN="+seenFile)
	s := launch(t, cmd)
	s.waitAnswer(t, "http://127.0.0.1:"+port+"/ready", 200)

	seed := uint64(time.Now().UnixNano())
	t.Logf("splits of seed %d", seed)
	outcomes := make([]outcome, len(cases)*len(ways))
	next := make(chan int)
	var running sync.WaitGroup
	for range 32 {
		running.Go(func() {
			for k := range next {
				c, way := cases[k/len(ways)], k%len(ways)
				outcomes[k] = play(c, way, "127.0.0.1:"+port, clientIP(k), rand.New(rand.NewPCG(seed, uint64(k))))
			}
		})
	}
	for k := range outcomes {
		next <- k
	}
	close(next)
	running.Wait()
	s.waitAnswer(t, "http://127.0.0.1:"+port+"/alive", 200)
	if err := s.stop(t, stopSignal); err != nil {
		t.Errorf("stopping after the corpus: %v", err)
	}

	seen := readSeen(t, seenFile)
	right := make([]int, len(ways))
	for k, o := range outcomes {
		c, way := cases[k/len(ways)], k%len(ways)
		o.seen = seen[clientIP(k).String()]
		if why := c.wrong(o); why != "" {
			t.Errorf("%s sent %s (%s): %s", c.ID, ways[way], c.Kind, why)
			continue
		}
		right[way]++
	}
	for way, n := range right {
		t.Logf("%-16s %d of %d right", ways[way], n, len(cases))
	}
}

// clientIP is an address of its own for each connection, by which the app's
// notes are told apart.
func clientIP(k int) net.IP { return net.IPv4(127, 1+byte(k>>16), byte(k>>8), byte(k)) }

// readSeen gives the requests that the app saw, by client address.
func readSeen(t *testing.T, path string) map[string][]map[string]string {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string][]map[string]string{}
	for line := range strings.Lines(string(data)) {
		var request map[string]string
		if err := json.Unmarshal([]byte(line), &request); err != nil {
			t.Fatalf("the app noted %q: %v", line, err)
		}
		seen[request["REMOTE_ADDR"]] = append(seen[request["REMOTE_ADDR"]], request)
	}
	return seen
}

// quiet is how long a server may keep silent after everything was sent and the
// answers that are due have come; longer where nothing at all has come.
const quiet = 300 * time.Millisecond

// play sends one case and collects what comes back.
func play(c *corpusCase, way int, addr string, from net.IP, random *rand.Rand) outcome {
	pieces, err := c.pieces()
	if err != nil {
		return outcome{}
	}
	conn, err := (&net.Dialer{LocalAddr: &net.TCPAddr{IP: from}, Timeout: patience}).Dial("tcp", addr)
	if err != nil {
		return outcome{}
	}
	defer conn.Close()
	peer := &corpusPeer{conn: conn.(*net.TCPConn), c: c}
	for i, piece := range pieces {
		sent := make(chan struct{})
		go func() {
			defer close(sent)
			send(conn, piece, way, random)
			if ways[way] == "half_closed" && i == len(pieces)-1 {
				_ = peer.conn.CloseWrite()
			}
		}()
		last := i == len(pieces)-1
		peer.read(sent, i+1, last)
		if last || peer.closed {
			_ = conn.SetWriteDeadline(time.Now()) // a server that has refused may not read on
		}
		<-sent
	}
	return peer.outcome()
}

func send(conn net.Conn, data []byte, way int, random *rand.Rand) {
	for len(data) > 0 {
		n := len(data)
		switch ways[way] {
		case "byte_by_byte":
			n = 1
		case "split_at_random":
			n = 1 + random.IntN(min(len(data), 200))
		}
		if _, err := conn.Write(data[:n]); err != nil {
			return // it has been refused, as the answer shows
		}
		data = data[n:]
		if len(data) > 0 && len(data) < 4096 {
			time.Sleep(20 * time.Microsecond) // lets the server read this part on its own
		}
	}
}

// corpusPeer is the client's side of one case.
type corpusPeer struct {
	conn   *net.TCPConn
	c      *corpusCase
	got    []byte
	closed bool
}

// read collects until the server closes, the answers that are due have come, or
// it has kept silent too long.
func (p *corpusPeer) read(sent <-chan struct{}, pieces int, last bool) {
	buf := make([]byte, 16<<10)
	begun := time.Now()
	for !p.closed {
		_ = p.conn.SetReadDeadline(time.Now().Add(quiet))
		n, err := p.conn.Read(buf)
		p.got = append(p.got, buf[:n]...)
		if err == nil {
			if !last && len(p.parse().statuses) >= pieces {
				return
			}
			continue
		}
		if !os.IsTimeout(err) {
			p.closed = true
			return
		}
		select {
		case <-sent:
		default:
			continue // still sending
		}
		o := p.parse()
		wait := patience // the answer may be late on a busy machine
		switch {
		case len(o.statuses) >= max(1, len(p.c.Expect)) && !p.c.Close, len(o.statuses) > 0 && o.statuses[0] >= 400:
			return
		case len(o.statuses) > 0 && p.c.Kind == "either", p.c.MayWait, o.junk:
			wait = quiet
		}
		if time.Since(begun) > wait {
			return
		}
	}
}

func (p *corpusPeer) outcome() outcome {
	o := p.parse()
	o.closed = p.closed
	return o
}

// parse takes the answers out of what has come so far.
func (p *corpusPeer) parse() outcome {
	o := outcome{dated: true}
	r := bufio.NewReader(bytes.NewReader(p.got))
	for {
		if _, err := r.Peek(1); err != nil {
			return o
		}
		method := "GET"
		if n := len(o.statuses); n < len(p.c.Expect) && len(p.c.Expect[n].Method.any) == 1 {
			method = p.c.Expect[n].Method.any[0]
		}
		resp, err := http.ReadResponse(r, &http.Request{Method: method})
		if err != nil {
			o.junk = p.closed || !bytes.HasPrefix(p.got, []byte("HTTP/1."))
			return o
		}
		if resp.StatusCode < 200 {
			o.interim = true
			continue
		}
		if _, err := io.Copy(io.Discard, resp.Body); err != nil {
			return o // not whole yet
		}
		o.dated = o.dated && resp.Header.Get("Date") != ""
		o.statuses = append(o.statuses, resp.StatusCode)
	}
}
