// Package peers knows how each measured server is installed, started, probed,
// reloaded and stopped. All are measured from outside, in the same way.
//
// A peer is one short file: a function that gives its Peer, named in All. Each choice has its
// reason beside it, so that an expert of the server can spot unfair treatment. The rules for
// all servers: the requested number of processes and threads, a backlog of 1024, TCP_NODELAY
// on, request logs on or off for all, no limit that a workload reaches, and otherwise the
// manual's advice for production.
package peers

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// Protocol is what a client must speak to a server.
type Protocol string

// The protocols that servers are measured with.
const (
	HTTP  Protocol = "http"
	UWSGI Protocol = "uwsgi" // one request on each connection
)

// Work is a set of kinds of work.
type Work uint8

// What a server can be asked.
const (
	Apps   Work = 1 << iota // any WSGI app
	Hello                   // only "Hello World!" at /, without Python
	Static                  // files of Setup.Static below /static/
)

// Setup is what a server is asked to run. Workloads choose it.
type Setup struct {
	App       string // file name of an app in Tools.Apps
	Processes int
	Threads   int    // of each process
	Log       bool   // write a line for each request
	Static    string // directory to serve at /static/, or empty
	Path      string // that is asked to see whether the server is there; empty for /
	Status    int    // that it must answer with; 0 for 200
	Want      []byte // body that it must have; nil: any
}

// Tools says where on this machine the parts are. A peer with an empty part is not available.
type Tools struct {
	Apps    string // directory with the apps; servers run in it
	Uwsgo   string // the uwsgo binary
	Bench   string // program that serves hello world from Go: Bench serve KIND ADDR
	Env     string // virtualenv with the Python servers and the frameworks
	Nginx   string // the nginx binary
	Client  []int  // processors of the load generator; nil: any
	Servers []int  // processors of the servers; nil: any
}

// Peer is one way of serving.
type Peer struct {
	Name     string
	About    string // one sentence: what it is and how it runs
	Protocol Protocol
	// KeepAlive says that the server keeps a connection for the next request.
	// One that does not closes after each answer, sometimes without announcing
	// it, and is asked with "Connection: close".
	KeepAlive bool
	// IgnoresClose says that the server keeps the connection although it was
	// asked with "Connection: close": a client must not wait for the end.
	IgnoresClose bool
	// NeedsLength says that a client cannot see the end of an answer without Content-Length, so
	// streams cannot be measured.
	NeedsLength bool
	Runs        Work
	// Install are the Python packages of the server, with those that they need,
	// as pip takes them: name==version.
	Install []string
	// Needs names the part that is missing, or is empty when the peer can run.
	Needs func(Tools) string
	// Version returns the measured version in one line.
	Version func(Tools) string
	// Shape is how the server runs a setup.
	Shape func(Setup) Shape
	// Command gives the program and arguments.
	Command func(*Plan) ([]string, error)
	// Reload asks for a graceful reload of the app and does not wait for it. It is
	// nil for a server that has none; NoReload says why.
	Reload   func(*Server) error
	NoReload string
	// Workers gives the processes that run the app and that the server replaces
	// when they die. It is nil for a server without such; NoWorkers says why.
	Workers   func(*Server) ([]int, error)
	NoWorkers string
}

// Shape is how many processes and threads run the app.
type Shape struct {
	Processes int
	Threads   int    // of each process
	Note      string // why it differs from the requested setup
}

// String gives the shape as "2 × 2", or "1 × 4 (has no processes)".
func (s Shape) String() string {
	text := fmt.Sprintf("%d × %d", s.Processes, s.Threads)
	if s.Note != "" {
		text += " (" + s.Note + ")"
	}
	return text
}

// asAsked is the shape of a server that has processes and threads.
func asAsked(s Setup) Shape { return Shape{Processes: s.Processes, Threads: s.Threads} }

// withoutThreads is the shape of a server with one request at a time per process.
func withoutThreads(note string) func(Setup) Shape {
	return func(s Setup) Shape {
		shape := Shape{Processes: s.Processes, Threads: 1}
		if s.Threads > 1 {
			shape.Note = note
		}
		return shape
	}
}

// Plan is what a command is made from.
type Plan struct {
	Tools
	Setup
	Host, Port string
	Socket     string            // unix socket to listen on instead, behind nginx; or empty
	Dir        string            // of this start alone, removed at its end
	Files      map[string]string // the written files, by name
}

// Addr is where the server must listen, host:port.
func (p *Plan) Addr() string { return net.JoinHostPort(p.Host, p.Port) }

// Listen is where the server must listen: a unix socket, or host:port.
func (p *Plan) Listen() string {
	if p.Socket != "" {
		return p.Socket
	}
	return p.Addr()
}

// Module is the app's Python module.
func (p *Plan) Module() string { return strings.TrimSuffix(p.App, ".py") }

// Bin is the path of a program of the virtualenv.
func (p *Plan) Bin(name string) string { return bin(p.Tools, name) }

// File writes a file of the configuration and gives its path.
func (p *Plan) File(name, content string) (string, error) {
	path := filepath.Join(p.Dir, name)
	if p.Files == nil {
		p.Files = map[string]string{}
	}
	p.Files[name] = content
	return path, os.WriteFile(path, []byte(content), 0o600)
}

func bin(t Tools, name string) string { return filepath.Join(t.Env, "bin", name) }

// Numbers that are the same for all servers.
const (
	connections = "8192" // at once, at least: more than any workload opens
	idleSeconds = "300"  // how long an idle connection is kept: longer than any workload leaves it
)

// backlog is 1024, or what the system allows if that is less: uWSGI would not
// start with more, the others would get less without a word.
var backlog = func() string {
	text, err := os.ReadFile("/proc/sys/net/core/somaxconn")
	if most, convErr := strconv.Atoi(strings.TrimSpace(string(text))); err == nil && convErr == nil && most < 1024 {
		return count(most)
	}
	return "1024"
}()

func count(n int) string { return strconv.Itoa(n) }
