package worker

import (
	"os"
	"runtime/debug"

	"github.com/uwsgo/uwsgo/engine/internal/printable"
)

// A client's methods are not this package's code. A panic there ends only that request: the
// other frames and requests of the loop go on.

// contain, deferred, stops a panic in a method of c. id is the request's while it has not
// ended, else 0. c is nil when Fail must not follow.
func (p *Port) contain(c Client, id uint32) {
	if r := recover(); r != nil {
		p.panicked(c, id, r)
	}
}

func (p *Port) panicked(c Client, id uint32, reason any) {
	if told := p.loop.OnPanic; told != nil {
		told(reason, debug.Stack())
	}
	if id != 0 {
		if s := p.slot(p.current(id)); s == nil || s.client != c {
			return // it was cancelled, and c may serve another request by now
		}
		p.Cancel(id)
	}
	if c != nil {
		p.tellFail(c, ErrPanicked)
	}
}

func (p *Port) tellReply(c Client, core *Core, status, body []byte) {
	defer p.contain(c, 0)
	c.Reply(core, status, &p.headers, body)
}

func (p *Port) tellHead(c Client, id uint32, core *Core, status []byte) {
	defer p.contain(c, id)
	c.Head(core, status, &p.headers)
}

func (p *Port) tellData(c Client, id uint32, b []byte) {
	defer p.contain(c, id)
	c.Data(b)
}

func (p *Port) tellEnd(c Client) {
	defer p.contain(c, 0)
	c.End()
}

func (p *Port) tellFile(c Client, core *Core, status []byte, f *os.File, offset, n int64) {
	defer p.contain(c, 0)
	c.File(core, status, &p.headers, f, offset, n)
}

// tellTunnel tells of a connection that an app takes over.
func (p *Port) tellTunnel(c Tunneler, id uint32, core *Core, status []byte, t *Tunnel) (taken bool) {
	defer p.contain(c, id)
	return c.Tunnel(core, status, &p.headers, t)
}

func (p *Port) tellTunnelData(c Tunneler, b []byte) {
	defer p.contain(c, 0)
	c.TunnelData(b)
}

func (p *Port) tellRoom(c Tunneler) {
	defer p.contain(c, 0)
	c.TunnelRoom()
}

func (p *Port) tellTunnelClosed(c Tunneler) {
	defer p.contain(c, 0)
	c.TunnelClosed()
}

func (p *Port) tellFail(c Client, err error) {
	defer p.contain(nil, 0)
	c.Fail(err)
}

// describe says which request c waits for, escaped for the log.
func (p *Port) describe(c Client) (what string) {
	defer p.contain(nil, 0)
	what = "-"
	if d, ok := c.(Describer); ok {
		what = printable.Text(d.Describe(), true)
	}
	return what
}
