package control_test

import (
	"fmt"

	"github.com/uwsgo/uwsgo/engine/worker/control"
)

// A service has a name, and answers at once. What takes longer is told by a notice, for
// which the Python side subscribes.
func Example() {
	hub := control.NewHub(func(format string, args ...any) { fmt.Printf(format+"\n", args...) })
	hub.Handle("double", func(p *control.Peer, args []any) (any, error) {
		n, ok := args[0].(int)
		if !ok {
			return nil, control.Refuse("double takes a number")
		}
		return 2 * n, p.Tell("doubled", n)
	})
	// worker.Config{Control: hub} gives each Python process a channel to it. There,
	// control.channel.call("double", 5) returns 10, and
	// control.channel.subscribe("doubled", print) hears of it.
	fmt.Println(len(hub.Peers()), "processes")
	// Output: 0 processes
}
