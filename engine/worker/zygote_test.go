package worker

import (
	"errors"
	"net"
	"os"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// A zygote that stands still does not make the supervisor do so: it is killed.
func TestZygoteTakesNoCommands(t *testing.T) {
	fds, err := socketpair(unix.SOCK_STREAM)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fds[1])
	ours := os.NewFile(uintptr(fds[0]), "zygote")
	conn, err := net.FileConn(ours)
	_ = ours.Close()
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	killed := 0
	z := &zygote{conn: conn.(*net.UnixConn), kill: func() { killed++ }, patience: 10 * time.Millisecond}
	for err == nil {
		err = z.command("signal", 0, int(unix.SIGKILL))
	}
	if !errors.Is(err, os.ErrDeadlineExceeded) || killed != 1 {
		t.Errorf("%v, killed %d times; want a deadline and one kill", err, killed)
	}
	if err := z.spawn(0, 1, []int{0}); err == nil || killed != 2 {
		t.Errorf("spawn: %v, killed %d times", err, killed)
	}
}
