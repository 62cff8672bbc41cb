package wsgi

import (
	"bytes"
	"fmt"

	"github.com/uwsgo/uwsgo/codec"
	"github.com/uwsgo/uwsgo/engine"
	"github.com/uwsgo/uwsgo/engine/worker"
)

// switching is the status of an answer that makes a WebSocket of the connection.
const switching = 101

// tunnelAhead is how many bytes of a client wait for its app before the client is not read.
const tunnelAhead = 64 << 10

// answer is response for what is an answer, so not 101.
func (c *call) answer(core *worker.Core, status []byte, headers *worker.Headers) (*codec.Response, error) {
	resp, err := c.response(core, status, headers)
	if err == nil && resp.Status == switching {
		err = fmt.Errorf("status %q: %w", status, codec.ErrResponseStatus)
	}
	return resp, err
}

// handshake reports whether the request opens a WebSocket (RFC 6455 4.2.1). Others that offer an
// upgrade are ordinary requests: apps answer them without one (RFC 9110 7.8).
func handshake(r *codec.Request) bool {
	return r.Upgrade && string(r.Bytes(r.Method)) == "GET" && bytes.EqualFold(r.Get("Upgrade"), []byte("websocket")) &&
		len(r.Get("Sec-WebSocket-Key")) > 0 && string(bytes.TrimSpace(r.Get("Sec-WebSocket-Version"))) == "13"
}

// unanswered replaces the page with which an app has answered a handshake. The client gets an error,
// and the log has a hint for the operator.
func (c *call) unanswered(resp *codec.Response) bool {
	r := c.x.Request()
	if !handshake(r) || resp.Status >= 500 {
		return false
	}
	c.l.h.logf("%s: the client asks for a WebSocket, and the app has answered %d: it takes one by uwsgi.websocket_handshake(), or by a library that knows environ['werkzeug.socket'], such as simple-websocket", c.Describe(), resp.Status)
	if resp.Status >= 400 {
		return false
	}
	c.x.ReplyText(400, "Bad Request: no WebSocket here\n")
	return true
}

// Tunnel implements worker.Tunneler.
func (c *call) Tunnel(core *worker.Core, status []byte, headers *worker.Headers, t *worker.Tunnel) bool {
	resp, err := c.response(core, status, headers)
	if err == nil {
		err = c.x.TakeOver(resp)
	}
	if err != nil {
		c.l.h.logf("%s: the app asks for a WebSocket: %v: the client has not, or by a protocol that has none", c.Describe(), err)
		c.l.refuse(c.x, worker.ErrAppFailed)
		c.tunnel = t // so that what follows is for nobody
		c.x = nil
		return false
	}
	c.started, c.tunnel = true, t
	c.x.ReadBody(tunnelReader{c})
	return true
}

// TunnelData implements worker.Tunneler.
func (c *call) TunnelData(p []byte) {
	if c.x == nil {
		return
	}
	c.x.Write(p)
	if c.x != nil && c.x.Buffered() > engine.DrainedBelow {
		c.tunnel.Hold(true)
	}
}

// TunnelRoom implements worker.Tunneler.
func (c *call) TunnelRoom() {
	if c.x != nil {
		c.x.HoldBody(false)
	}
}

// TunnelClosed implements worker.Tunneler.
func (c *call) TunnelClosed() {
	if x := c.x; x != nil {
		c.x = nil
		x.End()
	}
	if c.left {
		c.l.free(c)
	}
}

// leave ends the request for the port. The connection may live on.
func (c *call) leave() {
	c.left = true
	if c.x == nil {
		c.l.free(c)
	}
}

// tunnelReader passes the client's bytes to the tunnel.
type tunnelReader struct{ c *call }

func (r tunnelReader) Data(x *engine.Exchange, p []byte) {
	if r.c.tunnel.Send(p) > tunnelAhead {
		x.HoldBody(true)
	}
}
func (r tunnelReader) End(*engine.Exchange)               { r.c.tunnel.EndInput() }
func (r tunnelReader) Failed(x *engine.Exchange, _ error) { x.Abort() }
