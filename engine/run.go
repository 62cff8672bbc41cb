package engine

import (
	"context"
	"errors"
	"log"
	"slices"
	"time"

	"github.com/uwsgo/uwsgo/codec"
)

// runMercy bounds how long requests may go on after ctx has ended.
const runMercy = time.Minute

// ListenAndServe answers HTTP requests on addr with h until an error, as net/http's function of
// that name does. The address is one of [Server.Listen].
func ListenAndServe(addr string, h Handler) error { return Run(context.Background(), addr, h) }

// Run answers HTTP requests on addr with h until ctx ends. Then it accepts no more connections
// and answers the requests that it has read, for at most a minute. It returns nil when it has
// answered all of them.
func Run(ctx context.Context, addr string, h Handler) error {
	s, err := New(Options{Logf: log.Printf})
	if err != nil {
		return err
	}
	ln, err := s.Listen(addr, ListenOptions{})
	if err != nil {
		_ = s.Close()
		return err
	}
	served := make(chan error, 1)
	go func() { served <- s.Serve(h) }()
	select {
	case err := <-served:
		return err
	case <-ctx.Done():
	}
	_, _ = ln.Unlink()
	mercy, cancel := context.WithTimeout(context.WithoutCancel(ctx), runMercy)
	defer cancel()
	err = s.Shutdown(mercy)
	if end := <-served; end != ErrServerClosed {
		err = errors.Join(err, end)
	}
	return err
}

// Method returns the request's method as a string that may be kept. It copies, as all methods
// that return strings do. On a hot path use x.Request().Bytes(x.Request().Method), which does
// not copy.
func (x *Exchange) Method() string { return string(x.req.Bytes(x.req.Method)) }

// Path returns the request's path, decoded, as a string that may be kept.
func (x *Exchange) Path() string { return string(x.req.Path()) }

// Query returns the part of the request's target after "?", as a string that may be kept; see
// net/url.ParseQuery.
func (x *Exchange) Query() string { return string(x.req.Bytes(x.req.Query)) }

// Header returns the value of the first request field of that name, whatever its case, as a
// string that may be kept. It is empty when there is none.
func (x *Exchange) Header(name string) string { return string(x.req.Get(name)) }

// ReplyWith answers with a body and these header fields, name and value in turn.
func (x *Exchange) ReplyWith(status int, body []byte, header ...string) {
	resp := x.Response()
	resp.Status = status
	for pair := range slices.Chunk(header, 2) {
		if len(pair) < 2 {
			panic("engine: a header field of ReplyWith has no value")
		}
		resp.Header = append(resp.Header, codec.Header{Name: []byte(pair[0]), Value: []byte(pair[1])})
	}
	x.Reply(resp, body)
}
