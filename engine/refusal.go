package engine

import (
	"bytes"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/uwsgo/uwsgo/codec"
	"github.com/uwsgo/uwsgo/engine/internal/printable"
)

// Refusal describes a request that did not reach the handler: it was malformed, over a limit or
// too slow. Its texts are unescaped input of the client.
type Refusal struct {
	ID      string // the error's id: see codec
	Status  int    // the status of the answer
	Message string

	Peer     string // the client's address; empty for a unix socket
	Listener *Listener
	Method   string // as far as it has come
	Target   string
	Field    string // the header field or variable at fault

	Limit    int64         // the limit that was exceeded; 0 for none
	Patience time.Duration // the time that ran out; 0 for none
}

// logged bounds each text of a refusal, in bytes.
const logged = 256

// String is Text without an option.
func (r *Refusal) String() string { return r.Text("") }

// Text describes the refusal in one line of printable text. option, if not empty, names the
// option that changes the limit.
func (r *Refusal) Text(option string) string {
	var b strings.Builder
	peer := r.Peer
	if peer == "" {
		peer = "a client"
	}
	fmt.Fprintf(&b, "refused request from %s on %s %s: %s (%s, answered %d)", peer, r.Listener.Protocol(), r.Listener, r.Message, r.ID, r.Status)
	sep := ": "
	add := func(format string, args ...any) {
		b.WriteString(sep)
		fmt.Fprintf(&b, format, args...)
		sep = ", "
	}
	if r.Method != "" {
		add("%s %s", printable.Text(r.Method, true), printable.Text(r.Target, true))
	}
	if r.Field != "" {
		add("field %s", printable.Text(r.Field, true))
	}
	switch {
	case r.Limit > 0:
		add("limit %d", r.Limit)
	case r.Patience > 0:
		add("limit %v", r.Patience)
	}
	if option != "" {
		add("%s changes it", option)
	}
	return b.String()
}

// fieldOf names the field at fault for errors that only a complete head shows.
var fieldOf = map[string]string{
	codec.ErrHostMissing.ID:        "Host",
	codec.ErrLengthAndEncoding.ID:  "Transfer-Encoding",
	codec.ErrTransferEncoding10.ID: "Transfer-Encoding",
	codec.ErrBodyTooLarge.ID:       "Content-Length",
	codec.ErrExpect.ID:             "Expect",
}

// refusal describes why the present request is refused. When the head is incomplete r holds the
// part that was parsed, and at points to the name at fault.
func (c *conn) refusal(status int, id string, err error, r *codec.Request, at codec.Span) *Refusal {
	f := &Refusal{ID: id, Status: status, Message: err.Error(), Listener: c.listener}
	if b := c.peer.AppendAddr(nil); len(b) > 0 {
		f.Peer = string(b)
		if strings.Contains(f.Peer, ":") {
			f.Peer = "[" + f.Peer + "]"
		}
		f.Peer += ":" + strconv.Itoa(int(c.peer.Port))
	}
	text := func(b []byte) string { return string(b[:min(len(b), logged)]) }
	if (c.read != readHead || int(max(r.Method.End, r.Target.End)) <= len(r.Buf)) && r.Method.Len() > 0 {
		f.Method, f.Target = text(r.Bytes(r.Method)), text(r.Bytes(r.Target))
		if f.Target == "" && r.Proto != codec.UWSGI { // the fault is in the target
			rest := bytes.TrimPrefix(r.Buf[r.Method.End:], []byte(" "))
			if end := bytes.IndexAny(rest, " \r\n"); end >= 0 {
				rest = rest[:end]
			}
			f.Target = text(rest)
		}
	}
	o := &c.loop.srv.opt
	switch id {
	case codec.ErrHeadTooLarge.ID, "block_size":
		f.Limit = int64(o.Limits.Head)
	case codec.ErrTargetTooLong.ID:
		f.Limit = int64(min(o.Limits.Target, o.Limits.Head))
	case codec.ErrTooManyFields.ID, "too_many_vars":
		f.Limit = int64(o.Limits.Fields)
	case codec.ErrBodyTooLarge.ID:
		f.Limit = o.Limits.Body
	case codec.ErrChunkExt.ID:
		f.Limit = int64(o.Limits.ChunkExt)
	case codec.ErrTrailerTooLarge.ID:
		f.Limit = int64(o.Limits.Trailer)
	case errHeadTimeout.ID:
		f.Patience = c.patience(o.HeadTimeout)
	case errBodyTimeout.ID:
		f.Patience = c.patience(o.BodyTimeout)
	}
	if f.Field = fieldOf[id]; r.Chunked {
		f.Field = ""
	}
	if f.Field != "" || c.read != readHead || len(r.Buf) == 0 {
		return f
	}
	if c.listener.protocol == HTTP {
		at = c.x.decoder.Fault()
	}
	if at.Len() > 0 && int(at.End) <= len(r.Buf) {
		f.Field = text(r.Bytes(at))
	}
	return f
}
