package route

import (
	"net/http"

	"github.com/uwsgo/uwsgo/codec"
	"github.com/uwsgo/uwsgo/engine"
	"github.com/uwsgo/uwsgo/handler/static"
)

// No loop waits for a disk. When the kernel's caches lack an answer about a file, a goroutine
// asks the disk and the rule goes on afterwards. A response cannot wait: its rules ask on the
// loop.

// cached is another function in tests.
var cached = static.Cached

// find calls then with the regular file of that name.
func (e *eval) find(name string, then func(f static.Found, err error) (verdict, error)) (verdict, error) {
	if e.kind != requests || cached(name) {
		return then(e.h.files.Find(name))
	}
	var f static.Found
	var err error
	return e.offload(func() { f, err = e.h.files.Find(name) }, func(r *Rule) {
		e.goOn(r, func() (verdict, error) { return then(f, err) })
	}, func() { f.Close() })
}

// offload runs job on a goroutine, and then on the loop, or gone if the exchange has ended.
func (e *eval) offload(job func(), then func(r *Rule), gone func()) (verdict, error) {
	rule := e.t.rules[e.pc-1]
	err := e.x.Offload(job, func(x *engine.Exchange) {
		e.r = x.Request()
		e.locate() // the head has moved
		then(rule)
	}, gone)
	if err != nil {
		return e.busy(), nil
	}
	return waits, nil
}

// busy answers when too many requests wait already.
func (e *eval) busy() verdict {
	resp := e.x.Response()
	resp.Status = http.StatusServiceUnavailable
	resp.Header = append(resp.Header, codec.Header{Name: []byte("Retry-After"), Value: []byte("1")})
	resp.Header = append(resp.Header, plainText...)
	e.x.Reply(resp, []byte("Service Unavailable\n"))
	return ended
}
