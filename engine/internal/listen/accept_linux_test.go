package listen

import (
	"testing"

	"golang.org/x/sys/unix"
)

// connectRaw makes a connection to l without the package net, which allocates.
func connectRaw(tb testing.TB, sa unix.Sockaddr) int {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		tb.Fatal(err)
	}
	if err := unix.Connect(fd, sa); err != nil {
		tb.Fatal(err)
	}
	return fd
}

func TestAcceptAllocs(t *testing.T) {
	l := open(t, "127.0.0.1:0", Options{})
	sa := &unix.SockaddrInet4{Port: int(l.Address.Port), Addr: [4]byte{127, 0, 0, 1}}
	const runs = 50
	for range runs + 1 { // AllocsPerRun runs once more, to warm up
		fd := connectRaw(t, sa)
		t.Cleanup(func() { _ = unix.Close(fd) })
	}
	var peer Peer
	text := make([]byte, 0, 64)
	allocs := testing.AllocsPerRun(runs, func() {
		fd, err := Accept(l.FD, &peer)
		if err != nil {
			t.Fatal(err)
		}
		text = peer.AppendAddr(text[:0])
		_ = unix.Close(fd)
	})
	if allocs != 0 {
		t.Errorf("Accept and AppendAddr allocate %v times", allocs)
	}
	if string(text) != "127.0.0.1" {
		t.Errorf("peer = %q", text)
	}
	if allocs := testing.AllocsPerRun(runs, func() { _, _ = Accept(l.FD, &peer) }); allocs != 0 {
		t.Errorf("Accept with nothing to accept allocates %v times", allocs)
	}
}

func TestDeferAccept(t *testing.T) {
	l := open(t, "127.0.0.1:0", Options{DeferAccept: true})
	c := dial(t, "tcp", l.String())
	var peer Peer
	if fd, err := Accept(l.FD, &peer); err != unix.EAGAIN {
		t.Errorf("Accept before the first byte = %d, %v; want EAGAIN", fd, err)
	}
	if _, err := c.Write([]byte("x")); err != nil {
		t.Fatal(err)
	}
	acceptOne(t, l.FD, &peer)
}
