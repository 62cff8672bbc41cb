package worker

import (
	"errors"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// forges is an app that sends frames of its own on the stream of its thread.
const forges = `
import marshal, os, struct, time

HEAD = marshal.dumps(("200 OK", []), 2)
WHOLE, HEADED, DATA, END, ABORT, FAILED, FILE, NEED_BODY, DROPPED, RETURNED, LOG_VARIABLE, PLACED = range(12)

def application(environ, start_response):
    path = environ["PATH_INFO"]
    start_response("200 OK", [])
    if path == "/hello":
        return [b"hello"]
    if path == "/slow":
        return slow(environ["HTTP_X"])
    exchange = start_response.__self__
    rid, sock = exchange.rid, exchange.port.sock

    def send(kind, payload=b"", head=0, rid=rid, size=None):
        sock.sendall(struct.pack("<III", len(payload) if size is None else size, rid, kind << 24 | head) + payload)

    def begin():
        send(HEADED, HEAD, len(HEAD))

    case = environ["HTTP_X"]
    other = int(environ.get("HTTP_ID", "0"))
    if case == "data before head":
        send(DATA, b"forged")
    elif case == "end before head":
        send(END)
    elif case == "head twice":
        begin(); begin()
    elif case == "whole after head":
        begin(); send(WHOLE, HEAD + b"forged", len(HEAD))
    elif case == "file after head":
        begin(); send(FILE, HEAD + bytes(16), len(HEAD))
    elif case == "less than nothing of a file":
        send(FILE, HEAD + struct.pack("<qq", 0, -1), len(HEAD))
    elif case == "file from before its begin":
        send(FILE, HEAD + struct.pack("<qq", -1, 5), len(HEAD))
    elif case == "file longer than any":
        send(FILE, HEAD + struct.pack("<qq", (1 << 63) - 1, 5), len(HEAD))
    elif case == "placed after head":
        begin(); send(PLACED, HEAD + struct.pack("<qq", 0, 1), len(HEAD))
    elif case == "nothing placed":
        send(PLACED, HEAD + bytes(16), len(HEAD))
    elif case == "placed before the begin":
        send(PLACED, HEAD + struct.pack("<qq", -1, 5), len(HEAD))
    elif case == "placed past the end":
        send(PLACED, HEAD + struct.pack("<qq", exchange.port.places.size - 1, 2), len(HEAD))
    elif case == "more placed than fits":
        send(PLACED, HEAD + struct.pack("<qq", 0, 1 << 62), len(HEAD))
    elif case == "given back after head":
        begin(); send(RETURNED, b"(")
    elif case == "dropped after head":
        begin(); send(DROPPED)
    elif case == "body asked for after head":
        begin(); send(NEED_BODY)
    elif case == "nothing in data":
        begin(); send(DATA)
    elif case == "more than the window":
        begin(); send(DATA, b"", size=(1 << 20) + 1)
    elif case == "more than the window in pieces":
        begin(); send(DATA, bytes(1 << 19)); send(DATA, bytes(1 << 19)); send(DATA, b"x")
    elif case == "end with something":
        begin(); send(END, b"forged")
    elif case == "no head":
        send(WHOLE, b"forged")
    elif case == "head larger than frame":
        send(WHOLE, HEAD, len(HEAD) + 1)
    elif case == "too large":
        send(WHOLE, b"", 10, size=1 << 30)
    elif case == "unknown kind":
        send(77, b"forged")
    elif case == "id of nothing":
        send(WHOLE, HEAD + b"forged", len(HEAD), rid=0x00FF0FFF)
    elif case == "id of another loop":
        send(WHOLE, HEAD + b"forged", len(HEAD), rid=rid | 1 << 24)
    elif case == "id of before":
        send(WHOLE, HEAD + b"forged", len(HEAD), rid=rid - (1 << 16))
    elif case == "data of another":
        send(DATA, b"forged", rid=other)
    elif case == "end of another":
        send(END, rid=other)
    elif case == "data of another after head":
        begin(); send(DATA, b"forged", rid=other)
    elif case == "whole of another after head":
        begin(); send(WHOLE, HEAD + b"forged", len(HEAD), rid=other)
    elif case == "head of another that has not begun":
        send(HEADED, HEAD, len(HEAD), rid=other); send(DATA, b"forged", rid=other)
    elif case == "noise":
        sock.sendall(b"forged" * 1000)
    time.sleep(60)

def slow(go):
    yield b"" if go.endswith("late") else b"first"
    while not os.path.exists(go):
        time.sleep(0.005)
    yield b"last"
`

// A loop refuses what cannot be right, and ends that worker: nothing of it reaches a
// client as if it were an answer, and the other workers' answers stay as they are.
func TestForgedFrames(t *testing.T) {
	modes(t, func(t *testing.T, stream bool) {
		for _, c := range []string{
			"data before head", "end before head", "head twice", "whole after head", "file after head",
			"less than nothing of a file", "file from before its begin", "file longer than any",
			"placed after head", "nothing placed", "placed before the begin", "placed past the end", "more placed than fits",
			"given back after head", "dropped after head", "body asked for after head", "nothing in data",
			"more than the window", "more than the window in pieces", "end with something", "no head",
			"head larger than frame", "too large", "unknown kind", "id of nothing", "id of another loop", "id of before",
			"data of another", "end of another", "data of another after head", "whole of another after head",
			"head of another that has not begun", "noise",
		} {
			t.Run(strings.ReplaceAll(c, " ", "_"), func(t *testing.T) {
				t.Parallel()
				r := start(t, Config{Apps: []App{app(t, forges)}, Processes: 2, StreamMode: stream}, 1)
				going, want := t.TempDir()+"/go", "firstlast"
				if strings.Contains(c, "not begun") {
					going, want = going+"late", "last"
				}
				other := r.send(&call{path: "/slow", vars: map[string]string{"HTTP_X": going}})
				if want == "last" {
					r.wait("it to be claimed", func() bool {
						return slices.ContainsFunc(r.pool.Snapshot().Workers, func(w Stats) bool { return w.Cores[0].InRequest })
					})
				} else {
					<-other.headed
				}
				forged := r.send(&call{path: "/forge", hold: true, vars: map[string]string{"HTTP_X": c, "HTTP_ID": itoa(other.id)}}).wait()
				if !errors.Is(forged.err, ErrWorkerDied) {
					t.Errorf("who asked for it: got error %v, %q", forged.err, forged.got.String())
				}
				r.waitLog("malformed frame")
				if err := touch(going); err != nil {
					t.Fatal(err)
				}
				other.wait().body200(want)
				r.get("/hello").body200("hello")
			})
		}
	})
}

func itoa(id uint32) string { return strconv.FormatUint(uint64(id), 10) }

func touch(name string) error { return os.WriteFile(name, nil, 0o600) }
