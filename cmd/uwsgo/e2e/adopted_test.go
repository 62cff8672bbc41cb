package e2e

import (
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// The first process of a container gets what others leave behind, and reaps it.
func TestFirstProcessReaps(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("SKIP: only root can begin a container's processes")
	}
	unshare, err := exec.LookPath("unshare")
	if err != nil || exec.Command(unshare, "--pid", "--fork", "--mount-proc", "true").Run() != nil {
		t.Skip("SKIP: this system lets nobody have processes of its own")
	}
	dir := shortTempDir(t)
	log, err := os.Create(filepath.Join(dir, "log"))
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	// The orphan writes down its number in the container, where the test cannot see it, so
	// a second hook that waits looks for it.
	cmd := exec.Command(unshare, "--pid", "--fork", "--mount-proc", "--kill-child", binary,
		"--http", "127.0.0.1:0", "--static-map", "/files=.",
		"--exec-as-user", `(sh -c 'echo $$ > orphan; exit 0' &); until [ -s orphan ]; do sleep 0.05; done`,
		"--exec-as-user", `while [ -e /proc/$(cat orphan) ]; do sleep 0.05; done; touch reaped`)
	cmd.Dir, cmd.Stdout, cmd.Stderr = dir, log, log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		_ = cmd.Process.Signal(syscall.SIGKILL)
		_ = cmd.Wait()
	}()
	for range 1000 {
		if _, err := os.Stat(filepath.Join(dir, "reaped")); err == nil {
			return
		}
		time.Sleep(20 * time.Millisecond)
	}
	orphan, _ := os.ReadFile(filepath.Join(dir, "orphan"))
	text, _ := os.ReadFile(log.Name())
	t.Errorf("process %s stays a zombie; log: %s", strconv.Quote(strings.TrimSpace(string(orphan))), text)
}
