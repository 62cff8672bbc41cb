package workload

import (
	"context"
	"fmt"
	"time"

	"github.com/uwsgo/uwsgo/bench/load"
	"github.com/uwsgo/uwsgo/bench/peers"
)

type measure = func(context.Context, *peers.Server, time.Duration) (Sample, error)

// warm is how long a server is loaded before it is measured.
const warm = time.Second

// throughput loads the server through wrk on a number of connections.
func throughput(connections int) measure {
	return func(ctx context.Context, srv *peers.Server, d time.Duration) (Sample, error) {
		return perRequest(srv, d, func(d time.Duration) (load.Result, error) {
			return load.Wrk(ctx, "http://"+srv.Addr+"/", connections, d)
		})
	}
}

// closing loads the server with a new connection for each request.
func closing(clients int) measure {
	return func(_ context.Context, srv *peers.Server, d time.Duration) (Sample, error) {
		return perRequest(srv, d, func(d time.Duration) (load.Result, error) {
			return load.Closing(srv.Addr, clients, d, srv.Peer.KeepsOpen), nil
		})
	}
}

// perRequest runs a load twice, to warm up and to measure, and divides what the
// server's process tree used meanwhile by the requests.
func perRequest(srv *peers.Server, d time.Duration, run func(time.Duration) (load.Result, error)) (Sample, error) {
	if _, err := run(warm); err != nil {
		return nil, err
	}
	before, err := srv.CPU()
	if err != nil {
		return nil, err
	}
	result, err := run(d)
	if err != nil {
		return nil, err
	}
	after, err := srv.CPU()
	if err != nil {
		return nil, err
	}
	if result.Requests == 0 {
		return nil, fmt.Errorf("no request was answered; %d failed", result.Errors)
	}
	return Sample{
		"cpu":    float64((after - before).Microseconds()) / float64(result.Requests),
		"rate":   result.Rate(),
		"p99":    milliseconds(result.P99),
		"errors": float64(result.Errors),
	}, nil
}

// idle holds clients connections open and asks from one more.
func idle(clients int) measure {
	return func(ctx context.Context, srv *peers.Server, _ time.Duration) (Sample, error) {
		if _, err := load.Wrk(ctx, "http://"+srv.Addr+"/", 64, warm); err != nil {
			return nil, err
		}
		before, err := settledPSS(ctx, srv)
		if err != nil {
			return nil, err
		}
		crowd := load.OpenIdle(srv.Addr, clients)
		defer crowd.Close()
		after, err := settledPSS(ctx, srv)
		if err != nil {
			return nil, err
		}
		fresh := load.OpenIdle(srv.Addr, 1) // opens what the timed one would else pay for
		fresh.Close()
		asked := time.Now()
		fresh = load.OpenIdle(srv.Addr, 1)
		took := time.Since(asked)
		defer fresh.Close()
		if fresh.Answered() != 1 {
			return nil, fmt.Errorf("a fresh client got no answer beside %d idle ones", crowd.Answered())
		}
		return Sample{
			"answered": float64(crowd.Answered()),
			"memory":   float64(after-before) / 1024 / float64(max(1, crowd.Answered())),
			"fresh":    milliseconds(took),
			"again":    float64(crowd.AskAgain()),
		}, nil
	}
}

// settledPSS waits until the server has used no CPU for half a second, at most
// ten, and gives its memory.
func settledPSS(ctx context.Context, srv *peers.Server) (int64, error) {
	last := time.Duration(-1)
	for range 20 {
		used, err := srv.CPU()
		if err != nil {
			return 0, err
		}
		if used == last {
			break
		}
		last = used
		if err := sleep(ctx, 500*time.Millisecond); err != nil {
			return 0, err
		}
	}
	return srv.PSS()
}

// slowMetrics of workloads in which a slow crowd disturbs, or does not, others.
var slowMetrics = []Metric{{"rate", "req/s"}, {"slowdown", "× alone"}, {"p99", "ms"}, {"errors", ""}, {"memory", "MiB"}, {"whole", ""}}

func slowReaders(clients int) measure {
	return beside(clients, func(addr string) *load.Slow {
		return load.SlowReaders(addr, "/large", 1<<20, clients)
	})
}

func slowUploads(clients int) measure {
	return beside(clients, func(addr string) *load.Slow {
		return load.SlowUploaders(addr, 256<<10, clients)
	})
}

// beside loads the server with 16 fast clients, alone and then beside a slow crowd.
func beside(clients int, crowd func(addr string) *load.Slow) measure {
	return func(ctx context.Context, srv *peers.Server, d time.Duration) (Sample, error) {
		fast := func() (load.Result, error) { return load.Wrk(ctx, "http://"+srv.Addr+"/", 16, d) }
		alone, err := fast()
		if err != nil {
			return nil, err
		}
		before, err := settledPSS(ctx, srv)
		if err != nil {
			return nil, err
		}
		slow := crowd(srv.Addr)
		for deadline := time.Now().Add(10 * time.Second); slow.Started() < clients; {
			if time.Now().After(deadline) {
				slow.Finish()
				return nil, fmt.Errorf("only %d of %d slow clients could start", slow.Started(), clients)
			}
			if err := sleep(ctx, 10*time.Millisecond); err != nil {
				return nil, err
			}
		}
		if err := sleep(ctx, warm); err != nil { // the burst of their requests is over
			slow.Finish()
			return nil, err
		}
		with, err := fast()
		after, pssErr := srv.PSS()
		whole := slow.Finish()
		if err != nil {
			return nil, err
		}
		if pssErr != nil {
			return nil, pssErr
		}
		return Sample{
			"rate":     with.Rate(),
			"slowdown": alone.Rate() / with.Rate(),
			"p99":      milliseconds(with.P99),
			"errors":   float64(with.Errors),
			"memory":   float64(after-before) / (1 << 20),
			"whole":    float64(whole),
		}, nil
	}
}

// memoryAfter asks a number of requests, each on a new connection from one of
// eight clients, and reads the memory.
func memoryAfter(requests int) measure {
	return func(ctx context.Context, srv *peers.Server, _ time.Duration) (Sample, error) {
		result := load.Count(srv.Addr, 8, requests)
		memory, err := settledPSS(ctx, srv)
		if err != nil {
			return nil, err
		}
		return Sample{"memory": float64(memory) / (1 << 20), "errors": float64(result.Errors)}, nil
	}
}

// startAndRest tells how long the start took, and what the server uses in three
// seconds without a request.
func startAndRest(ctx context.Context, srv *peers.Server, _ time.Duration) (Sample, error) {
	if _, err := settledPSS(ctx, srv); err != nil { // what start-up left to do is done
		return nil, err
	}
	before, err := srv.CPU()
	if err != nil {
		return nil, err
	}
	const rest = 3 * time.Second
	if err := sleep(ctx, rest); err != nil {
		return nil, err
	}
	after, err := srv.CPU()
	if err != nil {
		return nil, err
	}
	return Sample{
		"start": milliseconds(srv.Started),
		"rest":  float64((after - before).Microseconds()) / rest.Seconds(),
	}, nil
}

func milliseconds(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

func sleep(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(d):
		return nil
	}
}
