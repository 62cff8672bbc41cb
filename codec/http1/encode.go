package http1

import (
	"strconv"

	"github.com/uwsgo/uwsgo/codec"
)

// FrameKind is how a response marks the end of its body.
type FrameKind uint8

const (
	// FrameNone means there is no body, whatever the handler produces.
	FrameNone FrameKind = iota
	// FrameLength means exactly Framing.Length bytes.
	FrameLength
	// FrameChunked means chunks: [AppendChunkHead], the data and [ChunkEnd], then [AppendLastChunk].
	FrameChunked
	// FrameClose means that the body ends with the connection.
	FrameClose
)

// Framing is how the body must be sent after a head of [AppendHead].
type Framing struct {
	Kind      FrameKind
	Length    int64 // of the body, for FrameLength
	KeepAlive bool  // the connection stays open once the body has been sent
}

// AppendHead appends the head of resp, the response to req, and returns how its body must be
// sent. date is the present time as an IMF-fixdate (RFC 9110 5.6.7), written unless resp has a
// Date. keepAlive says that the server would keep the connection. AppendHead also checks that
// the client wants it and the framing allows it.
//
// resp must be valid in the sense of [codec.Validate]. Fields about the connection
// and the framing are left out; a "Connection: close" among them is heeded.
//
// The body's length is resp.ContentLength. In the answer to HEAD and in a 304 it is the length
// for a GET (RFC 9110 8.6). There 0 usually means that the handler made no body, so AppendHead
// writes it only if resp has a Content-Length field as well.
//
// A status below 200 makes an interim head, which leaves the connection and its
// framing alone. Over the uwsgi protocol there is neither Date nor Connection,
// as with uWSGI, and the web server in front has the connection closed.
func AppendHead(dst []byte, req *codec.Request, resp *codec.Response, date []byte, keepAlive bool) ([]byte, Framing) {
	uwsgi := req.Proto == codec.UWSGI
	interim := resp.Status < 200
	dst = appendStatusLine(dst, req, resp)

	dated, lengthGiven, closing := false, false, false
	for _, h := range resp.Header {
		if !codec.KeepResponseField(h.Name) {
			switch which(h.Name) {
			case fieldContentLength:
				lengthGiven = true
			case fieldConnection:
				closing = closing || hasClose(h.Value)
			}
			continue
		}
		if len(h.Name) == 4 && equalFold(h.Name, "date") {
			dated = true
		}
		dst = append(dst, h.Name...)
		dst = append(dst, ": "...)
		dst = append(dst, h.Value...)
		dst = append(dst, "\r\n"...)
	}
	if interim {
		return append(dst, "\r\n"...), Framing{Kind: FrameNone, KeepAlive: true}
	}

	f, told := Frame(req, resp, lengthGiven, keepAlive && !closing)
	switch told {
	case FrameLength:
		dst = append(dst, "Content-Length: "...)
		dst = strconv.AppendInt(dst, resp.ContentLength, 10)
		dst = append(dst, "\r\n"...)
	case FrameChunked:
		dst = append(dst, "Transfer-Encoding: chunked\r\n"...)
	}

	if uwsgi {
		return append(dst, "\r\n"...), f
	}
	if !dated {
		dst = append(dst, "Date: "...)
		dst = append(dst, date...)
		dst = append(dst, "\r\n"...)
	}
	switch {
	case !f.KeepAlive:
		dst = append(dst, "Connection: close\r\n"...)
	case req.Proto == codec.HTTP10:
		dst = append(dst, "Connection: keep-alive\r\n"...)
	}
	return append(dst, "\r\n"...), f
}

// Frame returns how the body of resp, the response to req, is sent, and how the head announces
// it. The answer to HEAD and a 304 announce a body that is not sent. lengthGiven says that resp
// has a Content-Length field, keepAlive that the server would keep the connection: see
// [AppendHead].
func Frame(req *codec.Request, resp *codec.Response, lengthGiven, keepAlive bool) (f Framing, told FrameKind) {
	length := resp.ContentLength
	noBody := req.Head || resp.Status == 304
	told = FrameClose
	switch {
	case resp.Status == 204:
		told = FrameNone
	case noBody && (resp.Status == 304 && length < 0 || length == 0 && !lengthGiven):
		told = FrameNone
	case length >= 0:
		told = FrameLength
	case req.Proto == codec.HTTP11:
		told = FrameChunked
	}
	f = Framing{Kind: told, KeepAlive: keepAlive && req.KeepAlive && req.Proto != codec.UWSGI}
	if noBody {
		f.Kind = FrameNone
	}
	switch f.Kind {
	case FrameClose:
		f.KeepAlive = false
	case FrameLength:
		f.Length = length
	case FrameNone, FrameChunked:
	}
	return f, told
}

// AppendSwitch appends the head of resp, which ends HTTP on its connection: 101, or a 2xx to
// CONNECT (RFC 9110 7.8, 9.3.6). It keeps Upgrade, and no other field about the connection.
func AppendSwitch(dst []byte, req *codec.Request, resp *codec.Response) []byte {
	dst = appendStatusLine(dst, req, resp)
	for _, h := range resp.Header {
		if !codec.KeepResponseField(h.Name) && !equalFold(h.Name, "upgrade") {
			continue
		}
		dst = append(dst, h.Name...)
		dst = append(dst, ": "...)
		dst = append(dst, h.Value...)
		dst = append(dst, "\r\n"...)
	}
	if resp.Status == 101 {
		dst = append(dst, "Connection: Upgrade\r\n"...)
	}
	return append(dst, "\r\n"...)
}

func hasClose(value []byte) bool {
	for len(value) > 0 {
		var option []byte
		option, value = nextElement(value)
		if equalFold(option, "close") {
			return true
		}
	}
	return false
}

// appendStatusLine answers every HTTP client with HTTP/1.1, our own version (RFC 9110 2.5). A
// front server over uwsgi gets the version that it passed on.
func appendStatusLine(dst []byte, req *codec.Request, resp *codec.Response) []byte {
	if req.Proto == codec.UWSGI && validVersion(req.Bytes(req.Version)) {
		dst = append(dst, req.Bytes(req.Version)...)
	} else {
		dst = append(dst, version...)
	}
	dst = append(dst, ' ')
	dst = strconv.AppendInt(dst, int64(resp.Status), 10)
	dst = append(dst, ' ')
	if len(resp.Reason) > 0 {
		dst = append(dst, resp.Reason...)
	} else {
		dst = append(dst, Reason(resp.Status)...)
	}
	return append(dst, "\r\n"...)
}

// validVersion reports whether v, which over uwsgi is any variable's value, can
// stand in a status line.
func validVersion(v []byte) bool {
	digit := func(c byte) bool { return '0' <= c && c <= '9' }
	return len(v) == len(version) && string(v[:5]) == "HTTP/" && digit(v[5]) && v[6] == '.' && digit(v[7])
}

// AppendChunkHead appends the head of a chunk with n bytes of data, n > 0. The data follows,
// which need not be copied, then [ChunkEnd].
func AppendChunkHead(dst []byte, n int) []byte {
	dst = strconv.AppendUint(dst, uint64(n), 16)
	return append(dst, "\r\n"...)
}

// ChunkEnd follows the data of a chunk.
const ChunkEnd = "\r\n"

// AppendLastChunk appends the end of a chunked body, without trailer fields.
func AppendLastChunk(dst []byte) []byte { return append(dst, "0\r\n\r\n"...) }
