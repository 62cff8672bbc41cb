package http1

import (
	"github.com/uwsgo/uwsgo/codec"
	"github.com/uwsgo/uwsgo/codec/internal/grammar"
)

// bodyState is what a Body expects next.
type bodyState uint8

const (
	bodyDone bodyState = iota

	bodyLength // data counted by Content-Length
	bodyToEnd  // data up to the end of the connection

	chunkSizeFirst // the first digit of a chunk size
	chunkSize      // the rest of it, then CR or ";"
	chunkSizeLF    // the LF after size and extensions
	chunkData      // data, counted by the size
	chunkDataCR    // the CR, then the LF, after it
	chunkDataLF

	extSpace       // white space after the size, then ";"
	extName        // white space, then the first character of an extension's name
	extNameRest    // the rest of it
	extNameSpace   // white space after it, then "=" or ";"
	extValue       // white space, then the first character of its value
	extToken       // the rest of a token
	extQuoted      // the rest of a quoted string
	extQuotedPair  // the character after a backslash
	extQuotedAfter // after the closing quote
	extValueSpace  // white space after a value, then ";"

	trailerField // the first byte of a trailer field line, or the CR of the blank line
	trailerName  // the rest of a name, then ":"
	trailerValue // a value, then CR
	trailerLF    // the LF after it
	trailerEndLF // the LF of the blank line
)

// Body takes the bytes after a head and yields the request's body. The zero value
// is an empty body, which is done. It belongs to one connection and its loop.
type Body struct {
	Limits codec.Limits // set before Reset, then constant

	limits codec.Limits
	err    error
	state  bodyState
	left   int64 // of the body, or of this chunk
	total  int64 // data of all chunks so far
	ext    int   // bytes of this chunk's extensions, and zeros before its size
	size   int   // bytes of the trailer section
	fields int   // trailer field lines
}

// Reset makes b ready for the body of r, whose head has just been decoded.
func (b *Body) Reset(r *codec.Request) {
	*b = Body{Limits: b.Limits, limits: b.Limits.WithDefaults()}
	switch {
	case r.Chunked:
		b.state = chunkSizeFirst
	case r.ContentLength > 0:
		b.state, b.left = bodyLength, r.ContentLength
	}
}

// ResetReceived makes b ready for the body of r, whose head has just been decoded. A body that
// ends with the connection (FrameClose) is never done.
func (b *Body) ResetReceived(r *Received) {
	*b = Body{Limits: b.Limits, limits: b.Limits.WithDefaults()}
	switch r.Kind {
	case FrameNone:
	case FrameChunked:
		b.state = chunkSizeFirst
	case FrameLength:
		if b.left = r.ContentLength; b.left > 0 {
			b.state = bodyLength
		}
	case FrameClose:
		b.state = bodyToEnd
	}
}

// Done reports whether the whole body, its trailer section included, has been taken. The next
// request follows.
func (b *Body) Done() bool { return b.state == bodyDone && b.err == nil }

// Left returns how many bytes of a body of known length are missing; 0 when it is chunked, or
// done.
func (b *Body) Left() int64 {
	if b.state != bodyLength {
		return 0
	}
	return b.left
}

// Next takes a prefix of p, n bytes long, and returns the body data within it, which aliases p.
// It stops after one piece of data. Call it again with p[n:] until that is empty or
// [Body.Done]. n is 0 only when p is empty or b is done.
//
// An error is one of the values in codec. It comes at the first byte that makes it certain, and
// stays until Reset. The connection cannot be used after it. Any split of the same bytes gives
// the same data, joined, and the same error.
func (b *Body) Next(p []byte) (n int, data []byte, err error) {
	if b.err != nil {
		return 0, nil, b.err
	}
	i := 0
	for i < len(p) {
		switch b.state {
		case bodyDone:
			return i, nil, nil
		case bodyLength, chunkData:
			from, end := i, len(p)
			if int64(end-from) > b.left {
				end = from + int(b.left)
			}
			b.left -= int64(end - from)
			if b.left == 0 {
				if b.state == chunkData {
					b.state = chunkDataCR
				} else {
					b.state = bodyDone
				}
			}
			return end, p[from:end:end], nil
		case bodyToEnd:
			return len(p), p, nil
		case trailerValue:
			i, err = b.skipTrailerValue(p, i)
		default:
			err = b.step(p[i])
			i++
		}
		if err != nil {
			b.err = err
			return 0, nil, err
		}
	}
	return i, nil, nil
}

// step takes one byte of the framing around the data.
func (b *Body) step(c byte) error {
	switch b.state {
	case chunkSizeFirst, chunkSize:
		return b.stepSize(c)
	case chunkSizeLF:
		if c != '\n' {
			return codec.ErrBareCR
		}
		return b.beginChunk()
	case chunkDataCR:
		if c != '\r' {
			return codec.ErrChunkEnd
		}
		b.state = chunkDataLF
	case chunkDataLF:
		if c != '\n' {
			return codec.ErrChunkEnd
		}
		b.state, b.ext = chunkSizeFirst, 0
	case trailerField, trailerName, trailerLF, trailerEndLF:
		return b.stepTrailer(c)
	default:
		return b.stepExt(c)
	}
	return nil
}

func (b *Body) stepSize(c byte) error {
	switch {
	case grammar.Of[c]&grammar.Hex != 0:
		if c == '0' && b.left == 0 { // zeros before a size are bounded too
			b.ext++
		}
		if b.left >= 1<<59 || b.ext > b.limits.ChunkExt {
			return codec.ErrChunkSize
		}
		b.left = b.left<<4 | int64(grammar.Unhex(c))
		b.state = chunkSize
	case b.state == chunkSizeFirst:
		return codec.ErrChunkSize
	case c == '\r':
		b.state = chunkSizeLF
	case c == ';':
		b.state = extName
	case c == ' ' || c == '\t':
		b.state = extSpace
	default:
		return lineFault(c, codec.ErrChunkSize)
	}
	return nil
}

// beginChunk goes on after the line with the size.
func (b *Body) beginChunk() error {
	if b.left == 0 {
		b.state = trailerField
		return nil
	}
	// The size is below 1<<63 and total is below the limit or no limit matters.
	if b.left > 1<<62-b.total || b.limits.BodyTooLarge(b.total+b.left) {
		return codec.ErrBodyTooLarge
	}
	b.total += b.left
	b.state = chunkData
	return nil
}

// stepExt takes one byte of the extensions, RFC 9112 7.1.1:
//
//	chunk-ext = *( BWS ";" BWS chunk-ext-name [ BWS "=" BWS chunk-ext-val ] )
//
// A ";" must follow white space. At the end of the line the grammar has none, and servers have
// read such a size differently.
func (b *Body) stepExt(c byte) error {
	if b.ext++; b.ext > b.limits.ChunkExt {
		return codec.ErrChunkExt
	}
	token := grammar.Of[c]&grammar.Token != 0
	space := c == ' ' || c == '\t'
	next := b.state
	switch b.state {
	case extSpace:
		if !space {
			if c != ';' {
				return lineFault(c, codec.ErrChunkSize)
			}
			next = extName
		}
	case extName:
		switch {
		case token:
			next = extNameRest
		case !space:
			return lineFault(c, codec.ErrChunkExt)
		}
	case extNameRest, extNameSpace:
		switch {
		case token && b.state == extNameRest:
		case space:
			next = extNameSpace
		case c == '=':
			next = extValue
		default:
			return b.endExt(c, b.state == extNameRest)
		}
	case extValue:
		switch {
		case token:
			next = extToken
		case c == '"':
			next = extQuoted
		case !space:
			return lineFault(c, codec.ErrChunkExt)
		}
	case extToken, extQuotedAfter, extValueSpace:
		switch {
		case token && b.state == extToken:
		case space:
			next = extValueSpace
		default:
			return b.endExt(c, b.state != extValueSpace)
		}
	case extQuoted:
		switch {
		case c == '"':
			next = extQuotedAfter
		case c == '\\':
			next = extQuotedPair
		case grammar.Of[c]&grammar.Value == 0:
			return lineFault(c, codec.ErrChunkExt)
		}
	case extQuotedPair:
		if grammar.Of[c]&grammar.Value == 0 {
			return lineFault(c, codec.ErrChunkExt)
		}
		next = extQuoted
	}
	b.state = next
	return nil
}

// endExt takes what ends an extension: ";", or CR where mayEndLine.
func (b *Body) endExt(c byte, mayEndLine bool) error {
	switch {
	case c == ';':
		b.state = extName
	case c == '\r' && mayEndLine:
		b.state = chunkSizeLF
	default:
		return lineFault(c, codec.ErrChunkExt)
	}
	return nil
}

// stepTrailer takes one byte of the trailer section, except for values. The grammar is the same
// as for field lines. It keeps nothing: a late field must not change how the request was
// understood (RFC 9110 6.5.1).
func (b *Body) stepTrailer(c byte) error {
	if b.size++; b.size > b.limits.Trailer {
		return codec.ErrTrailerTooLarge
	}
	switch b.state {
	case trailerField:
		if c == '\r' {
			b.state = trailerEndLF
			return nil
		}
		if b.fields++; b.fields > b.limits.Fields {
			return codec.ErrTrailerTooLarge
		}
		if grammar.Of[c]&grammar.Token == 0 {
			return lineFault(c, codec.ErrTrailer)
		}
		b.state = trailerName
	case trailerName:
		switch {
		case c == ':':
			b.state = trailerValue
		case grammar.Of[c]&grammar.Token == 0:
			return lineFault(c, codec.ErrTrailer)
		}
	case trailerLF, trailerEndLF:
		if c != '\n' {
			return codec.ErrBareCR
		}
		if b.state == trailerEndLF {
			b.state = bodyDone
		} else {
			b.state = trailerField
		}
	}
	return nil
}

func (b *Body) skipTrailerValue(p []byte, i int) (int, error) {
	end := grammar.SkipValue(p, i)
	b.size += end - i
	if b.size > b.limits.Trailer {
		return i, codec.ErrTrailerTooLarge
	}
	if end == len(p) {
		return end, nil
	}
	if p[end] != '\r' {
		return i, lineFault(p[end], codec.ErrTrailer)
	}
	b.size++
	b.state = trailerLF
	return end + 1, nil
}
