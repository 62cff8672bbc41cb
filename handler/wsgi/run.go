package wsgi

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"time"

	"github.com/uwsgo/uwsgo/engine"
	"github.com/uwsgo/uwsgo/engine/worker"
)

// Config says what [Run] and [Start] serve. Addr, and File or Module, are required; zero values
// of the rest are sensible. For more control use the parts: [engine.New], [worker.Start],
// [New].
type Config struct {
	Addr string // where to listen for HTTP: ":8080", "127.0.0.1:8080", a path, "@name"

	Module     string   // the app, as "shop.wsgi:application"; used instead of File
	File       string   // the app, as a Python file
	Callable   string   // the app's name, if Module does not have it; default "application"
	Dir        string   // working directory of the app; default: the server's
	PythonPath []string // put at the front of sys.path
	Virtualenv string   // the Python that runs it; default: python3 of PATH
	Env        []string // of the Python processes, as K=V; nil for the server's own

	Processes int           // workers; default 1
	Threads   int           // of each worker; default 1
	Harakiri  time.Duration // how long a request may run; 0 for ever
	Mercy     time.Duration // how long requests may go on when Run stops; default 60 s

	// Wrap, if not nil, returns the handler for all requests. It may answer some in Go and
	// leave the rest to the app. [engine.Handler] says what it must not do.
	Wrap func(app engine.Handler) engine.Handler
	// Ready, if not nil, is called by Run with the address once the app is served.
	Ready func(addr string)
	// Logf prints errors; nil drops them. Apps write to standard error.
	Logf func(format string, args ...any)
}

// Server is a Python app that is being served. Any goroutine may call its methods.
type Server struct {
	engine   *engine.Server
	pool     *worker.Pool
	listener *engine.Listener
	mercy    time.Duration
	served   chan struct{} // closed when the loops have ended,
	err      error         // for this reason

	stopOnce sync.Once
	stopped  chan struct{} // closed at the end of Stop,
	stopErr  error         // with this
}

// Run serves a Python app until ctx ends, and then lets running requests finish. It returns nil
// after that, also when ctx ends during the start. The error of a failed start says what to do:
// a *[worker.LoadError] names an app that does not load.
func Run(ctx context.Context, c Config) error {
	s, err := Start(ctx, c)
	if err != nil {
		if errors.Is(err, ctx.Err()) {
			return nil
		}
		return err
	}
	if c.Ready != nil {
		c.Ready(s.Addr())
	}
	select {
	case <-ctx.Done():
	case <-s.served:
	}
	mercy, cancel := context.WithTimeout(context.WithoutCancel(ctx), s.mercy)
	defer cancel()
	return s.Stop(mercy)
}

// Start returns when the app is loaded and served. When ctx ends first, it leaves nothing
// behind. Afterwards ctx has no effect.
func Start(ctx context.Context, c Config) (*Server, error) {
	if c.File == "" && c.Module == "" {
		return nil, errors.New("there is no app: set File or Module")
	}
	if c.Logf == nil {
		c.Logf = func(string, ...any) {}
	}
	if c.Mercy <= 0 {
		c.Mercy = time.Minute
	}
	s := &Server{mercy: c.Mercy, served: make(chan struct{}), stopped: make(chan struct{})}
	var err error
	if s.engine, err = engine.New(engine.Options{Logf: c.Logf, SharedBodies: engine.DefaultSharedBodies}); err != nil {
		return nil, err
	}
	handler, err := s.prepare(ctx, c)
	if err != nil {
		if s.pool != nil {
			over, cancel := context.WithCancel(context.Background())
			cancel()
			_ = s.pool.Stop(over)
		}
		if s.listener != nil {
			_, _ = s.listener.Unlink()
		}
		_ = s.engine.Close()
		return nil, err
	}
	go func() {
		defer close(s.served)
		s.err = s.engine.Serve(handler)
	}()
	return s, nil
}

// prepare binds the address, starts the workers, and returns the handler.
func (s *Server) prepare(ctx context.Context, c Config) (engine.Handler, error) {
	var err error
	if s.listener, err = s.engine.Listen(c.Addr, engine.ListenOptions{}); err != nil {
		return nil, err
	}
	python, err := worker.FindPython(c.Virtualenv)
	if err != nil {
		return nil, err
	}
	s.pool, err = worker.Start(ctx, worker.Config{
		Python: python, Dir: c.Dir, Env: c.Env, PythonPath: c.PythonPath,
		Apps:      []worker.App{{File: c.File, Module: c.Module, Callable: c.Callable}},
		Processes: c.Processes, Threads: c.Threads, Harakiri: c.Harakiri, Mercy: c.Mercy,
		NeedApp: true, Bodies: s.engine.SharedBodies(), Loops: s.engine.Loops(), Stderr: os.Stderr,
		Log: func(line string) { c.Logf("%s", line) },
	})
	if err != nil {
		s.pool = nil
		return nil, err
	}
	app, err := New(s.pool, Options{Logf: c.Logf})
	if err != nil || c.Wrap == nil {
		return app, err
	}
	return c.Wrap(app), nil
}

// Addr returns the listening address, with the port that the system chose for port 0.
func (s *Server) Addr() string { return s.listener.String() }

// Pool returns the worker pool, for Reload and statistics. Stop ends it.
func (s *Server) Pool() *worker.Pool { return s.pool }

// Done is closed when the server has ended: at the end of Stop, or because the event loops have
// failed. Stop returns that error.
func (s *Server) Done() <-chan struct{} { return s.served }

// Stop accepts no more connections, and returns when all requests have ended and all workers
// have exited. When ctx ends first it kills the rest and returns ctx's error. Another call
// waits for the first and returns the same.
func (s *Server) Stop(ctx context.Context) error {
	s.stopOnce.Do(func() {
		defer close(s.stopped)
		// The loops carry the last answers, so they end last.
		_, _ = s.listener.Unlink()
		err := errors.Join(s.engine.Drain(ctx), s.pool.Stop(ctx))
		err = errors.Join(err, s.engine.Close())
		<-s.served
		if !errors.Is(s.err, engine.ErrServerClosed) {
			err = errors.Join(err, fmt.Errorf("serve: %w", s.err))
		}
		s.stopErr = err
	})
	<-s.stopped
	return s.stopErr
}
