package chaos

import (
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"testing"
	"time"
)

var (
	full   = flag.Bool("full", false, "run every scenario in full, half an hour in all, and hold it to its bounds of time")
	report = flag.String("report", "", "write what was measured to this Markdown page")
)

// The tested binary, made once for all tests.
var binary string

// virtualenv has the Python that runs the app, where `make testenv` was called.
var virtualenv string

func TestMain(m *testing.M) {
	flag.Parse()
	os.Exit(func() int {
		if runtime.GOOS != "linux" {
			fmt.Println("SKIP: the scenarios follow processes through Linux's /proc")
			return 0
		}
		dir, err := os.MkdirTemp("", "uwsgo-chaos-")
		if err != nil {
			fmt.Println(err)
			return 1
		}
		defer os.RemoveAll(dir)
		root, err := filepath.Abs("../../..")
		if err != nil {
			fmt.Println(err)
			return 1
		}
		if virtualenv = os.Getenv("UWSGO_TESTENV"); virtualenv == "" {
			virtualenv = filepath.Join(root, "build", "testenv")
		}
		if binary = os.Getenv("CHAOS_BINARY"); binary == "" {
			binary = filepath.Join(dir, "uwsgo")
			build := exec.Command("go", "build", "-o", binary, "github.com/uwsgo/uwsgo/cmd/uwsgo")
			if out, err := build.CombinedOutput(); err != nil {
				fmt.Printf("building the binary to test: %v\n%s", err, out)
				return 1
			}
		}
		began := time.Now()
		code := m.Run()
		if *report != "" {
			if err := writeReport(*report, began); err != nil {
				fmt.Println(err)
				return 1
			}
		}
		return code
	}())
}

// lasting chooses between the duration of the full run and that of the short one.
func lasting(inFull, short time.Duration) time.Duration {
	if *full {
		return inFull
	}
	return short
}

// rate chooses between the requests a second of the full run and of the short one.
func rate(inFull, short float64) float64 {
	if *full {
		return inFull
	}
	return short
}
