package proxy

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/uwsgo/uwsgo/engine"
	"github.com/uwsgo/uwsgo/handler/forwarded"
)

const ok = "HTTP/1.1 200 OK\r\nDate: x\r\nContent-Length: 2\r\n\r\nhi"

func TestRequestsThatGoOn(t *testing.T) {
	heads := make(chan string, 1)
	up := raw(t, func(_ int, c net.Conn, r *bufio.Reader) {
		for {
			head := readHead(r)
			if head == "" {
				return
			}
			heads <- head
			_, _ = io.WriteString(c, ok)
		}
	})
	proxies, err := forwarded.Parse([]string{"loopback"})
	if err != nil {
		t.Fatal(err)
	}
	trusting := func(fields ...string) func(engine.Handler) engine.Handler {
		return func(h engine.Handler) engine.Handler {
			h, err := forwarded.New(h, proxies, fields)
			if err != nil {
				t.Fatal(err)
			}
			return h
		}
	}
	with := func(change func(cfg *Config)) Config {
		cfg := to(up)
		change(&cfg)
		return cfg
	}
	mine := "X-Forwarded-For: 127.0.0.1\r\nX-Forwarded-Proto: http\r\nX-Forwarded-Host: h\r\n"
	tests := []struct {
		name string
		cfg  Config
		wrap func(engine.Handler) engine.Handler
		in   string
		want string
	}{
		{"usual", to(up), nil, "GET /a?b HTTP/1.1\r\nHost: h\r\nAccept: x\r\n\r\n", "GET /a?b HTTP/1.1\r\nHost: h\r\nAccept: x\r\n" + mine + "\r\n"},
		{"about_the_connection", to(up), nil, "GET / HTTP/1.1\r\nHost: h\r\nTE: trailers\r\nConnection: keep-alive, foo\r\nFoo: 1\r\nKeep-Alive: 5\r\nProxy-Connection: x\r\nProxy: y\r\n\r\n", "GET / HTTP/1.1\r\nHost: h\r\n" + mine + "\r\n"},
		{
			"client_that_says_who_it_is", to(up), nil, "GET / HTTP/1.1\r\nHost: h\r\nX-Forwarded-For: 6.6.6.6\r\nX-Forwarded-Proto: https\r\nForwarded: for=6.6.6.6\r\nX-Real-IP: 6.6.6.6\r\nX-Forwarded-Prefix: /x\r\nX-Forwarded-Host: evil\r\n\r\n",
			"GET / HTTP/1.1\r\nHost: h\r\n" + mine + "\r\n",
		},
		{
			"trusted_proxy", to(up), trusting(), "GET / HTTP/1.1\r\nHost: h\r\nX-Forwarded-For: 1.2.3.4\r\nX-Forwarded-Proto: https\r\nX-Real-IP: 6.6.6.6\r\n\r\n",
			"GET / HTTP/1.1\r\nHost: h\r\nX-Forwarded-For: 1.2.3.4, 127.0.0.1\r\nX-Forwarded-Proto: https\r\nX-Forwarded-Host: h\r\n\r\n",
		},
		{
			"trusted_proxy_with_more", to(up), trusting("X-Forwarded-For", "X-Real-IP", "X-Forwarded-Host"), "GET / HTTP/1.1\r\nHost: h\r\nX-Forwarded-For: 1.2.3.4\r\nX-Real-IP: 1.2.3.4\r\nX-Forwarded-Host: site\r\n\r\n",
			"GET / HTTP/1.1\r\nHost: site\r\nX-Real-IP: 1.2.3.4\r\nX-Forwarded-For: 1.2.3.4, 127.0.0.1\r\nX-Forwarded-Proto: http\r\nX-Forwarded-Host: site\r\n\r\n",
		},
		{
			"rfc7239", with(func(cfg *Config) { cfg.Forwarded = true }), nil, "GET / HTTP/1.1\r\nHost: h\r\n\r\n",
			"GET / HTTP/1.1\r\nHost: h\r\n" + mine + "Forwarded: for=127.0.0.1;host=\"h\";proto=http\r\n\r\n",
		},
		{
			"other_host_and_target", with(func(cfg *Config) { cfg.Host, cfg.URI = "inner", "/x" }), nil, "GET /a HTTP/1.1\r\nHost: h\r\n\r\n",
			"GET /x HTTP/1.1\r\nHost: inner\r\n" + mine + "\r\n",
		},
		{"without_host", to(up), nil, "GET / HTTP/1.0\r\n\r\n", "GET / HTTP/1.1\r\nHost: " + up + "\r\nX-Forwarded-For: 127.0.0.1\r\nX-Forwarded-Proto: http\r\n\r\n"},
		{"post_without_body", to(up), nil, "POST / HTTP/1.1\r\nHost: h\r\n\r\n", "POST / HTTP/1.1\r\nHost: h\r\n" + mine + "Content-Length: 0\r\n\r\n"},
		{"upgrade_to_nothing", to(up), nil, "GET / HTTP/1.1\r\nHost: h\r\nUpgrade: h2c\r\n\r\n", "GET / HTTP/1.1\r\nHost: h\r\n" + mine + "\r\n"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			f := newFront(t, tt.cfg, tt.wrap, engine.HTTP)
			in := tt.in
			if strings.Contains(in, "HTTP/1.1\r\n") && !strings.Contains(in, "Connection:") {
				in = strings.Replace(in, "\r\n\r\n", "\r\nConnection: close\r\n\r\n", 1)
			}
			c := dial(t, f.addr)
			c.send(t, in)
			select {
			case got := <-heads:
				if got != tt.want {
					t.Errorf("got\n%q\nwant\n%q", got, tt.want)
				}
			case <-time.After(surely):
				t.Fatal("nothing came")
			}
			c.expect(t, "HTTP/1.1 200 OK\r\n")
		})
	}
}

func TestAnswersThatGoOn(t *testing.T) {
	tests := []struct {
		name, method, up string
		want             string // with HTTP/1.1 and Connection: close
	}{
		{"length", "GET", ok, "HTTP/1.1 200 OK\r\nDate: x\r\nContent-Length: 2\r\nConnection: close\r\n\r\nhi"},
		{"reason", "GET", "HTTP/1.1 299 Fine\r\nDate: x\r\nContent-Length: 0\r\n\r\n", "HTTP/1.1 299 Fine\r\nDate: x\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"},
		{
			"chunks", "GET", "HTTP/1.1 200 OK\r\nDate: x\r\nTransfer-Encoding: chunked\r\nTrailer: A\r\n\r\n1\r\nh\r\n1;x=y\r\ni\r\n0\r\nA: b\r\n\r\n",
			"HTTP/1.1 200 OK\r\nDate: x\r\nContent-Length: 2\r\nConnection: close\r\n\r\nhi",
		},
		{
			"own_fields", "GET", "HTTP/1.1 200 OK\r\nDate: x\r\nServer: s\r\nSet-Cookie: a\r\nSet-Cookie: b\r\nConnection: foo\r\nFoo: 1\r\nKeep-Alive: timeout=5\r\nContent-Length: 0\r\n\r\n",
			"HTTP/1.1 200 OK\r\nDate: x\r\nServer: s\r\nSet-Cookie: a\r\nSet-Cookie: b\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
		},
		{"head", "HEAD", "HTTP/1.1 200 OK\r\nDate: x\r\nContent-Length: 7\r\n\r\n", "HTTP/1.1 200 OK\r\nDate: x\r\nContent-Length: 7\r\nConnection: close\r\n\r\n"},
		{"no_content", "GET", "HTTP/1.1 204 No Content\r\nDate: x\r\n\r\n", "HTTP/1.1 204 No Content\r\nDate: x\r\nConnection: close\r\n\r\n"},
		{"not_modified", "GET", "HTTP/1.1 304 Not Modified\r\nDate: x\r\nETag: e\r\nContent-Length: 9\r\n\r\n", "HTTP/1.1 304 Not Modified\r\nDate: x\r\nETag: e\r\nContent-Length: 9\r\nConnection: close\r\n\r\n"},
		{
			"early_hints", "GET", "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 102 Processing\r\n\r\n" + ok,
			"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 102 Processing\r\n\r\nHTTP/1.1 200 OK\r\nDate: x\r\nContent-Length: 2\r\nConnection: close\r\n\r\nhi",
		},
		{"continue_that_nobody_awaits", "GET", "HTTP/1.1 100 Continue\r\n\r\n" + ok, "HTTP/1.1 200 OK\r\nDate: x\r\nContent-Length: 2\r\nConnection: close\r\n\r\nhi"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			f := newFront(t, to(says(t, tt.up)), nil, engine.HTTP)
			got := ask(t, f.addr, tt.method+" / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n")
			if got != tt.want {
				t.Errorf("got\n%q\nwant\n%q", got, tt.want)
			}
		})
	}
}

// An answer that ends with its connection, or in pieces.
func TestAnswersInPieces(t *testing.T) {
	tests := []struct {
		name   string
		pieces []string
		want   string
	}{
		{"to_the_end", []string{"HTTP/1.1 200 OK\r\nDate: x\r\n\r\n", "a", "b"}, "HTTP/1.1 200 OK\r\nDate: x\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n1\r\na\r\n1\r\nb\r\n0\r\n\r\n"},
		{"length", []string{"HTTP/1.1 200 OK\r\nDate: x\r\nContent-", "Length: 2\r\n\r\na", "b"}, "HTTP/1.1 200 OK\r\nDate: x\r\nContent-Length: 2\r\nConnection: close\r\n\r\nab"},
		{"chunks", []string{"HTTP/1.1 200 OK\r\nDate: x\r\nTransfer-Encoding: chunked\r\n\r", "\n2\r\na", "b\r\n0\r\n", "\r\n"}, "HTTP/1.1 200 OK\r\nDate: x\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n1\r\na\r\n1\r\nb\r\n0\r\n\r\n"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			up := raw(t, func(_ int, c net.Conn, r *bufio.Reader) {
				readHead(r)
				for _, p := range tt.pieces {
					_, _ = io.WriteString(c, p)
					time.Sleep(20 * time.Millisecond)
				}
			})
			f := newFront(t, to(up), nil, engine.HTTP)
			if got := ask(t, f.addr, "GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n"); got != tt.want {
				t.Errorf("got\n%q\nwant\n%q", got, tt.want)
			}
		})
	}
}

// What an upstream must not say ends in 502, with a line that says why, or in a connection that is
// cut off.
func TestAnswersThatDoNotGoOn(t *testing.T) {
	tests := []struct{ name, up, why string }{
		{"two_borders", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", "both Transfer-Encoding and Content-Length"},
		{"fold", "HTTP/1.1 200 OK\r\nA: b\r\n c\r\nContent-Length: 0\r\n\r\n", "white space"},
		{"chunk", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", "chunk size"},
		{"no_http", "SSH-2.0-OpenSSH_9.2\r\n", "in the middle of a head"},
		{"bare_lf", "HTTP/1.1 200 OK\n\nhi", "LF without CR"},
		{"nothing", "", "without an answer"},
		{"cut_in_head", "HTTP/1.1 200 OK\r\nConte", "in the middle of a head"},
		{"switch_unasked", "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n", "was not asked to"},
		{"interim_for_ever", strings.Repeat("HTTP/1.1 102 Processing\r\n\r\n", 100), "without end"},
		{"large_head", "HTTP/1.1 200 OK\r\nA: " + strings.Repeat("x", DefaultHead) + "\r\n\r\n", "too large"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			up := raw(t, func(_ int, c net.Conn, r *bufio.Reader) {
				readHead(r)
				_, _ = io.WriteString(c, tt.up)
			})
			f := newFront(t, to(up), nil, engine.HTTP)
			got := ask(t, f.addr, "GET /x HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n")
			if at := strings.Index(got, "HTTP/1.1 502 "); at < 0 || strings.Contains(got[at:], "200 OK") {
				t.Errorf("got %q", got)
			}
			await(t, "a line of the log with "+tt.why, func() bool { return strings.Contains(f.log.String(), tt.why) })
			if line := f.log.String(); !strings.Contains(line, "GET /x: upstream http://"+up) || !strings.Contains(line, "the client gets 502") {
				t.Errorf("log: %s", line)
			}
		})
	}
	t.Run("cut_in_body", func(t *testing.T) {
		up := raw(t, func(_ int, c net.Conn, r *bufio.Reader) {
			readHead(r)
			_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf")
		})
		f := newFront(t, to(up), nil, engine.HTTP)
		c := dial(t, f.addr)
		c.send(t, "GET /x HTTP/1.1\r\nHost: h\r\n\r\n")
		resp, err := http.ReadResponse(c.r, nil)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.ReadAll(resp.Body); err == nil {
			t.Error("the client takes the part for the whole")
		}
	})
	t.Run("bad_chunk_in_body", func(t *testing.T) {
		up := raw(t, func(_ int, c net.Conn, r *bufio.Reader) {
			readHead(r)
			_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n")
			time.Sleep(20 * time.Millisecond)
			_, _ = io.WriteString(c, "x\r\n0\r\n\r\n")
		})
		f := newFront(t, to(up), nil, engine.HTTP)
		c := dial(t, f.addr)
		c.send(t, "GET /x HTTP/1.1\r\nHost: h\r\n\r\n")
		resp, err := http.ReadResponse(c.r, nil)
		if err != nil {
			t.Fatal(err)
		}
		if b, err := io.ReadAll(resp.Body); err == nil {
			t.Errorf("the client takes %q for the whole", b)
		}
	})
}

// echo sends back what it gets.
func echo(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("X-Length", fmt.Sprint(r.ContentLength))
	w.Header().Set("X-Remote", r.RemoteAddr)
	_ = http.NewResponseController(w).EnableFullDuplex()
	_, _ = io.Copy(w, r.Body)
}

func TestBodies(t *testing.T) {
	up := httptest.NewServer(http.HandlerFunc(echo))
	t.Cleanup(up.Close)
	f := newFront(t, to(up.URL), nil, engine.HTTP)
	for _, size := range []int{0, 1, 10 << 10, 100 << 10, 5 << 20} {
		for _, chunked := range []bool{false, true} {
			t.Run(fmt.Sprintf("%d_bytes_chunked=%t", size, chunked), func(t *testing.T) {
				body := bytes.Repeat([]byte("0123456789"), size/10+1)[:size]
				var r io.Reader = bytes.NewReader(body)
				if chunked {
					r = io.MultiReader(r) // of unknown length
				}
				resp, err := http.Post("http://"+f.addr+"/", "a/b", r)
				if err != nil {
					t.Fatal(err)
				}
				defer resp.Body.Close()
				got, err := io.ReadAll(resp.Body)
				if err != nil || !bytes.Equal(got, body) {
					t.Errorf("%d bytes came back, %v", len(got), err)
				}
				want := fmt.Sprint(size)
				if chunked {
					want = "-1"
				}
				if resp.Header.Get("X-Length") != want {
					t.Errorf("the upstream has a length of %s, want %s", resp.Header.Get("X-Length"), want)
				}
			})
		}
	}
}

// The body passes while it comes, and the answer, too.
func TestStreams(t *testing.T) {
	up := raw(t, func(_ int, c net.Conn, r *bufio.Reader) {
		readHead(r)
		_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nDate: x\r\nTransfer-Encoding: chunked\r\n\r\n")
		for {
			line, err := r.ReadString('\n')
			if err != nil {
				return
			}
			_, _ = fmt.Fprintf(c, "%x\r\n%s\r\n", len(line), line)
		}
	})
	f := newFront(t, to(up), nil, engine.HTTP)
	c := dial(t, f.addr)
	c.send(t, "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1000\r\n\r\n")
	c.expect(t, "HTTP/1.1 200 OK\r\nDate: x\r\nTransfer-Encoding: chunked\r\n\r\n")
	for range 3 {
		c.send(t, "ping\n")
		c.expect(t, "5\r\nping\n\r\n")
	}
}

func TestUpgrade(t *testing.T) {
	ended := make(chan error, 1)
	up := raw(t, func(_ int, c net.Conn, r *bufio.Reader) {
		head := readHead(r)
		if !strings.Contains(head, "Upgrade: websocket\r\n") || !strings.Contains(head, "Connection: Upgrade\r\n") {
			_, _ = io.WriteString(c, "HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")
			return
		}
		_, _ = io.WriteString(c, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: k\r\n\r\nfirst")
		_, err := io.Copy(c, r)
		ended <- err
	})
	f := newFront(t, to(up), nil, engine.HTTP)
	c := dial(t, f.addr)
	c.send(t, "GET / HTTP/1.1\r\nHost: h\r\nConnection: keep-alive, Upgrade, Sec-WebSocket-Extra\r\nUpgrade: websocket\r\nSec-WebSocket-Key: k\r\n\r\n")
	c.expect(t, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: k\r\nConnection: Upgrade\r\n\r\nfirst")
	big := strings.Repeat("0123456789", 200_000)
	go func() { _, _ = io.WriteString(c, big) }()
	c.expect(t, big)
	_ = c.Close()
	if err := <-ended; err != nil {
		t.Errorf("the upstream is told of the end by %v", err)
	}
	for _, offer := range []string{"h2c", "H2C", "websocket, h2c", "HTTP/2.0", "TLS/1.0", "websocket\r\nUpgrade: h2c"} {
		t.Run("carries requests: "+offer, func(t *testing.T) {
			up := raw(t, func(_ int, c net.Conn, r *bufio.Reader) {
				if strings.Contains(readHead(r), "Upgrade") {
					_, _ = io.WriteString(c, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: h2c\r\nConnection: Upgrade\r\n\r\n")
				} else {
					_, _ = io.WriteString(c, ok)
				}
			})
			f := newFront(t, to(up), nil, engine.HTTP)
			c := dial(t, f.addr)
			c.send(t, "GET / HTTP/1.1\r\nHost: h\r\nConnection: Upgrade, HTTP2-Settings\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\nUpgrade: "+offer+"\r\n\r\n")
			c.expect(t, "HTTP/1.1 200 OK\r\n")
		})
	}
	t.Run("refused", func(t *testing.T) {
		f := newFront(t, to(says(t, ok)), nil, engine.HTTP)
		c := dial(t, f.addr)
		c.send(t, "GET / HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
		c.expect(t, "HTTP/1.1 200 OK\r\nDate: x\r\nContent-Length: 2\r\n\r\nhi")
		c.send(t, "GET / HTTP/1.1\r\nHost: h\r\n\r\n")
		c.expect(t, "HTTP/1.1 200 OK\r\n")
	})
}

// A client that asks first is answered by the upstream: it sends no body that is refused.
func TestExpect(t *testing.T) {
	request := "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n"
	t.Run("refused", func(t *testing.T) {
		up := raw(t, func(_ int, c net.Conn, r *bufio.Reader) {
			if strings.Contains(readHead(r), "Expect: 100-continue\r\n") {
				_, _ = io.WriteString(c, "HTTP/1.1 401 Unauthorized\r\nDate: x\r\nContent-Length: 0\r\n\r\n")
			}
			_, _ = io.Copy(io.Discard, r)
		})
		f := newFront(t, to(up), nil, engine.HTTP)
		c := dial(t, f.addr)
		c.send(t, request)
		c.expect(t, "HTTP/1.1 401 Unauthorized\r\n")
	})
	t.Run("refused_and_silent", func(t *testing.T) { // in the middle of its answer: that is cut off, not the body asked for
		up := raw(t, func(_ int, c net.Conn, r *bufio.Reader) {
			readHead(r)
			_, _ = io.WriteString(c, "HTTP/1.1 401 Unauthorized\r\nDate: x\r\nContent-Length: 5\r\n\r\nn")
			_, _ = io.Copy(io.Discard, r)
		})
		cfg := to(up)
		cfg.ReadTimeout = 50 * time.Millisecond
		f := newFront(t, cfg, nil, engine.HTTP)
		if got := ask(t, f.addr, request); !strings.HasPrefix(got, "HTTP/1.1 401 ") || strings.Contains(got, "100 Continue") {
			t.Errorf("got %q", got)
		}
	})
	for _, first := range []string{"HTTP/1.1 100 Continue\r\n\r\n", ""} {
		t.Run("wanted_"+map[bool]string{true: "by_word", false: "by_silence"}[first != ""], func(t *testing.T) {
			up := raw(t, func(_ int, c net.Conn, r *bufio.Reader) {
				readHead(r)
				_, _ = io.WriteString(c, first)
				b := make([]byte, 5)
				_, _ = io.ReadFull(r, b)
				_, _ = fmt.Fprintf(c, "HTTP/1.1 200 OK\r\nDate: x\r\nContent-Length: 5\r\n\r\n%s", b)
			})
			f := newFront(t, to(up), nil, engine.HTTP)
			c := dial(t, f.addr)
			c.send(t, request)
			c.expect(t, "HTTP/1.1 100 Continue\r\n\r\n")
			c.send(t, "hello")
			c.expect(t, "HTTP/1.1 200 OK\r\nDate: x\r\nContent-Length: 5\r\n\r\nhello")
		})
	}
}

// An answer in the middle of an upload reaches the client.
func TestEarlyAnswer(t *testing.T) {
	up := raw(t, func(_ int, c net.Conn, r *bufio.Reader) {
		readHead(r)
		_, _ = io.WriteString(c, "HTTP/1.1 401 Unauthorized\r\nDate: x\r\nContent-Length: 2\r\nConnection: close\r\n\r\nno")
	})
	f := newFront(t, to(up), nil, engine.HTTP)
	c := dial(t, f.addr)
	c.send(t, "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 100000000\r\n\r\n")
	go func() {
		for range 100 {
			if _, err := c.Write(make([]byte, 64<<10)); err != nil {
				return
			}
		}
	}()
	c.expect(t, "HTTP/1.1 401 Unauthorized\r\n")
}

// Connections are used again, and those that the upstream has ended lose nothing.
func TestKeepAlive(t *testing.T) {
	get := func(t *testing.T, f *front, method string) int {
		t.Helper()
		req, _ := http.NewRequest(method, "http://"+f.addr+"/", nil)
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
		return resp.StatusCode
	}
	t.Run("used_again", func(t *testing.T) {
		var conns atomic.Int64
		up := raw(t, func(_ int, c net.Conn, r *bufio.Reader) {
			conns.Add(1)
			for readHead(r) != "" {
				_, _ = io.WriteString(c, ok)
			}
		})
		f := newFront(t, to(up), nil, engine.HTTP)
		for range 20 {
			if status := get(t, f, "GET"); status != 200 {
				t.Fatal(status)
			}
		}
		if conns.Load() != 1 {
			t.Errorf("%d connections", conns.Load())
		}
	})
	// Apps that know nothing of HEAD send a body all the same. It is nobody's answer.
	t.Run("body_of_head", func(t *testing.T) {
		for _, head := range []string{
			"HTTP/1.1 200 OK\r\nContent-Length: 44\r\n\r\n", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", "HTTP/1.1 304 Not Modified\r\nContent-Length: 44\r\n\r\n",
		} {
			up := raw(t, func(_ int, c net.Conn, r *bufio.Reader) {
				if strings.HasPrefix(readHead(r), "GET") {
					_, _ = io.WriteString(c, ok)
					return
				}
				_, _ = io.WriteString(c, head)
				if readHead(r) != "" { // the body comes late
					_, _ = io.WriteString(c, "HTTP/1.1 299 Evil\r\nContent-Length: 4\r\n\r\nevil")
				}
			})
			f := newFront(t, to(up), nil, engine.HTTP)
			get(t, f, "HEAD")
			if status := get(t, f, "GET"); status != 200 {
				t.Errorf("after %q a client gets %d", head, status)
			}
		}
	})
	t.Run("ended_without_a_word", func(t *testing.T) {
		ended := make(chan struct{}, 1)
		up := raw(t, func(_ int, c net.Conn, r *bufio.Reader) {
			readHead(r)
			_, _ = io.WriteString(c, ok)
			_ = c.Close()
			ended <- struct{}{}
		})
		f := newFront(t, to(up), nil, engine.HTTP)
		for range 50 {
			for _, method := range []string{"GET", "POST"} {
				if status := get(t, f, method); status != 200 {
					t.Fatal(method, status)
				}
				<-ended // a POST that comes just before gets 502
			}
		}
	})
	t.Run("ended_when_used_again", func(t *testing.T) {
		var requests atomic.Int64
		up := raw(t, func(_ int, c net.Conn, r *bufio.Reader) {
			readHead(r)
			_, _ = io.WriteString(c, ok)
			if readHead(r) != "" {
				requests.Add(1) // taken and not answered
			}
		})
		f := newFront(t, to(up), nil, engine.HTTP)
		for range 5 {
			if status := get(t, f, "GET"); status != 200 {
				t.Fatal(status)
			}
		}
		if requests.Load() == 0 {
			t.Error("no connection was used again")
		}
		get(t, f, "GET") // leaves an idle connection, or not
		statuses := []int{get(t, f, "POST"), get(t, f, "POST")}
		if statuses[0] == statuses[1] {
			t.Errorf("a POST that may have been run was sent again: %v", statuses)
		}
	})
	t.Run("more_than_was_asked_for", func(t *testing.T) {
		var conns atomic.Int64
		up := raw(t, func(_ int, c net.Conn, r *bufio.Reader) {
			conns.Add(1)
			for readHead(r) != "" {
				_, _ = io.WriteString(c, ok+"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil")
			}
		})
		f := newFront(t, to(up), nil, engine.HTTP)
		for range 3 {
			if got := ask(t, f.addr, "GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n"); !strings.HasSuffix(got, "\r\n\r\nhi") {
				t.Fatalf("got %q", got)
			}
		}
		if conns.Load() != 3 {
			t.Errorf("%d connections for 3 answers with something behind", conns.Load())
		}
	})
}

func TestTimeouts(t *testing.T) {
	short := func(addr string) Config {
		cfg := to(addr)
		cfg.ReadTimeout, cfg.SendTimeout, cfg.ConnectTimeout = 50*time.Millisecond, 50*time.Millisecond, 50*time.Millisecond
		return cfg
	}
	silent := func(_ int, _ net.Conn, r *bufio.Reader) { _, _ = io.Copy(io.Discard, r) }
	t.Run("no_answer", func(t *testing.T) {
		f := newFront(t, short(raw(t, silent)), nil, engine.HTTP)
		if got := ask(t, f.addr, "GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n"); !strings.HasPrefix(got, "HTTP/1.1 504 ") {
			t.Errorf("got %q", got)
		}
		if !strings.Contains(f.log.String(), "did not answer within 50ms: the client gets 504") {
			t.Errorf("log: %s", f.log)
		}
	})
	t.Run("takes_no_body", func(t *testing.T) {
		up := raw(t, func(_ int, _ net.Conn, r *bufio.Reader) {
			readHead(r)
			time.Sleep(2 * time.Second)
		})
		f := newFront(t, short(up), nil, engine.HTTP)
		c := dial(t, f.addr)
		go func() {
			_, _ = io.WriteString(c, "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 100000000\r\n\r\n")
			for range 1500 {
				if _, err := c.Write(make([]byte, 64<<10)); err != nil {
					return
				}
			}
		}()
		c.expect(t, "HTTP/1.1 504 ")
	})
	t.Run("a_slow_client_has_its_own_time", func(t *testing.T) {
		up := raw(t, func(_ int, c net.Conn, r *bufio.Reader) {
			readHead(r)
			_, _ = io.ReadFull(r, make([]byte, 2))
			_, _ = io.WriteString(c, ok)
		})
		f := newFront(t, short(up), nil, engine.HTTP)
		c := dial(t, f.addr)
		c.send(t, "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\na")
		time.Sleep(200 * time.Millisecond)
		c.send(t, "b")
		c.expect(t, "HTTP/1.1 200 OK\r\n")
	})
	t.Run("nobody_there", func(t *testing.T) {
		ln, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		addr := ln.Addr().String()
		_ = ln.Close()
		f := newFront(t, short(addr), nil, engine.HTTP)
		if got := ask(t, f.addr, "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\nConnection: close\r\n\r\nhi"); !strings.HasPrefix(got, "HTTP/1.1 502 ") {
			t.Errorf("got %q", got)
		}
		if !strings.Contains(f.log.String(), "connection refused") {
			t.Errorf("log: %s", f.log)
		}
	})
}

// A client that goes takes its request to the upstream with it.
func TestClientGoes(t *testing.T) {
	began, ended := make(chan struct{}), make(chan struct{})
	up := raw(t, func(_ int, _ net.Conn, r *bufio.Reader) {
		readHead(r)
		close(began)
		_, _ = r.ReadByte()
		close(ended)
	})
	f := newFront(t, to(up), nil, engine.HTTP)
	c := dial(t, f.addr)
	c.send(t, "GET / HTTP/1.1\r\nHost: h\r\n\r\n")
	<-began
	_ = c.Conn.(*net.TCPConn).SetLinger(0)
	_ = c.Close()
	select {
	case <-ended:
	case <-time.After(surely):
		t.Error("the upstream goes on")
	}
}

// Whoever reads nothing has the other side wait.
func TestBackPressure(t *testing.T) {
	t.Run("answer", func(t *testing.T) {
		var wrote atomic.Int64
		up := raw(t, func(_ int, c net.Conn, r *bufio.Reader) {
			readHead(r)
			_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 200000000\r\n\r\n")
			for range 3125 {
				if _, err := c.Write(make([]byte, 64000)); err != nil {
					return
				}
				wrote.Add(64000)
			}
		})
		f := newFront(t, to(up), nil, engine.HTTP)
		c := dial(t, f.addr)
		c.send(t, "GET / HTTP/1.1\r\nHost: h\r\n\r\n")
		last := int64(-1)
		await(t, "the upstream stops", func() bool {
			before := last
			last = wrote.Load()
			time.Sleep(100 * time.Millisecond)
			return last > 0 && last == before
		})
		if last > 100e6 {
			t.Errorf("the proxy has taken %d bytes that nobody reads", last)
		}
		resp, err := http.ReadResponse(c.r, nil)
		if err != nil {
			t.Fatal(err)
		}
		if n, err := io.Copy(io.Discard, resp.Body); n != 200e6 || err != nil {
			t.Errorf("%d bytes came, %v", n, err)
		}
	})
	t.Run("upload", func(t *testing.T) {
		goOn := make(chan struct{})
		up := raw(t, func(_ int, c net.Conn, r *bufio.Reader) {
			readHead(r)
			<-goOn
			_, _ = io.CopyN(io.Discard, r, 200e6)
			_, _ = io.WriteString(c, ok)
		})
		f := newFront(t, to(up), nil, engine.HTTP)
		c := dial(t, f.addr)
		c.send(t, "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 200000000\r\n\r\n")
		var wrote atomic.Int64
		go func() {
			for range 3125 {
				if _, err := c.Write(make([]byte, 64000)); err != nil {
					return
				}
				wrote.Add(64000)
			}
		}()
		last := int64(-1)
		await(t, "the client stops", func() bool {
			before := last
			last = wrote.Load()
			time.Sleep(100 * time.Millisecond)
			return last > 0 && last == before
		})
		if last > 100e6 {
			t.Errorf("the proxy has taken %d bytes that nobody reads", last)
		}
		close(goOn)
		c.expect(t, "HTTP/1.1 200 OK\r\n")
	})
}

func TestUnixSocket(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	ln, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	rawOn(t, ln, func(_ int, c net.Conn, r *bufio.Reader) {
		for readHead(r) != "" {
			_, _ = io.WriteString(c, ok)
		}
	})
	for _, addr := range []string{"unix:" + path, path, "http://unix:" + path, "http://unix:" + path + ":/"} {
		f := newFront(t, to(addr), nil, engine.HTTP)
		for range 2 {
			if got := ask(t, f.addr, "GET / HTTP/1.0\r\n\r\n"); !strings.HasSuffix(got, "hi") {
				t.Errorf("%s: got %q", addr, got)
			}
		}
	}
}

// Pipelined requests have their answers in order.
func TestPipeline(t *testing.T) {
	up := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { _, _ = io.WriteString(w, r.URL.Path) }))
	t.Cleanup(up.Close)
	f := newFront(t, to(up.URL), nil, engine.HTTP)
	c := dial(t, f.addr)
	var all strings.Builder
	for i := range 100 {
		fmt.Fprintf(&all, "GET /%d HTTP/1.1\r\nHost: h\r\n\r\n", i)
	}
	c.send(t, all.String())
	for i := range 100 {
		resp, err := http.ReadResponse(c.r, nil)
		if err != nil {
			t.Fatal(err)
		}
		if b, _ := io.ReadAll(resp.Body); string(b) != fmt.Sprintf("/%d", i) {
			t.Fatalf("%d: got %q", i, b)
		}
	}
}

func TestAddresses(t *testing.T) {
	tests := []struct{ in, want, wrong string }{
		{in: "127.0.0.1:80", want: "http://127.0.0.1:80"},
		{in: ":8080", want: "http://127.0.0.1:8080"},
		{in: "http://host", want: "http://host:80"},
		{in: "http://host/", want: "http://host:80"},
		{in: "http://[::1]:8080", want: "http://[::1]:8080"},
		{in: "http://[::1]", want: "http://[::1]:80"},
		{in: "[fe80::1%lo]:80", want: "http://[fe80::1%lo]:80"},
		{in: "uwsgi://app:3031", want: "uwsgi://app:3031"},
		{in: "uwsgi://unix:/run/x", want: "uwsgi://unix:/run/x"},
		{in: "@name", want: "http://unix:@name"},
		{in: "::1:8080", wrong: "brackets"},
		{in: "::1", wrong: "brackets"},
		{in: "uwsgi://app", wrong: "port is missing"},
		{in: "http://host/path", wrong: "without path"},
		{in: "http://user@host", wrong: "without path or user"},
		{in: "ftp://host", wrong: "not spoken"},
		{in: "host:99999", wrong: "not a number"},
		{in: "host:0", wrong: "not a number"},
		{in: "", wrong: "missing"},
		{in: "unix:", wrong: "missing"},
	}
	for _, tt := range tests {
		a, err := parseAddress(tt.in, "http")
		switch {
		case tt.wrong != "":
			if err == nil || !strings.Contains(err.Error(), tt.wrong) {
				t.Errorf("%q: %v", tt.in, err)
			}
		case err != nil || a.String() != tt.want:
			t.Errorf("%q: %s, %v", tt.in, a, err)
		}
	}
}
