package e2e

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/uwsgo/uwsgo/bench/proctree"
)

// A load balancer learns of a stop before it is noticed anywhere else.
func TestReadyPath(t *testing.T) {
	dir := shortTempDir(t)
	write(t, dir, "app.py", plainApp)
	base := "http://127.0.0.1:" + freePort(t)
	s := start(t, dir, "--http", strings.TrimPrefix(base, "http://"), "--wsgi-file", "app.py", "--ready-path", "/-/ready", "--drain-delay", "3600")
	a := s.waitAnswer(t, base+"/-/ready", 200)
	wantBody(t, a, 200, "ready\n")
	if got := a.header.Get("Cache-Control"); got != "no-store" {
		t.Errorf("Cache-Control: %q", got)
	}
	if err := s.cmd.Process.Signal(stopSignal); err != nil {
		t.Fatal(err)
	}
	wantBody(t, s.waitAnswer(t, base+"/-/ready", 503), 503, "stopping\n")
	wantBody(t, get(t, base+"/"), 200, "ok")
	if err := s.insist(t); err != nil {
		t.Errorf("exit: %v, want 0", err)
	}
}

// While no worker serves, a load balancer is told.
func TestReadyPathWithoutWorker(t *testing.T) {
	dir := shortTempDir(t)
	write(t, dir, "app.py", "import os, time\nwhile os.path.exists('wait'):\n    time.sleep(0.01)\n"+plainApp)
	base := "http://127.0.0.1:" + freePort(t)
	s := start(t, dir, "--http", strings.TrimPrefix(base, "http://"), "--wsgi-file", "app.py", "--ready-path", "/-/ready")
	s.waitAnswer(t, base+"/-/ready", 200)
	write(t, dir, "wait", "")
	children, err := proctree.Children(s.pid()) // the zygote
	if err != nil || len(children) != 1 {
		t.Fatalf("children %v, %v", children, err)
	}
	if err := syscall.Kill(children[0], syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	wantBody(t, s.waitAnswer(t, base+"/-/ready", 503), 503, "no worker\n")
	if err := os.Remove(filepath.Join(dir, "wait")); err != nil {
		t.Fatal(err)
	}
	wantBody(t, s.waitAnswer(t, base+"/-/ready", 200), 200, "ready\n")
	wantBody(t, get(t, base+"/"), 200, "ok")
}

func TestReadyPathRefused(t *testing.T) {
	dir := shortTempDir(t)
	write(t, dir, "app.py", plainApp)
	refusal{[]string{"--http", "127.0.0.1:0", "--wsgi-file", "app.py", "--ready-path", "ready"}, exitConfig, []string{"ready-path", "begin with a slash"}}.check(t, dir)
}
