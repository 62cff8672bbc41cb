package servertest

import (
	"net"
	"testing"
	"time"
)

// Patience is how long a condition may take to come true. It is long because machines
// that test are busy; nothing waits for it when all goes well.
const Patience = 20 * time.Second

// Eventually waits until try succeeds.
func Eventually(t *testing.T, what string, try func() error) {
	t.Helper()
	deadline := time.Now().Add(Patience)
	for {
		err := try()
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("%s: %v", what, err)
		}
		time.Sleep(5 * time.Millisecond)
	}
}

// FreePort gives a TCP port that nobody listens on.
func FreePort(t *testing.T) string {
	t.Helper()
	ln, err := net.Listen("tcp", ":0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	_, port, err := net.SplitHostPort(ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	return port
}
