package wsgi

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"syscall"
	"testing"

	"go.uber.org/goleak"
)

var update = flag.Bool("update", false, "rewrite golden files and docs/embedding.md")

// TestMain leaves the examples out where there is no Python, as their output cannot
// be had then, and looks that neither goroutines nor processes are left.
func TestMain(m *testing.M) {
	flag.Parse()
	if _, err := exec.LookPath("python3"); err != nil {
		_ = flag.Set("test.skip", "^Example")
	}
	goleak.VerifyTestMain(m, goleak.Cleanup(func(code int) {
		if pid, err := syscall.Wait4(-1, nil, syscall.WNOHANG, nil); !errors.Is(err, syscall.ECHILD) {
			fmt.Fprintf(os.Stderr, "a child process is left (wait4: %d, %v)\n", pid, err)
			code = max(code, 1)
		}
		os.Exit(code)
	}))
}

func needPython(t testing.TB) {
	t.Helper()
	if _, err := exec.LookPath("python3"); err != nil {
		t.Skip("no python3 in PATH")
	}
}
