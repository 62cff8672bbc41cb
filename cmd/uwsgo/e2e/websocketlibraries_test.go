package e2e

import (
	"fmt"
	"net/http"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// libraryApp answers by the libraries that apps have for WebSockets.
const libraryApp = `
import os
from flask import Flask
from flask_sock import Sock
from flask_socketio import SocketIO, send

app = application = Flask(__name__)
sock = Sock(app)
sio = SocketIO(app, async_mode=os.environ["MODE"], transports=["websocket"])

@sock.route("/echo")
def echo(ws):
    while True:
        ws.send(ws.receive())

@sio.on("message")
def message(data):
    send("echo " + data)

@app.route("/")
def page():
    return "a page"

@app.route("/descriptors")
def descriptors():
    import uwsgi
    uwsgi.connection_fd()
    return str(len(os.listdir("/proc/self/fd")))
`

// libraryClient has a library of Python's ask, as the frames of those are theirs.
const libraryClient = `
import sys, websocket
ws = websocket.create_connection(sys.argv[1] + "/echo", timeout=20)
for size in (1, 70000, 1000000):
    ws.send("x" * size)
    assert ws.recv() == "x" * size
ws.close()
ws = websocket.create_connection(sys.argv[1] + "/socket.io/?EIO=4&transport=websocket", timeout=20)
assert ws.recv().startswith("0{")
ws.send("40")
assert ws.recv().startswith("40{")
ws.send('42["message","hi"]')
assert ws.recv() == '42["message","echo hi"]'
ws.close()
`

// flask-sock and Flask-SocketIO work as they are installed.
func TestWebSocketLibraries(t *testing.T) {
	python := filepath.Join(testenv(t), "bin", "python")
	if exec.Command(python, "-c", "import flask_sock, flask_socketio, websocket").Run() != nil {
		t.Skip("SKIP: no flask-sock, Flask-SocketIO or websocket-client: run make testenv")
	}
	for mode, args := range map[string][]string{
		"threading":    {"--threads", "8"},
		"gevent_uwsgi": {"--gevent", "20", "--gevent-early-monkey-patch"},
	} {
		t.Run(mode, func(t *testing.T) {
			t.Parallel()
			dir := shortTempDir(t)
			write(t, dir, "app.py", libraryApp)
			write(t, dir, "client.py", libraryClient)
			addr := "127.0.0.1:" + freePort(t)
			cmd := command(dir, append([]string{"--http-socket", addr, "--wsgi-file", "app.py", "--worker-reload-mercy", "5", "--env", "MODE=" + mode}, args...)...)
			s := launch(t, cmd)
			s.waitAnswer(t, "http://"+addr, http.StatusOK)
			client := exec.Command(python, "client.py", "ws://"+addr)
			client.Dir = dir
			if out, err := client.CombinedOutput(); err != nil {
				t.Errorf("%v: %s", err, out)
			}
			first := get(t, "http://"+addr+"/descriptors").body
			for range 20 {
				get(t, "http://"+addr+"/descriptors")
			}
			last := get(t, "http://"+addr+"/descriptors").body
			var before, after int
			_, _ = fmt.Sscan(first, &before)
			_, _ = fmt.Sscan(last, &after)
			if after > before+8 { // a pair for each would be 42
				t.Errorf("%d descriptors are open, and then %d", before, after)
			}
			if strings.Contains(s.log.String(), "Traceback") {
				t.Error("something was raised")
			}
		})
	}
}
