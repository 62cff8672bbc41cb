package e2e

import (
	"bufio"
	"bytes"
	be "encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

const socketApp = `
import os, time
import uwsgi

def application(environ, start_response):
    path = environ["PATH_INFO"]
    if path == "/echo":
        uwsgi.websocket_handshake(environ["HTTP_SEC_WEBSOCKET_KEY"], environ.get("HTTP_ORIGIN", ""))
        while True:
            message = uwsgi.websocket_recv()
            try:
                message.decode()
            except ValueError:
                uwsgi.websocket_send_binary(message)
            else:
                uwsgi.websocket_send(message)
    if path == "/once":
        uwsgi.websocket_handshake()
        uwsgi.websocket_send("pid %d" % os.getpid())
        return b""
    if path == "/raises":
        uwsgi.websocket_handshake()
        raise ValueError("as asked")
    if path == "/polls":
        uwsgi.websocket_handshake("", "", "chat")
        fd = uwsgi.connection_fd()
        while True:
            uwsgi.wait_fd_read(fd, 3)
            uwsgi.suspend()
            message = uwsgi.websocket_recv_nb()
            if message:
                uwsgi.websocket_send("%s %s" % (message.decode(), uwsgi.ready_fd() == fd))
    if path == "/floods":
        uwsgi.websocket_handshake()
        for _ in range(200):
            uwsgi.websocket_send_binary(b"f" * 100000)
        return b""
    start_response("404 Not Found" if path == "/missing" else "200 OK", [("X-Pid", str(os.getpid()))])
    return [b"a page"]
`

// wsClient speaks WebSocket frame by frame.
type wsClient struct {
	net.Conn
	r    *bufio.Reader
	head string
}

// dialWS asks for a WebSocket and returns the status of the answer.
func dialWS(t *testing.T, addr, path string) (*wsClient, int) {
	t.Helper()
	c, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	_ = c.SetDeadline(time.Now().Add(patience))
	fmt.Fprintf(c, "GET %s HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n", path)
	w := &wsClient{Conn: c, r: bufio.NewReader(c)}
	for !strings.HasSuffix(w.head, "\r\n\r\n") {
		line, err := w.r.ReadString('\n')
		if err != nil {
			t.Fatalf("%s: %v after %q", path, err, w.head)
		}
		w.head += line
	}
	var status int
	_, _ = fmt.Sscanf(w.head, "HTTP/1.1 %d", &status)
	if status == 101 && !strings.Contains(w.head, "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=") {
		t.Errorf("%s: no proof in %q", path, w.head)
	}
	return w, status
}

// wsFrame returns a frame with a mask; first is FIN, reserved bits and opcode.
func wsFrame(first byte, payload string) []byte {
	b := []byte{first}
	switch n := len(payload); {
	case n < 126:
		b = append(b, 0x80|byte(n))
	case n < 1<<16:
		b = be.BigEndian.AppendUint16(append(b, 0x80|126), uint16(n))
	default:
		b = be.BigEndian.AppendUint64(append(b, 0x80|127), uint64(n))
	}
	mask := []byte{0x37, 0xfa, 0x21, 0x3d}
	b = append(b, mask...)
	for i := range len(payload) {
		b = append(b, payload[i]^mask[i%4])
	}
	return b
}

// next returns a frame of the server's.
func (w *wsClient) next() (first byte, payload string, err error) {
	head := make([]byte, 2)
	if _, err = io.ReadFull(w.r, head); err != nil {
		return 0, "", err
	}
	n := uint64(head[1])
	switch n {
	case 126:
		var size uint16
		err = be.Read(w.r, be.BigEndian, &size)
		n = uint64(size)
	case 127:
		err = be.Read(w.r, be.BigEndian, &n)
	}
	if err != nil || n > 1<<24 {
		return 0, "", errors.Join(err, fmt.Errorf("a frame of %d bytes", n))
	}
	b := make([]byte, n)
	_, err = io.ReadFull(w.r, b)
	return head[0], string(b), err
}

// code returns the payload of a Close frame.
func code(n uint16, reason string) string {
	return string(be.BigEndian.AppendUint16(nil, n)) + reason
}

const (
	fin  = 0x80
	text = 1
	bin  = 2
	cls  = 8
	ping = 9
	pong = 10
)

// wsCases are RFC 6455's rules: what a client sends, and the frames that come back.
var wsCases = []struct {
	name string
	send [][]byte
	want []string // first byte and payload; the Close frame by its code
}{
	{"empty_text", [][]byte{wsFrame(fin|text, "")}, []string{"\x81"}},
	{"text", [][]byte{wsFrame(fin|text, "hello")}, []string{"\x81hello"}},
	{"text_125", [][]byte{wsFrame(fin|text, strings.Repeat("a", 125))}, []string{"\x81" + strings.Repeat("a", 125)}},
	{"text_126", [][]byte{wsFrame(fin|text, strings.Repeat("a", 126))}, []string{"\x81" + strings.Repeat("a", 126)}},
	{"text_65535", [][]byte{wsFrame(fin|text, strings.Repeat("a", 65535))}, []string{"\x81" + strings.Repeat("a", 65535)}},
	{"text_65536", [][]byte{wsFrame(fin|text, strings.Repeat("a", 65536))}, []string{"\x81" + strings.Repeat("a", 65536)}},
	{"text_1MiB", [][]byte{wsFrame(fin|text, strings.Repeat("a", 1<<20))}, []string{"\x81" + strings.Repeat("a", 1<<20)}},
	{"too_large", [][]byte{wsFrame(fin|text, strings.Repeat("a", 1<<20+1))}, []string{"\x88" + code(1009, "")}},
	{"too_large_in_pieces", [][]byte{wsFrame(text, strings.Repeat("a", 1<<20)), wsFrame(fin, "b")}, []string{"\x88" + code(1009, "")}},
	{"binary", [][]byte{wsFrame(fin|bin, "\x00\xff")}, []string{"\x82\x00\xff"}},
	{"pieces", [][]byte{wsFrame(text, "a"), wsFrame(0, ""), wsFrame(0, "b"), wsFrame(fin, "c")}, []string{"\x81abc"}},
	{"ping_between_pieces", [][]byte{wsFrame(text, "a"), wsFrame(fin|ping, "p"), wsFrame(fin, "b")}, []string{"\x8ap", "\x81ab"}},
	{"ping", [][]byte{wsFrame(fin|ping, ""), wsFrame(fin|ping, strings.Repeat("p", 125))}, []string{"\x8a", "\x8a" + strings.Repeat("p", 125)}},
	{"ping_126", [][]byte{wsFrame(fin|ping, strings.Repeat("p", 126))}, []string{"\x88" + code(1002, "")}},
	{"ping_in_pieces", [][]byte{wsFrame(ping, "p")}, []string{"\x88" + code(1002, "")}},
	{"unasked_pong", [][]byte{wsFrame(fin|pong, "x"), wsFrame(fin|text, "a")}, []string{"\x81a"}},
	{"rsv1", [][]byte{wsFrame(fin|0x40|text, "a")}, []string{"\x88" + code(1002, "")}},
	{"rsv2_ping", [][]byte{wsFrame(fin|0x20|ping, "")}, []string{"\x88" + code(1002, "")}},
	{"rsv3_close", [][]byte{wsFrame(fin|0x10|cls, "")}, []string{"\x88" + code(1002, "")}},
	{"opcode_3", [][]byte{wsFrame(fin|3, "a")}, []string{"\x88" + code(1002, "")}},
	{"opcode_7", [][]byte{wsFrame(fin|7, "")}, []string{"\x88" + code(1002, "")}},
	{"opcode_11", [][]byte{wsFrame(fin|11, "")}, []string{"\x88" + code(1002, "")}},
	{"opcode_15", [][]byte{wsFrame(fin|15, "a")}, []string{"\x88" + code(1002, "")}},
	{"continuation_of_nothing", [][]byte{wsFrame(fin, "a")}, []string{"\x88" + code(1002, "")}},
	{"continuation_after_the_end", [][]byte{wsFrame(fin|text, "a"), wsFrame(0, "b")}, []string{"\x81a", "\x88" + code(1002, "")}},
	{"text_within_text", [][]byte{wsFrame(text, "a"), wsFrame(fin|text, "b")}, []string{"\x88" + code(1002, "")}},
	{"no_mask", [][]byte{{fin | text, 1, 'a'}}, []string{"\x88" + code(1002, "")}},
	{"length_126_for_1", [][]byte{{fin | text, 0x80 | 126, 0, 1, 0, 0, 0, 0, 'a'}}, []string{"\x88" + code(1002, "")}},
	{"length_127_for_1", [][]byte{{fin | text, 0x80 | 127, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 'a'}}, []string{"\x88" + code(1002, "")}},
	{"length_of_64_bits", [][]byte{{fin | text, 0x80 | 127, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0}}, []string{"\x88" + code(1002, "")}},
	{"utf8", [][]byte{wsFrame(fin|text, "κόσμε \U0010ffff")}, []string{"\x81κόσμε \U0010ffff"}},
	{"utf8_in_pieces", [][]byte{wsFrame(text, "\xce"), wsFrame(0, "\xba\xf4\x8f"), wsFrame(fin, "\xbf\xbf")}, []string{"\x81κ\U0010ffff"}},
	{"not_utf8", [][]byte{wsFrame(fin|text, "a\xff")}, []string{"\x88" + code(1007, "")}},
	{"utf8_cut_off", [][]byte{wsFrame(fin|text, "\xce")}, []string{"\x88" + code(1007, "")}},
	{"not_utf8_before_the_end", [][]byte{wsFrame(text, "\xed\xa0\x80")}, []string{"\x88" + code(1007, "")}},
	{"utf8_overlong", [][]byte{wsFrame(fin|text, "\xc0\xaf")}, []string{"\x88" + code(1007, "")}},
	{"utf8_beyond", [][]byte{wsFrame(fin|text, "\xf4\x90\x80\x80")}, []string{"\x88" + code(1007, "")}},
	{"close", [][]byte{wsFrame(fin|cls, "")}, []string{"\x88"}},
	{"close_1000", [][]byte{wsFrame(fin|cls, code(1000, ""))}, []string{"\x88" + code(1000, "")}},
	{"close_reason", [][]byte{wsFrame(fin|cls, code(3999, "κόσμε"))}, []string{"\x88" + code(3999, "")}},
	{"close_4999", [][]byte{wsFrame(fin|cls, code(4999, strings.Repeat("r", 123)))}, []string{"\x88" + code(4999, "")}},
	{"close_then_text", [][]byte{wsFrame(fin|cls, code(1001, "")), wsFrame(fin|text, "a")}, []string{"\x88" + code(1001, "")}},
	{"close_half_a_code", [][]byte{wsFrame(fin|cls, "\x03")}, []string{"\x88" + code(1002, "")}},
	{"close_reason_not_utf8", [][]byte{wsFrame(fin|cls, code(1000, "\xff"))}, []string{"\x88" + code(1007, "")}},
	{"close_126", [][]byte{wsFrame(fin|cls, code(1000, strings.Repeat("r", 124)))}, []string{"\x88" + code(1002, "")}},
	{"close_0", [][]byte{wsFrame(fin|cls, code(0, ""))}, []string{"\x88" + code(1002, "")}},
	{"close_999", [][]byte{wsFrame(fin|cls, code(999, ""))}, []string{"\x88" + code(1002, "")}},
	{"close_1004", [][]byte{wsFrame(fin|cls, code(1004, ""))}, []string{"\x88" + code(1002, "")}},
	{"close_1005", [][]byte{wsFrame(fin|cls, code(1005, ""))}, []string{"\x88" + code(1002, "")}},
	{"close_1006", [][]byte{wsFrame(fin|cls, code(1006, ""))}, []string{"\x88" + code(1002, "")}},
	{"close_1015", [][]byte{wsFrame(fin|cls, code(1015, ""))}, []string{"\x88" + code(1002, "")}},
	{"close_2999", [][]byte{wsFrame(fin|cls, code(2999, ""))}, []string{"\x88" + code(1002, "")}},
	{"close_5000", [][]byte{wsFrame(fin|cls, code(5000, ""))}, []string{"\x88" + code(1002, "")}},
}

func TestWebSockets(t *testing.T) {
	for _, c := range []struct {
		name string
		args []string
	}{
		{"threads", []string{"--threads", "4"}},
		{"gevent", []string{"--gevent", "110", "--gevent-early-monkey-patch"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			if c.name == "gevent" {
				needGevent(t)
			}
			testWebSockets(t, c.args)
		})
	}
}

func testWebSockets(t *testing.T, args []string) {
	dir := shortTempDir(t)
	write(t, dir, "app.py", socketApp)
	addr := "127.0.0.1:" + freePort(t)
	s := start(t, dir, append([]string{"--http-socket", addr, "--wsgi-file", "app.py", "--worker-reload-mercy", "2", "--harakiri", "1", "--disable-logging"}, args...)...)
	s.waitAnswer(t, "http://"+addr, http.StatusOK)

	for _, c := range wsCases {
		t.Run(c.name, func(t *testing.T) {
			w, status := dialWS(t, addr, "/echo")
			if status != http.StatusSwitchingProtocols {
				t.Fatalf("got %q", w.head)
			}
			go func() { _, _ = w.Write(bytes.Join(c.send, nil)) }()
			for _, want := range c.want {
				first, payload, err := w.next()
				if got := string(first) + payload; err != nil || got != want && string([]byte{first})+payload != want {
					t.Fatalf("got %.60q, %v; want %.60q", string([]byte{first})+payload, err, want)
				}
			}
			if !strings.HasPrefix(c.want[len(c.want)-1], "\x88") {
				_, _ = w.Write(wsFrame(fin|cls, code(1000, "")))
				if first, payload, err := w.next(); err != nil || first != fin|cls || payload != code(1000, "") {
					t.Errorf("its end: %x %q, %v", first, payload, err)
				}
			}
			if _, err := w.r.ReadByte(); err == nil {
				t.Error("more has come after the Close frame")
			}
		})
	}
	t.Run("byte_by_byte", func(t *testing.T) {
		w, _ := dialWS(t, addr, "/echo")
		for _, b := range wsFrame(fin|text, "slowly") {
			_, _ = w.Write([]byte{b})
			time.Sleep(time.Millisecond)
		}
		if first, payload, err := w.next(); err != nil || first != fin|text || payload != "slowly" {
			t.Errorf("got %x %q, %v", first, payload, err)
		}
	})
	t.Run("returns", func(t *testing.T) {
		w, _ := dialWS(t, addr, "/once")
		if _, payload, err := w.next(); err != nil || !strings.HasPrefix(payload, "pid ") {
			t.Errorf("got %q, %v", payload, err)
		}
		if first, payload, err := w.next(); err != nil || first != fin|cls || payload != code(1000, "") {
			t.Errorf("its end: %x %q, %v", first, payload, err)
		}
	})
	t.Run("raises", func(t *testing.T) {
		w, _ := dialWS(t, addr, "/raises")
		if first, payload, err := w.next(); err != nil || first != fin|cls || payload != code(1011, "") {
			t.Errorf("its end: %x %q, %v", first, payload, err)
		}
		s.waitLog(t, "ValueError: as asked")
	})
	t.Run("suspend", func(t *testing.T) {
		w, _ := dialWS(t, addr, "/polls")
		if !strings.Contains(w.head, "Sec-WebSocket-Protocol: chat\r\n") {
			t.Errorf("no protocol in %q", w.head)
		}
		for range 2 {
			_, _ = w.Write(wsFrame(fin|text, "m"))
			if _, payload, err := w.next(); err != nil || payload != "m True" {
				t.Errorf("got %q, %v", payload, err)
			}
		}
	})
	t.Run("client_that_reads_slowly", func(t *testing.T) {
		w, _ := dialWS(t, addr, "/floods")
		for i := range 200 {
			if first, payload, err := w.next(); err != nil || first != fin|bin || len(payload) != 100_000 {
				t.Fatalf("message %d: %x, %d bytes, %v", i, first, len(payload), err)
			}
		}
	})
	t.Run("client_goes", func(t *testing.T) {
		for range 12 { // more than there are threads
			w, _ := dialWS(t, addr, "/echo")
			_ = w.Close()
		}
		w, _ := dialWS(t, addr, "/echo")
		_, _ = w.Write(wsFrame(fin|text, "a"))
		if _, payload, err := w.next(); err != nil || payload != "a" {
			t.Errorf("got %q, %v", payload, err)
		}
	})
	t.Run("nobody_takes_it", func(t *testing.T) {
		for path, want := range map[string]int{"/": 400, "/missing": 404} {
			if w, status := dialWS(t, addr, path); status != want {
				t.Errorf("%s: got %q, want %d", path, w.head, want)
			}
		}
		s.waitLog(t, "the app has answered 200: it takes one by uwsgi.websocket_handshake()")
	})
	if args[0] == "--gevent" {
		t.Run("a_hundred", func(t *testing.T) {
			var clients sync.WaitGroup
			all := make([]*wsClient, 100)
			for i := range all {
				all[i], _ = dialWS(t, addr, "/echo")
			}
			for i, w := range all {
				clients.Go(func() {
					for n := range 20 {
						want := fmt.Sprintf("%d of %d", n, i)
						_, _ = w.Write(wsFrame(fin|text, want))
						if _, payload, err := w.next(); err != nil || payload != want {
							t.Errorf("got %q, %v; want %q", payload, err, want)
							return
						}
					}
				})
			}
			clients.Wait()
			for _, w := range all {
				_ = w.Close()
			}
		})
		for name, frame := range map[string][]byte{"pongs": wsFrame(fin|pong, ""), "empty_pieces": wsFrame(0, "")} {
			t.Run("others_run_while_a_client_sends_"+name, func(t *testing.T) {
				w, _ := dialWS(t, addr, "/echo")
				_, _ = w.Write(wsFrame(bin, ""))
				flood, ended := bytes.Repeat(frame, 10_000), make(chan struct{})
				_ = w.SetDeadline(time.Now().Add(time.Minute))
				go func() {
					defer close(ended)
					for {
						if _, err := w.Write(flood); err != nil {
							return
						}
					}
				}()
				for range 3 {
					s.waitAnswer(t, "http://"+addr, http.StatusOK)
				}
				_ = w.Close()
				<-ended
			})
		}
	}
	t.Run("longer_than_harakiri_and_reload", func(t *testing.T) {
		w, _ := dialWS(t, addr, "/echo")
		time.Sleep(2500 * time.Millisecond)
		_, _ = w.Write(wsFrame(fin|text, "there"))
		if _, payload, err := w.next(); err != nil || payload != "there" {
			t.Fatalf("after harakiri's time: got %q, %v", payload, err)
		}
		if err := s.cmd.Process.Signal(syscall.SIGHUP); err != nil {
			t.Fatal(err)
		}
		if first, payload, err := w.next(); err != nil || first != fin|cls || payload != code(1001, "") {
			t.Errorf("at the reload, after the mercy time: %x %q, %v", first, payload, err)
		}
		if strings.Contains(s.log.String(), "HARAKIRI") {
			t.Error("harakiri has ended something")
		}
	})
	w, _ := dialWS(t, addr, "/echo")
	stopped := make(chan error, 1)
	go func() { stopped <- s.stop(t, stopSignal) }()
	if first, payload, err := w.next(); err != nil || first != fin|cls || payload != code(1001, "") {
		t.Errorf("at the stop: %x %q, %v", first, payload, err)
	}
	if err := <-stopped; err != nil {
		t.Error(err)
	}
}
