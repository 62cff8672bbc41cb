package http1

import (
	"bytes"

	"github.com/uwsgo/uwsgo/codec"
	"github.com/uwsgo/uwsgo/codec/internal/grammar"
)

// Received is a response head from another server. Its header has the fields that may be passed on,
// and Content-Length. All views point into the decoder's input.
type Received struct {
	codec.Response
	// Kind says how the body ends; with FrameLength it ends after ContentLength bytes. In the answer to
	// HEAD, and in a 304, ContentLength describes a body that does not come.
	Kind FrameKind
	// KeepAlive says that the server accepts another request on the connection.
	KeepAlive bool
	// Idle is how many seconds the server keeps an idle connection; 0 if it does not say.
	Idle int
}

// ResponseDecoder reads response heads. It is as strict as [Decoder]: it refuses an ambiguous head, so
// that none reaches a client. The zero value is ready.
type ResponseDecoder struct {
	Limits codec.Limits // Head and Fields count

	seen int // bytes looked at for the end of the head
}

// Reset makes d ready for the next head, or for another connection.
func (d *ResponseDecoder) Reset() { d.seen = 0 }

// Head reads a response head. buf begins at its first byte. When more bytes have come, the next call
// gets all bytes again from the first one on, at any address. forHEAD says that the request was HEAD.
//
// It returns 0 and no error while the head is incomplete. Once it is complete it returns its size,
// r is filled in, and d is ready for the next head. Errors are those of codec, for a 502.
func (d *ResponseDecoder) Head(buf []byte, forHEAD bool, r *Received) (n int, err error) {
	limits := d.Limits.WithDefaults()
	for {
		i := bytes.IndexByte(buf[d.seen:], '\n')
		if i < 0 {
			d.seen = len(buf)
			if len(buf) >= limits.Head {
				return 0, codec.ErrHeadTooLarge
			}
			return 0, nil
		}
		at := d.seen + i
		if at == 0 || buf[at-1] != '\r' {
			return 0, codec.ErrBareLF
		}
		d.seen = at + 1
		if at+1 > limits.Head {
			return 0, codec.ErrHeadTooLarge
		}
		if at == 1 {
			return 0, codec.ErrStatusLine
		}
		if buf[at-2] == '\n' {
			break
		}
	}
	n, d.seen = d.seen, 0
	return n, r.parse(buf[:n], forHEAD, limits.Fields)
}

// parse reads a whole head.
func (r *Received) parse(b []byte, forHEAD bool, most int) error {
	header := r.Header[:0]
	*r = Received{}
	line, rest := cutLine(b)
	proto, err := r.statusLine(line)
	if err != nil {
		return err
	}
	var f framing
	closing, keepAlive, nominates := false, false, false
	options := 0
	for line, rest = cutLine(rest); len(line) > 0; line, rest = cutLine(rest) {
		if most--; most < 0 {
			return codec.ErrTooManyFields
		}
		name, value, err := fieldLine(line)
		if err != nil {
			return err
		}
		switch which(name) {
		case fieldContentLength:
			if err := f.contentLength(value); err != nil {
				return err
			}
		case fieldTransferEncoding:
			if err := f.transferEncoding(value); err != nil {
				return err
			}
			continue
		case fieldConnection:
			for list := value; len(list) > 0; {
				var option []byte
				option, list = nextElement(list)
				if options++; options > maxOptions {
					return codec.ErrConnectionOption
				}
				switch {
				case equalFold(option, "close"):
					closing = true
				case equalFold(option, "keep-alive"):
					keepAlive = true
				default:
					nominates = true
				}
			}
			if !nominates {
				continue
			}
		default:
			if equalFold(name, "keep-alive") {
				r.Idle = keptFor(value)
			}
			if !codec.KeepResponseField(name) && (r.Status != 101 || !equalFold(name, "upgrade")) {
				continue
			}
		}
		header = append(header, codec.Header{Name: name, Value: value})
	}
	if nominates {
		header = r.withoutNominated(header)
	}
	r.Header = header
	r.KeepAlive = !closing && (proto == codec.HTTP11 || keepAlive)
	return r.frame(&f, proto, forHEAD)
}

// frame decides how the body ends, RFC 9112 6.3.
func (r *Received) frame(f *framing, proto codec.Proto, forHEAD bool) error {
	r.ContentLength = -1
	switch {
	case f.chunked && proto == codec.HTTP10:
		return codec.ErrTransferEncoding10
	case f.chunked && f.hasLength:
		return codec.ErrLengthAndEncoding
	case f.hasLength:
		r.ContentLength = f.length
	}
	switch {
	case r.Status < 200, r.Status == 204:
		if f.chunked || f.length > 0 {
			r.KeepAlive = false // it may send a body all the same
		}
		r.ContentLength = -1
		r.Kind = FrameNone
	case forHEAD, r.Status == 304:
		if f.chunked || f.length > 0 {
			r.KeepAlive = false // likewise: apps that know nothing of HEAD do
		}
		r.Kind = FrameNone
	case f.chunked:
		r.Kind = FrameChunked
	case f.hasLength:
		r.Kind = FrameLength
	default:
		r.Kind, r.KeepAlive = FrameClose, false
	}
	return nil
}

// statusLine reads "HTTP/1.1 200 OK". The space behind the status may be missing together with the reason,
// as several servers have it.
func (r *Received) statusLine(line []byte) (codec.Proto, error) {
	const least = len("HTTP/1.1 200")
	proto := codec.HTTP11
	if len(line) < least || string(line[:len("HTTP/1.")]) != "HTTP/1." || line[8] != ' ' {
		return 0, codec.ErrStatusLine
	}
	switch line[7] {
	case '1':
	case '0':
		proto = codec.HTTP10
	default:
		return 0, codec.ErrStatusLine
	}
	for _, c := range line[9:12] {
		if grammar.Of[c]&grammar.Digit == 0 {
			return 0, codec.ErrStatusLine
		}
		r.Status = r.Status*10 + int(c-'0')
	}
	if r.Status < 100 {
		return 0, codec.ErrStatusLine
	}
	if len(line) == least {
		return proto, nil
	}
	if line[12] != ' ' || grammar.SkipValue(line, least) != len(line) {
		return 0, codec.ErrStatusLine
	}
	r.Reason = line[least+1 : len(line) : len(line)]
	return proto, nil
}

// fieldLine cuts a field line in two.
func fieldLine(line []byte) (name, value []byte, err error) {
	if line[0] == ' ' || line[0] == '\t' {
		return nil, nil, codec.ErrObsFold
	}
	colon := grammar.Skip(grammar.Token, line, 0)
	if colon == 0 || colon == len(line) || line[colon] != ':' {
		return nil, nil, codec.ErrFieldName
	}
	from, to := colon+1, len(line)
	if grammar.SkipValue(line, from) != to {
		return nil, nil, codec.ErrFieldValue
	}
	for from < to && (line[from] == ' ' || line[from] == '\t') {
		from++
	}
	for from < to && (line[to-1] == ' ' || line[to-1] == '\t') {
		to--
	}
	return line[:colon:colon], line[from:to:to], nil
}

// cutLine cuts off the first line of b, which ends in CRLF.
func cutLine(b []byte) (line, rest []byte) {
	i := bytes.IndexByte(b, '\n')
	return b[:i-1], b[i+1:]
}

// withoutNominated takes out the Connection fields, and those that they name: see [codec.KeepNominated].
func (r *Received) withoutNominated(header []codec.Header) []codec.Header {
	for _, h := range header {
		if which(h.Name) != fieldConnection {
			continue
		}
		for list := h.Value; len(list) > 0; {
			var option []byte
			option, list = nextElement(list)
			if codec.KeepNominated(option) || which(option) == fieldConnection || r.Status == 101 && equalFold(option, "upgrade") {
				continue
			}
			for i := range header {
				if which(header[i].Name) != fieldConnection && codec.EqualName(header[i].Name, option) {
					header[i].Name = nil
				}
			}
		}
	}
	kept := header[:0]
	for _, h := range header {
		if len(h.Name) > 0 && which(h.Name) != fieldConnection {
			kept = append(kept, h)
		}
	}
	return kept
}

// keptFor reads the timeout of a Keep-Alive field, such as "timeout=5, max=100".
func keptFor(value []byte) int {
	for len(value) > 0 {
		var e []byte
		e, value = nextElement(value)
		if name, n, ok := bytes.Cut(e, equals); ok && equalFold(name, "timeout") {
			if n, ok := codec.ParseLength(n); ok && n < 1<<20 {
				return int(n)
			}
		}
	}
	return 0
}

var equals = []byte("=")
