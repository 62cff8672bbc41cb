package servertest

import (
	"math/rand/v2"
	"net"
	"strconv"
	"sync"
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

// given are the ports that FreePort has given out in this process.
var given sync.Map

// FreePort gives a TCP port that nobody listens on. It is none of those that the
// kernel gives to clients (32768 and more): one of the many connections of other
// tests could have it by the time the server listens.
func FreePort(t *testing.T) string {
	t.Helper()
	for range 1000 {
		port := strconv.Itoa(10_000 + rand.IntN(22_000))
		if _, before := given.LoadOrStore(port, true); before {
			continue
		}
		ln, err := net.Listen("tcp", ":"+port)
		if err != nil {
			continue
		}
		ln.Close()
		return port
	}
	t.Fatal("no port between 10000 and 32000 is free")
	return ""
}
