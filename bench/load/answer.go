package load

import "bytes"

// Bounds of a head. An answer beyond them is malformed.
const (
	maxLine = 32 << 10 // one line, and of a chunk its size line
	maxHead = 64 << 10 // a head, interim answers before it, and trailers
)

// answer checks one answer as its bytes arrive. It copies nothing but a line that
// is split between two reads. Any split of the same bytes gives the same verdict.
type answer struct {
	w     *wire
	want  []byte // the right body: that of w, or a numbered one
	state answerState

	numbered []byte // the body of w with the number of the request, kept for reuse

	held []byte // the part of a line that an earlier read brought
	size int    // bytes of head so far
	body int    // bytes of body compared so far
	left int64  // bytes left of the body, or of the chunk

	code    int
	http10  bool
	length  int64 // of Content-Length, or -1
	chunked bool
	close   bool // the server announced that it closes after this answer
	persist bool // Connection: keep-alive
}

type answerState uint8

const (
	atStart     answerState = iota // nothing has come
	inHead                         // fields
	inBody                         // left bytes of a body of known length
	inRest                         // a body that ends with the connection
	inChunkSize                    // a line with the size of a chunk
	inChunk                        // left bytes of a chunk
	inChunkEnd                     // the line break behind a chunk
	inTrailer                      // fields behind the last chunk
	atEnd                          // the answer is complete
)

// expect makes a ready for the answer to the request of that number.
func (a *answer) expect(w *wire, number int64) {
	*a = answer{w: w, want: w.want, held: a.held[:0], numbered: a.numbered[:0], length: -1}
	if len(w.wantAt) > 0 {
		a.numbered = appendNumbered(a.numbered, w.want, w.wantAt, number)
		a.want = a.numbered
	}
}

// begun tells whether a byte of the answer has come.
func (a *answer) begun() bool { return a.state != atStart || a.size > 0 || len(a.held) > 0 }

// feed takes bytes of the answer and tells how many belong to it, whether it is
// complete, and the kind of error if it is wrong. After an error a must not be fed.
func (a *answer) feed(p []byte) (n int, done bool, bad string) {
	for a.state != atEnd {
		switch a.state {
		case inBody, inChunk:
			if n == len(p) {
				return n, false, ""
			}
			part := p[n:min(int64(len(p)), int64(n)+a.left)]
			if bad = a.compare(part); bad != "" {
				return n, false, bad
			}
			n += len(part)
			a.left -= int64(len(part))
			if a.left == 0 {
				a.state = a.after()
			}
		case inRest:
			return len(p), false, a.compare(p[n:])
		default:
			line, size, bad := a.line(p[n:])
			n += size
			if line == nil || bad != "" {
				return n, false, bad
			}
			if bad = a.take(line); bad != "" {
				return n, false, bad
			}
			a.held = a.held[:0]
		}
	}
	if a.body < len(a.want) && !a.w.head {
		return n, false, KindLength
	}
	return n, true, ""
}

// end returns the kind of error when the connection ends within an answer, or "" if the body
// had to end so.
func (a *answer) end() (bad string) {
	if a.state != inRest {
		return KindClosedEarly
	}
	a.state = atEnd
	if a.body < len(a.want) {
		return KindLength
	}
	return ""
}

// keepAlive tells, of a complete answer, whether the connection stays open.
func (a *answer) keepAlive() bool {
	return !a.close && !a.w.uwsgi && (!a.http10 || a.persist)
}

// after is the state behind the last byte of a body or a chunk.
func (a *answer) after() answerState {
	if a.chunked {
		return inChunkEnd
	}
	return atEnd
}

// compare checks the next bytes of the body.
func (a *answer) compare(p []byte) (bad string) {
	if a.w.any {
		return ""
	}
	want := a.want[a.body:]
	same := min(len(p), len(want))
	if !bytes.Equal(p[:same], want[:same]) {
		return KindBody
	}
	if same < len(p) {
		return KindLength
	}
	a.body += same
	return ""
}

// line gives the next line without its line break, and how many bytes of p it took. It is nil
// if the line is incomplete; its beginning is kept then.
func (a *answer) line(p []byte) (line []byte, n int, bad string) {
	i := bytes.IndexByte(p, '\n')
	if i < 0 {
		n = len(p)
	} else {
		n = i + 1
	}
	if a.size += n; a.size > maxHead && a.state != inChunkSize && a.state != inChunkEnd {
		return nil, n, KindMalformed
	}
	line = p[:n]
	if i < 0 || len(a.held) > 0 {
		if len(a.held)+n > maxLine {
			return nil, n, KindMalformed
		}
		a.held = append(a.held, line...)
		line = a.held
	}
	if i < 0 {
		return nil, n, ""
	}
	if len(line) > maxLine || len(line) < 2 || line[len(line)-2] != '\r' {
		return nil, n, KindMalformed
	}
	return line[:len(line)-2], n, ""
}

// take handles one line.
func (a *answer) take(line []byte) (bad string) {
	switch a.state {
	case atStart:
		a.state = inHead
		if a.w.uwsgi && !bytes.HasPrefix(line, httpSlash) {
			a.code = 200 // CGI: Status is a field, and says so if it is another
			return a.take(line)
		}
		return a.statusLine(line)
	case inHead:
		if len(line) == 0 {
			return a.headEnd()
		}
		return a.field(line)
	case inTrailer:
		if len(line) == 0 {
			a.state = atEnd
			return ""
		}
		if _, _, ok := splitField(line); !ok {
			return KindMalformed
		}
		return ""
	case inChunkSize:
		return a.chunkSize(line)
	case inChunkEnd:
		if len(line) != 0 {
			return KindMalformed
		}
		a.state = inChunkSize
	}
	return ""
}

var httpSlash = []byte("HTTP/")

// statusLine takes "HTTP/1.1 200 OK". The reason may be empty, and the space
// before it missing then, as many servers do it.
func (a *answer) statusLine(line []byte) (bad string) {
	if len(line) < len("HTTP/1.1 200") || string(line[:7]) != "HTTP/1." || line[8] != ' ' {
		return KindMalformed
	}
	switch line[7] {
	case '0':
		a.http10 = true
	case '1':
	default:
		return KindMalformed
	}
	return a.statusCode(line[9:])
}

// statusCode takes "200 OK".
func (a *answer) statusCode(p []byte) (bad string) {
	if len(p) < 3 || len(p) > 3 && p[3] != ' ' || !cleanValue(p) {
		return KindMalformed
	}
	code, ok := number(p[:3], 10)
	if !ok || code < 100 {
		return KindMalformed
	}
	a.code = int(code)
	return ""
}

// field takes one header field and keeps what framing needs.
func (a *answer) field(line []byte) (bad string) {
	name, value, ok := splitField(line)
	if !ok {
		return KindMalformed
	}
	switch len(name) {
	case len("status"):
		if a.w.uwsgi && isName(name, "status") {
			return a.statusCode(value)
		}
	case len("connection"):
		if isName(name, "connection") {
			a.connection(value)
		}
	case len("content-length"):
		if isName(name, "content-length") {
			n, ok := number(value, 10)
			if !ok || a.length >= 0 { // two of them, even alike, are one too many
				return KindMalformed
			}
			a.length = n
		}
	case len("transfer-encoding"):
		if isName(name, "transfer-encoding") {
			if a.chunked || a.http10 || !isName(value, "chunked") {
				return KindMalformed
			}
			a.chunked = true
		}
	}
	return ""
}

// connection takes the list of options in a Connection field.
func (a *answer) connection(list []byte) {
	for len(list) > 0 {
		var option []byte
		option, list, _ = bytes.Cut(list, comma)
		switch option = bytes.Trim(option, " \t"); {
		case isName(option, "close"):
			a.close = true
		case isName(option, "keep-alive"):
			a.persist = true
		}
	}
}

var comma, semicolon = []byte(","), []byte(";")

// headEnd decides how the body ends, RFC 9112 6.3.
func (a *answer) headEnd() (bad string) {
	if a.code < 200 {
		if a.code == 101 { // nobody asked to switch
			return KindMalformed
		}
		*a = answer{w: a.w, want: a.want, numbered: a.numbered, held: a.held, size: a.size, length: -1}
		return ""
	}
	if a.chunked && a.length >= 0 {
		return KindMalformed
	}
	if a.code != a.w.status {
		return KindStatus
	}
	switch {
	case a.w.head || a.code == 204 || a.code == 304:
		a.state = atEnd
	case a.chunked:
		a.state = inChunkSize
	case a.length >= 0:
		if a.length != int64(len(a.want)) && !a.w.any {
			return KindLength
		}
		a.left = a.length
		a.state = inBody
		if a.left == 0 {
			a.state = atEnd
		}
	default:
		a.close = true
		a.state = inRest
	}
	return ""
}

// chunkSize takes the line before a chunk: its size in hexadecimal, and maybe
// extensions, which mean nothing.
func (a *answer) chunkSize(line []byte) (bad string) {
	if !cleanValue(line) {
		return KindMalformed
	}
	digits, _, extended := bytes.Cut(line, semicolon)
	if extended {
		digits = bytes.TrimRight(digits, " \t")
	}
	n, ok := number(digits, 16)
	if !ok {
		return KindMalformed
	}
	a.left = n
	a.state = inChunk
	if n == 0 {
		a.size = 0 // trailers have a bound of their own
		a.state = inTrailer
	}
	return ""
}
