package e2e

import (
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"syscall"
	"testing"
)

// The tested binary, made once for all tests.
var binary string

// root is the directory of the repository.
var root = func() string {
	dir, err := filepath.Abs("../../..")
	if err != nil {
		panic(err)
	}
	return dir
}()

func TestMain(m *testing.M) {
	os.Exit(func() int {
		if runtime.GOOS != "linux" {
			fmt.Println("SKIP: the end-to-end tests follow processes through Linux's /proc")
			return 0
		}
		// Under nohup servers would inherit that a terminal's end means nothing.
		signal.Notify(make(chan os.Signal, 1), syscall.SIGHUP)
		dir, err := os.MkdirTemp("", "uwsgo-e2e-")
		if err != nil {
			fmt.Println(err)
			return 1
		}
		defer os.RemoveAll(dir)
		if err := os.Chmod(dir, 0o755); err != nil { // some tests run it as another user
			fmt.Println(err)
			return 1
		}
		binary = filepath.Join(dir, "uwsgo")
		build := exec.Command("go", append(append([]string{"build"}, buildFlags...), "-o", binary, "github.com/uwsgo/uwsgo/cmd/uwsgo")...)
		if made := os.Getenv("E2E_BINARY"); made != "" {
			build = exec.Command("cp", made, binary) // the other user may not reach where it lies
		}
		if out, err := build.CombinedOutput(); err != nil {
			fmt.Printf("making the binary to test: %v\n%s", err, out)
			return 1
		}
		return m.Run()
	}())
}

// testenv gives the virtualenv of `make testenv`, or skips the test.
func testenv(t *testing.T) string {
	t.Helper()
	dir := os.Getenv("UWSGO_TESTENV")
	if dir == "" {
		dir = filepath.Join(root, "build", "testenv")
	}
	if _, err := os.Stat(filepath.Join(dir, "bin", "python")); err != nil {
		t.Skip("SKIP: no virtualenv with Flask, Django and uwsgitop: run make testenv")
	}
	return dir
}
