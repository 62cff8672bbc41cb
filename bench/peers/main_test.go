package peers

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/uwsgo/uwsgo/bench/apps"
	"github.com/uwsgo/uwsgo/bench/proctree"
)

// tools of all tests; Env is empty when there is no virtualenv.
var tools Tools

func TestMain(m *testing.M) {
	if len(os.Args) == 4 && os.Args[1] == "serve" { // as the harness's own Go servers
		hello := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("Hello World!")) })
		fmt.Println(http.ListenAndServe(os.Args[3], hello))
		os.Exit(1)
	}
	os.Exit(func() int {
		if runtime.GOOS != "linux" {
			fmt.Println("SKIP: processes are followed through Linux's /proc")
			return 0
		}
		dir, err := os.MkdirTemp("", "uwsgo-peers-")
		if err == nil {
			defer os.RemoveAll(dir)
			err = prepare(dir)
		}
		if err != nil {
			fmt.Println(err)
			return 1
		}
		code := m.Run()
		if left, err := proctree.Children(os.Getpid()); code == 0 && (err != nil || len(left) > 0) {
			fmt.Printf("processes are left: %v %v\n", left, err)
			for _, pid := range left {
				fmt.Printf("%d: %s\n", pid, commandLine(pid))
			}
			return 1
		}
		if err := goleak.Find(); code == 0 && err != nil {
			fmt.Println(err)
			return 1
		}
		return code
	}())
}

// prepare finds and makes what the peers need.
func prepare(dir string) error {
	var err error
	if tools.Bench, err = os.Executable(); err != nil {
		return err
	}
	env := os.Getenv("UWSGO_TESTENV")
	if env == "" {
		env = "../../build/testenv"
	}
	if env, err = filepath.Abs(env); err != nil {
		return err
	}
	if _, err := os.Stat(filepath.Join(env, "bin", "python")); err == nil {
		tools.Env = env
	}
	for _, path := range []string{"nginx", "/usr/sbin/nginx"} { // not in every user's PATH
		if found, err := exec.LookPath(path); err == nil {
			tools.Nginx = found
			break
		}
	}
	tools.Apps = filepath.Join(dir, "apps")
	if err := os.Mkdir(tools.Apps, 0o755); err != nil {
		return err
	}
	if err := apps.WriteTo(tools.Apps); err != nil {
		return err
	}
	if tools.Uwsgo = os.Getenv("UWSGO_BINARY"); tools.Uwsgo != "" {
		return nil
	}
	tools.Uwsgo = filepath.Join(dir, "uwsgo")
	out, err := exec.Command("go", "build", "-o", tools.Uwsgo, "github.com/uwsgo/uwsgo/cmd/uwsgo").CombinedOutput()
	if err != nil {
		return fmt.Errorf("building uwsgo: %w\n%s", err, out)
	}
	return nil
}

// started starts a peer, or skips the test when it is absent.
func started(t *testing.T, p Peer, s Setup) *Server {
	t.Helper()
	if need := p.Needs(tools); need != "" {
		t.Skipf("SKIP: %s is absent: it needs %s", p.Name, need)
	}
	srv, err := Start(t.Context(), p, tools, s)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(srv.Stop)
	return srv
}

// eventually waits until a condition holds.
func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); !holds(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("not so after 30 s: %s", what)
		}
	}
}

// stopped stops a server and checks that nothing of it is left.
func stopped(t *testing.T, srv *Server) {
	t.Helper()
	tree, err := proctree.PIDs(srv.root())
	if err != nil {
		t.Fatal(err)
	}
	srv.Stop()
	for _, pid := range tree {
		if proctree.Alive(pid) {
			t.Errorf("%d is left: %s", pid, commandLine(pid))
		}
	}
	if _, err := os.Stat(srv.dir); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("%s is left: %v", srv.dir, err)
	}
	if srv.Alive() {
		t.Error("it is said to be alive")
	}
}

// ask gives the status and the body of a request.
func ask(ctx context.Context, t *testing.T, srv *Server, r apps.Request) apps.Answer {
	t.Helper()
	answer, err := request(ctx, srv.Addr, r)
	if err != nil {
		t.Fatalf("%s %s: %v", r.Method, r.Path, err)
	}
	return answer
}
