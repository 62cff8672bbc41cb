package engine

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

func TestEveryKindOfListenerAtOnce(t *testing.T) {
	srv, err := New(Options{Logf: t.Logf, Loops: 2})
	if err != nil {
		t.Fatal(err)
	}
	type way struct {
		protocol      Protocol
		network, addr string
	}
	var ways []way
	for _, p := range []Protocol{HTTP, UWSGI} {
		listen := func(addr string) *Listener {
			t.Helper()
			ln, err := srv.Listen(addr, ListenOptions{Protocol: p})
			if err != nil {
				t.Fatal(err)
			}
			return ln
		}
		both := listen(":0").Port()
		path := filepath.Join(t.TempDir(), "s")
		name := fmt.Sprintf("@uwsgo-test-%d-%v", os.Getpid(), p)
		ways = append(ways,
			way{p, "tcp4", fmt.Sprintf("127.0.0.1:%d", both)},
			way{p, "tcp6", fmt.Sprintf("[::1]:%d", both)},
			way{p, "tcp4", fmt.Sprintf("127.0.0.1:%d", listen("127.0.0.1:0").Port())},
			way{p, "tcp6", fmt.Sprintf("[::1]:%d", listen("[::1]:0").Port())},
			way{p, "unix", listen(path).String()},
			way{p, "unix", listen(name).String()})
	}
	serve(t, srv, HandlerFunc(func(x *Exchange) {
		x.ReplyText(200, fmt.Sprintf("%s|%s|%v", x.Request().Path(), x.AppendRemoteAddr(nil), x.RemotePort() != 0))
	}))
	for _, w := range ways {
		t.Run(fmt.Sprintf("%v_%s_%s", w.protocol, w.network, w.addr), func(t *testing.T) {
			c, err := net.Dial(w.network, w.addr)
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			_ = c.SetDeadline(time.Now().Add(10 * time.Second))
			write(t, c, request(t, w.protocol, "GET", "/here", ""))
			resp, err := http.ReadResponse(bufio.NewReader(c), nil)
			if err != nil {
				t.Fatal(err)
			}
			got, _ := io.ReadAll(resp.Body)
			want := map[string]string{"tcp4": "/here|127.0.0.1|true", "tcp6": "/here|::1|true", "unix": "/here||false"}[w.network]
			if string(got) != want {
				t.Errorf("got %q, want %q", got, want)
			}
		})
	}
	eventually(t, "every connection closed", func() bool { return srv.Stats().Conns == 0 })
	st := srv.Stats()
	if n := uint64(len(ways)); st.Accepted != n || st.Requests != n || st.Status[2] != n || st.Refused != 0 {
		t.Errorf("counted %+v, want %d of each", st, n)
	}
}

func TestConnectionLimit(t *testing.T) {
	for _, loops := range []int{1, 3} {
		t.Run(fmt.Sprint(loops), func(t *testing.T) {
			const limit, clients = 3, 12
			srv, addr := start(t, echo, Options{MaxConns: limit, Loops: loops}, ListenOptions{})
			var conns []*net.TCPConn
			for i := range clients {
				c := dial(t, addr)
				write(t, c, request(t, HTTP, "GET", fmt.Sprintf("/%d", i), ""))
				conns = append(conns, c)
			}
			answered := make(chan int)
			for i, c := range conns {
				go func() {
					resp, err := http.ReadResponse(bufio.NewReader(c), nil)
					if err != nil {
						t.Errorf("client %d: %v", i, err)
					} else if b, _ := io.ReadAll(resp.Body); string(b) != fmt.Sprintf("GET /%d? 0:", i) {
						t.Errorf("client %d got %q", i, b)
					}
					answered <- i
				}()
			}
			for range conns {
				if n := srv.Stats().Conns; n > limit+int64(loops)-1 {
					t.Errorf("%d connections open", n)
				}
				_ = conns[<-answered].Close() // makes room for another
			}
		})
	}
}

// Accepting must survive a lack of descriptors, and those who came meanwhile are
// served when there are some again.
func TestOutOfDescriptors(t *testing.T) {
	var logs logLines
	srv, addr := start(t, echo, Options{Logf: logs.add}, ListenOptions{})
	warm := talk(t, addr, request(t, HTTP, "GET", "/", "")) // whatever is opened once is open
	if !strings.HasSuffix(warm, "GET /? 0:") {
		t.Fatalf("got %q", warm)
	}
	eventually(t, "the first connection closed", func() bool { return srv.Stats().Conns == 0 })

	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		t.Fatal(err)
	}
	low := limit
	low.Cur = 256
	if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &low); err != nil {
		t.Fatal(err)
	}
	var fillers []int
	release := func() {
		for _, fd := range fillers {
			_ = unix.Close(fd)
		}
		fillers = nil
		_ = unix.Setrlimit(unix.RLIMIT_NOFILE, &limit)
	}
	defer release()
	for {
		fd, err := unix.Open("/dev/null", unix.O_RDONLY|unix.O_CLOEXEC, 0)
		if err != nil {
			break
		}
		fillers = append(fillers, fd)
	}
	last := len(fillers) - 1
	_ = unix.Close(fillers[last]) // for the client's own
	fillers = fillers[:last]
	c := dial(t, addr)
	write(t, c, request(t, HTTP, "GET", "/late", ""))
	eventually(t, "accepting fails", func() bool { return srv.Stats().NoFiles > 1 })
	release()
	resp, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		t.Fatal(err)
	}
	if b, _ := io.ReadAll(resp.Body); string(b) != "GET /late? 0:" {
		t.Errorf("got %q", b)
	}
	if n := logs.count("cannot accept connections"); n != 1 {
		t.Errorf("said %d times that descriptors are out, want once", n)
	}
}

// A paused server serves the connections it has, and the others when it goes on.
func TestPause(t *testing.T) {
	srv, addr := start(t, HandlerFunc(func(x *Exchange) { x.ReplyText(200, "here") }), Options{}, ListenOptions{})
	get := request(t, HTTP, "GET", "/", "")
	status := func(in *bufio.Reader) int {
		t.Helper()
		resp, err := http.ReadResponse(in, nil)
		if err != nil {
			t.Fatal(err)
		}
		_, _ = io.Copy(io.Discard, resp.Body)
		return resp.StatusCode
	}
	open := dial(t, addr)
	openIn := bufio.NewReader(open)
	write(t, open, get)
	status(openIn)
	srv.Pause(true)
	onLoops(t, srv)
	late := dial(t, addr)
	write(t, late, get)
	write(t, open, get)
	if got := status(openIn); got != 200 {
		t.Errorf("on a connection from before: %d", got)
	}
	onLoops(t, srv)
	if n := srv.Stats().Accepted; n != 1 {
		t.Errorf("%d connections accepted, want the one from before", n)
	}
	srv.Pause(false)
	if got := status(bufio.NewReader(late)); got != 200 {
		t.Errorf("afterwards: %d", got)
	}
}
