package engine

import (
	"bytes"
	"io"
	"net"
	"os"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// veiled is a transport that changes every byte, as TLS would.
type veiled struct {
	*socket
}

const veil = 0x5a

func veilOf(p []byte) []byte {
	b := bytes.Clone(p)
	for i := range b {
		b[i] ^= veil
	}
	return b
}

func (v *veiled) read(p []byte) (int, error) {
	n, err := v.socket.read(p)
	copy(p, veilOf(p[:max(n, 0)]))
	return n, err
}

func (v *veiled) peek(p []byte) (int, error) {
	n, err := v.socket.peek(p)
	copy(p, veilOf(p[:max(n, 0)]))
	return n, err
}

func (v *veiled) write(p []byte) (int, error) { return v.socket.write(veilOf(p)) }

func (v *veiled) sendFile(f *os.File, off, n int64) (int64, error) {
	p := make([]byte, min(n, 10_000))
	if n, err := f.ReadAt(p, off); n < len(p) {
		return 0, err
	}
	sent, err := v.write(p)
	if err == unix.EAGAIN {
		return 0, err
	}
	return int64(max(sent, 0)), err
}

// unveiled is the client's side.
type unveiled struct{ net.Conn }

func (c unveiled) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	copy(p, veilOf(p[:n]))
	return n, err
}

func (c unveiled) Write(p []byte) (int, error) { return c.Conn.Write(veilOf(p)) }

// Nothing goes past the transport: requests, bodies, answers, files, tunnels and cut answers
// are as they are on a bare descriptor.
func TestTransport(t *testing.T) {
	big := pattern(1 << 20)
	name := tempFile(t, big)
	for _, addr := range []string{"127.0.0.1:0", "unix"} {
		t.Run(addr, func(t *testing.T) {
			srv, err := New(Options{Logf: t.Logf, TempDir: t.TempDir(), carry: func(s *socket) transport { return &veiled{socket: s} }})
			if err != nil {
				t.Fatal(err)
			}
			network := "tcp"
			if addr == "unix" {
				network, addr = "unix", t.TempDir()+"/s"
			}
			ln, err := srv.Listen(addr, ListenOptions{})
			if err != nil {
				t.Fatal(err)
			}
			serve(t, srv, HandlerFunc(func(x *Exchange) {
				switch string(x.Request().Path()) {
				case "/file":
					x.ReplyFile(x.Response(), openFile(t, name), 0, int64(len(big)))
				case "/cut":
					pieces(x, -1, "begun")
					x.Abort()
				default:
					echo(x)
				}
			}))
			talk := func(raw string) (string, error) {
				c, err := net.Dial(network, ln.String())
				if err != nil {
					t.Fatal(err)
				}
				defer c.Close()
				go func() { _, _ = io.WriteString(unveiled{c}, raw) }()
				b, err := io.ReadAll(unveiled{c})
				return string(b), err
			}
			const end = " HTTP/1.0\r\n"
			for _, body := range []string{"hello", strings.Repeat("x", 300_000)} {
				got, err := talk(strings.Replace(request(t, HTTP, "POST", "/a", body), " HTTP/1.1\r\n", end, 1))
				if _, bodies := answers(t, got, "POST"); err != nil || len(bodies) != 1 || !strings.HasSuffix(bodies[0], ":"+body) {
					t.Errorf("echo of %d bytes: %.100q, %v", len(body), got, err)
				}
			}
			got, err := talk("GET /file" + end + "\r\n")
			if _, bodies := answers(t, got, "GET"); err != nil || len(bodies) != 1 || bodies[0] != string(big) {
				t.Errorf("file: %.100q, %v", got, err)
			}
			if got, err := talk("GET /cut" + end + "\r\n"); err == nil || !strings.HasSuffix(got, "begun") {
				t.Errorf("cut: %q and a good end", got)
			}
		})
	}
}
