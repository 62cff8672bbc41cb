// Package peers knows how each measured server is started, probed and stopped.
// All are measured from outside, in the same way.
package peers

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/uwsgo/uwsgo/bench/proctree"
)

// Setup is what a server is asked to run. Workloads choose it.
type Setup struct {
	App       string // file name of an app in Tools.Apps
	Processes int
	Threads   int
}

// Tools says where on this machine the parts are. A peer whose part is empty is
// not available.
type Tools struct {
	Apps      string // directory with the apps; servers run in it
	Uwsgo     string // the uwsgo binary
	Bench     string // this program, which serves as the Go peers
	Venv      string // virtualenv with uwsgi and the frameworks
	Nginx     string // the nginx binary
	Prototype string // directory with the prototype binary and shim.py; may be empty
}

// Peer is one way of serving an app.
type Peer struct {
	Name string
	// Needs names the part that is missing, or is empty when the peer can run.
	Needs func(Tools) string
	// Version tells what was measured, in one line.
	Version func(Tools) string
	// Command gives the program and arguments that serve s on addr (host:port).
	// Files it needs go to dir, which is empty and removed afterwards.
	Command func(t Tools, s Setup, addr, dir string) ([]string, error)
	// KeepsOpen says that the peer ignores "Connection: close", so a client
	// must not wait for it to close.
	KeepsOpen bool
}

// Server is a running peer.
type Server struct {
	Peer    Peer
	Addr    string        // host:port it answers on
	Command []string      // what was started
	Started time.Duration // from the start of the process to the first answer
	cmd     *exec.Cmd
	dir     string
	output  *os.File
}

// startLimit is how long a server may take until its first answer.
const startLimit = 30 * time.Second

// Start runs p with s and returns once it has answered GET / with 200.
func Start(ctx context.Context, p Peer, t Tools, s Setup) (*Server, error) {
	dir, err := os.MkdirTemp("", "uwsgo-bench-")
	if err != nil {
		return nil, err
	}
	srv := &Server{Peer: p, dir: dir}
	if err := srv.start(ctx, t, s); err != nil {
		log, _ := os.ReadFile(filepath.Join(dir, "output"))
		srv.Stop()
		return nil, fmt.Errorf("starting %s: %w\n%s", p.Name, err, log)
	}
	return srv, nil
}

func (srv *Server) start(ctx context.Context, t Tools, s Setup) error {
	var err error
	if srv.Addr, err = freeAddr(); err != nil {
		return err
	}
	if srv.Command, err = srv.Peer.Command(t, s, srv.Addr, srv.dir); err != nil {
		return err
	}
	if srv.output, err = os.Create(filepath.Join(srv.dir, "output")); err != nil {
		return err
	}
	srv.cmd = exec.Command(srv.Command[0], srv.Command[1:]...)
	srv.cmd.Dir = t.Apps
	// Whoever looks for a python finds the one with the frameworks.
	srv.cmd.Env = append(os.Environ(), "PATH="+filepath.Join(t.Venv, "bin")+":"+os.Getenv("PATH"))
	srv.cmd.Stdout, srv.cmd.Stderr = srv.output, srv.output
	srv.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	begun := time.Now()
	if err := srv.cmd.Start(); err != nil {
		return err
	}
	if err := srv.probe(ctx, begun); err != nil {
		return err
	}
	srv.Started = time.Since(begun)
	return nil
}

// probe asks until the server answers GET / with 200.
func (srv *Server) probe(ctx context.Context, begun time.Time) error {
	client := &http.Client{Timeout: startLimit, Transport: &http.Transport{DisableKeepAlives: true}}
	for {
		resp, err := client.Get("http://" + srv.Addr + "/")
		if err == nil {
			resp.Body.Close()
			if resp.StatusCode == http.StatusOK {
				return nil
			}
			err = fmt.Errorf("status %s", resp.Status)
		}
		if !proctree.Alive(srv.cmd.Process.Pid) {
			return fmt.Errorf("it ended before it answered: %w", err)
		}
		if time.Since(begun) > startLimit {
			return fmt.Errorf("no answer in %v: %w", startLimit, err)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(time.Millisecond):
		}
	}
}

// CPU is what the server's whole process tree has used so far.
func (srv *Server) CPU() (time.Duration, error) { return proctree.CPU(srv.cmd.Process.Pid) }

// PSS is the memory of the server's whole process tree, in bytes.
func (srv *Server) PSS() (int64, error) { return proctree.PSS(srv.cmd.Process.Pid) }

// Alive says whether the server's first process still runs.
func (srv *Server) Alive() bool { return proctree.Alive(srv.cmd.Process.Pid) }

// Stop ends the server with every process it started and removes its files.
func (srv *Server) Stop() {
	if srv.cmd != nil && srv.cmd.Process != nil {
		tree, _ := proctree.PIDs(srv.cmd.Process.Pid)
		_ = srv.cmd.Process.Signal(syscall.SIGTERM)
		done := make(chan struct{})
		go func() { _ = srv.cmd.Wait(); close(done) }()
		select {
		case <-done:
		case <-time.After(5 * time.Second):
		}
		for _, pid := range tree {
			if proctree.Alive(pid) {
				_ = syscall.Kill(pid, syscall.SIGKILL)
			}
		}
		<-done
	}
	if srv.output != nil {
		srv.output.Close()
	}
	_ = os.RemoveAll(srv.dir)
}

// freeAddr gives an address on the loopback that nobody listens on.
func freeAddr() (string, error) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	defer ln.Close()
	return ln.Addr().String(), nil
}

// firstLine runs a program and gives the first line it prints, or "unknown".
func firstLine(name string, args ...string) string {
	out, err := exec.Command(name, args...).CombinedOutput()
	line, _, _ := strings.Cut(strings.TrimSpace(string(out)), "\n")
	if err != nil || line == "" {
		return "unknown"
	}
	return line
}
