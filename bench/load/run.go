package load

import (
	"context"
	"fmt"
	"net"
	"syscall"
	"time"
)

// Run makes the load that o describes and checks every answer. It returns when
// the last answer has come or is given up: up to Timeout after Duration.
//
// A request whose answer is wrong, late or missing is an error in the result, not one of Run.
// Run fails for invalid options, for a target that it cannot dial at all, with too few
// descriptors, and on systems other than Linux. When ctx ends, Run stops at once and returns
// its results so far with ctx's error.
func Run(ctx context.Context, o Options) (Result, error) {
	o, err := o.withDefaults()
	if err != nil {
		return Result{}, err
	}
	if err := o.Target.check(); err != nil {
		return Result{}, err
	}
	wires := make([]wire, len(o.Routes))
	for i, r := range o.Routes {
		if wires[i], err = newWire(o.Target, r.Request); err != nil {
			return Result{}, err
		}
		wires[i].number()
	}
	if err := enoughDescriptors(o.Connections); err != nil {
		return Result{}, err
	}
	c, err := dial(ctx, o.Target, o.Timeout, nil)
	if err != nil {
		return Result{}, err
	}
	c.Close()
	tallies, err := runLoops(ctx, o, wires)
	if err != nil {
		return Result{}, err
	}
	return merge(o, wires, tallies), ctx.Err()
}

// dial connects to a target. control may prepare the socket.
func dial(ctx context.Context, t Target, timeout time.Duration, control func(string, string, syscall.RawConn) error) (net.Conn, error) {
	c, err := (&net.Dialer{Timeout: timeout, Control: control}).DialContext(ctx, t.Network, t.Address)
	if err != nil {
		return nil, fmt.Errorf("load: is the server up? %w", err)
	}
	return c, nil
}
