package http1

import (
	"bytes"

	"github.com/uwsgo/uwsgo/codec"
	"github.com/uwsgo/uwsgo/codec/internal/grammar"
)

const (
	// maxMethod is the longest method taken. The longest registered one,
	// UPDATEREDIRECTREF, has 17 characters.
	maxMethod = 32
	// maxEmptyLines is how many CRLFs may come before a request line. RFC 9112 2.2 asks for
	// one.
	maxEmptyLines = 4
	// maxOptions bounds the options in Connection: each unknown one costs a search among the
	// fields.
	maxOptions = 16
)

// state is what the decoder expects next.
type state uint8

const (
	stateStart       state = iota // an empty line or the first byte of the method
	stateStartLF                  // the LF of an empty line
	stateMethod                   // the rest of the method, then SP
	stateTarget                   // the rest of the target, then SP
	stateVersion                  // "HTTP/1.1"
	stateLineCR                   // the CR, then the LF, after it
	stateLineLF                   //
	stateField                    // the first byte of a field line, or the CR of the blank line
	stateName                     // the rest of a field name, then ":"
	stateBeforeValue              // white space before a field value
	stateValue                    // the rest of a field value, then CR
	stateValueLF                  // the LF after it
	stateEndLF                    // the LF of the blank line
)

// Decoder reads request heads. The zero value is ready. It belongs to one
// connection and thus to that connection's loop.
type Decoder struct {
	Limits codec.Limits // set before the first Head, then constant
	Policy codec.Policy // likewise

	limits codec.Limits // Limits with defaults
	err    error        // the first error; sticky
	state  state
	pos    int // bytes looked at
	mark   int // where the element that state is in began
	name   codec.Span
	end    int // end of the value so far, without trailing white space
	fields int // field lines so far, those that were dropped included
	empty  int // empty lines so far
	known  knownFields
}

// knownFields is what the head's fields say about the message itself.
type knownFields struct {
	framing     framing
	host        int // index in Fields, plus one; 0 while there is none
	contentType bool
	close       bool // Connection: close
	keepAlive   bool // Connection: keep-alive
	options     int  // options in Connection fields
	upgrade     bool // Connection: upgrade
	nominated   bool // Connection has an option that may be a field's name
	expect      expect
}

type expect uint8

const (
	expectNothing expect = iota
	expectContinue
	expectUnknown
)

// Reset makes d ready for another connection. Limits and Policy stay.
func (d *Decoder) Reset() { *d = Decoder{Limits: d.Limits, Policy: d.Policy} }

// Idle reports whether d has seen at most empty lines since the last complete request. Closing
// an idle connection loses nothing, and its timeout is that of keep-alive.
func (d *Decoder) Idle() bool { return d.state <= stateStartLF && d.err == nil }

// Fault returns the name of the field with the error, in the last buffer of Head. It is empty
// for an error elsewhere.
func (d *Decoder) Fault() codec.Span {
	if d.err == nil {
		return codec.Span{}
	}
	return d.name
}

// Head reads a request head. buf begins at the request's first byte. When more bytes have come,
// pass all of them from that byte on, at any address, with the same r.
//
// It returns 0 and no error while the head is incomplete. For a complete head it returns the
// size n and fills in r; r.Buf is buf[:n]. d is then ready for the next request, which begins
// at buf[n] or after the body.
//
// An error is one of the values in codec. It comes at the first byte that makes it certain, and
// stays until Reset. Any split of the same bytes gives the same result. Until the head is
// complete, and after an error, r holds the part parsed so far: good for a log line while buf
// lives, not for answering.
func (d *Decoder) Head(buf []byte, r *codec.Request) (n int, err error) {
	if d.err != nil {
		return 0, d.err
	}
	if d.pos == 0 {
		if d.limits.Head == 0 {
			d.limits = d.Limits.WithDefaults()
		}
		r.Reset()
	}
	within := buf
	if len(within) > d.limits.Head {
		within = within[:d.limits.Head]
	}
	r.Buf = within
	complete, err := d.scan(within, r)
	if err == nil && complete {
		r.Buf = buf[:d.pos:d.pos]
		err = d.finish(r)
	}
	switch {
	case err != nil:
		d.err = err
		return 0, err
	case complete:
		n = d.pos
		d.state, d.pos, d.fields, d.empty, d.known = stateStart, 0, 0, 0, knownFields{}
		return n, nil
	case len(buf) < d.limits.Head:
		return 0, nil
	case d.state <= stateTarget:
		d.err = codec.ErrTargetTooLong
	default:
		d.err = codec.ErrHeadTooLarge
	}
	return 0, d.err
}

// scan looks at the bytes from d.pos on and reports whether the blank line was among them. A
// state falls through to the next, or ends the loop at the end of the bytes. Falling through,
// rather than dispatching again, saves a tenth of the time.
func (d *Decoder) scan(b []byte, r *codec.Request) (complete bool, err error) {
	i, st := d.pos, d.state
loop:
	for i < len(b) {
		switch st {
		case stateStart:
			switch c := b[i]; {
			case c == '\r':
				if d.empty++; d.empty > maxEmptyLines {
					return false, codec.ErrRequestLine
				}
				st = stateStartLF
				i++
			case c == 0x16: // the record type of a handshake, RFC 8446 5.1
				return false, codec.ErrTLS
			default:
				d.mark = i
				st = stateMethod
			}

		case stateMethod:
			i = grammar.Skip(grammar.Token, b, i)
			if i-d.mark > maxMethod {
				return false, codec.ErrMethodTooLong
			}
			if i == len(b) {
				break loop
			}
			if b[i] != ' ' || i == d.mark {
				return false, lineFault(b[i], codec.ErrMethod)
			}
			r.Method = span(d.mark, i)
			switch string(b[d.mark:i]) {
			case "HEAD":
				r.Head = true
			case "PRI": // reserved for the preface, RFC 9113 11.6
				return false, codec.ErrHTTP2
			case "CONNECT":
				if !d.Policy.Connect {
					return false, codec.ErrConnect
				}
				r.Connect = true
			}
			i++
			d.mark = i
			st = stateTarget
			fallthrough

		case stateTarget:
			i = grammar.Skip(grammar.Target, b, i)
			if i-d.mark > d.limits.Target {
				return false, codec.ErrTargetTooLong
			}
			if i == len(b) {
				break loop
			}
			switch {
			case b[i] == '\r' || b[i] == ' ' && i == d.mark:
				return false, codec.ErrRequestLine
			case b[i] != ' ':
				return false, lineFault(b[i], codec.ErrTarget)
			}
			if err := parseTarget(b, d.mark, i, r); err != nil {
				return false, err
			}
			i++
			d.mark = i
			st = stateVersion
			fallthrough

		case stateVersion:
			for ; i < len(b) && i-d.mark < len(version); i++ {
				c, at := b[i], i-d.mark
				switch {
				case c == version[at]:
				case c == '0' && at == len(version)-1:
				case c == '\n':
					return false, codec.ErrBareLF
				case at < len("HTTP/"):
					return false, codec.ErrRequestLine
				default:
					return false, codec.ErrVersion
				}
			}
			if i-d.mark < len(version) {
				break loop
			}
			r.Version = span(d.mark, i)
			r.Proto = codec.HTTP10
			if b[i-1] == '1' {
				r.Proto = codec.HTTP11
			}
			st = stateLineCR

		case stateLineCR:
			switch c := b[i]; {
			case c == '\r':
				st = stateLineLF
				i++
			case grammar.Of[c]&grammar.Digit != 0:
				return false, codec.ErrVersion
			default:
				return false, lineFault(c, codec.ErrRequestLine)
			}

		case stateField:
			switch b[i] {
			case '\r':
				i++
				d.name = codec.Span{}
				st = stateEndLF
				continue
			case ' ', '\t':
				return false, codec.ErrObsFold
			}
			d.name = codec.Span{}
			if d.fields++; d.fields > d.limits.Fields {
				return false, codec.ErrTooManyFields
			}
			d.mark = i
			st = stateName
			fallthrough

		case stateName:
			i = grammar.Skip(grammar.Token, b, i)
			if i == len(b) {
				break loop
			}
			if b[i] != ':' || i == d.mark {
				return false, lineFault(b[i], codec.ErrFieldName)
			}
			d.name = span(d.mark, i)
			i++
			st = stateBeforeValue
			fallthrough

		case stateBeforeValue:
			for i < len(b) && (b[i] == ' ' || b[i] == '\t') {
				i++
			}
			if i == len(b) {
				break loop
			}
			d.mark = i
			st = stateValue
			fallthrough

		case stateValue:
			i = grammar.SkipValue(b, i)
			if i == len(b) {
				break loop
			}
			if b[i] != '\r' {
				return false, lineFault(b[i], codec.ErrFieldValue)
			}
			d.end = i
			i++
			st = stateValueLF
			if i == len(b) {
				break loop
			}
			fallthrough

		case stateValueLF:
			if b[i] != '\n' {
				return false, codec.ErrBareCR
			}
			i++
			if err := d.field(b, r); err != nil {
				return false, err
			}
			st = stateField

		case stateStartLF, stateLineLF, stateEndLF:
			if b[i] != '\n' {
				return false, codec.ErrBareCR
			}
			i++
			switch st {
			case stateStartLF:
				st = stateStart
			case stateLineLF:
				st = stateField
			case stateEndLF:
				d.pos = i
				return true, nil
			}
		}
	}
	d.pos, d.state = i, st
	return false, nil
}

// version is the greatest version there is; the last digit may also be 0.
const version = "HTTP/1.1"

// lineFault is the error for a byte that does not belong where it was found.
func lineFault(c byte, otherwise *codec.Error) error {
	if c == '\n' {
		return codec.ErrBareLF
	}
	return otherwise
}

func span(from, to int) codec.Span { return codec.Span{Off: uint32(from), End: uint32(to)} }

// field takes in the field line whose name is at d.name and whose value is
// b[d.mark:d.end].
func (d *Decoder) field(b []byte, r *codec.Request) error {
	end := d.end
	for end > d.mark && (b[end-1] == ' ' || b[end-1] == '\t') {
		end--
	}
	name, value := b[d.name.Off:d.name.End], b[d.mark:end]
	keep := true
	switch which(name) {
	case fieldHost:
		if d.known.host > 0 {
			return codec.ErrHostDuplicate
		}
		if !validHost(value) {
			return codec.ErrHost
		}
		d.known.host = len(r.Fields) + 1
	case fieldContentLength:
		if err := d.known.framing.contentLength(value); err != nil {
			return err
		}
		keep = false
	case fieldTransferEncoding:
		if err := d.known.framing.transferEncoding(value); err != nil {
			return err
		}
		keep = false
	case fieldContentType:
		if d.known.contentType {
			return codec.ErrContentType
		}
		d.known.contentType = true
	case fieldExpect:
		d.known.expectation(value)
	case fieldConnection:
		// Kept until finish when it names fields to drop.
		var err error
		if keep, err = d.known.connection(value); err != nil {
			return err
		}
	default:
		keep = d.Policy.KeepField(name)
		if keep && d.Policy.Underscores && codec.EqualName(name, contentType) {
			keep = false // "Content_Type": a second one, by a name not looked for above
		}
	}
	if keep {
		r.Fields = append(r.Fields, codec.Field{Name: d.name, Value: span(d.mark, end)})
	}
	return nil
}

// finish applies the rules that need the whole head.
func (d *Decoder) finish(r *codec.Request) error {
	k := &d.known
	if k.host == 0 && r.Proto == codec.HTTP11 {
		return codec.ErrHostMissing
	}
	if err := k.framing.verdict(r, d.limits); err != nil {
		return err
	}
	if r.Proto == codec.HTTP11 {
		r.KeepAlive = !k.close
		// HTTP/1.0 has no Expect: there it means nothing, RFC 9110 10.1.1.
		if k.expect == expectUnknown {
			return codec.ErrExpect
		}
		r.Expect100 = k.expect == expectContinue && r.ContentLength != 0
		r.Upgrade = k.upgrade && d.Policy.Upgrade && len(r.Get("Upgrade")) > 0
	} else {
		r.KeepAlive = k.keepAlive && !k.close
	}
	if k.host > 0 {
		host := &r.Fields[k.host-1]
		if r.Authority.Len() > 0 {
			host.Value = r.Authority
		} else {
			r.Authority = host.Value
		}
	}
	if k.nominated {
		dropNominated(r)
	}
	return nil
}

// expectation takes in an Expect field. There is one expectation; a list may have it more
// than once, and empty elements (RFC 9110 10.1.1, 5.6.1).
func (k *knownFields) expectation(value []byte) {
	for len(value) > 0 {
		var e []byte
		e, value = nextElement(value)
		switch {
		case len(e) == 0 || k.expect == expectUnknown:
		case equalFold(e, "100-continue"):
			k.expect = expectContinue
		default:
			k.expect = expectUnknown
		}
	}
}

// connection takes in a Connection field and reports whether it has options that
// may be names of fields.
func (k *knownFields) connection(value []byte) (nominates bool, err error) {
	for len(value) > 0 {
		var option []byte
		option, value = nextElement(value)
		if k.options++; k.options > maxOptions {
			return false, codec.ErrConnectionOption
		}
		switch {
		case len(option) == 0: // an empty list element, RFC 9110 5.6.1
		case equalFold(option, "close"):
			k.close = true
		case equalFold(option, "keep-alive"):
			k.keepAlive = true
		case equalFold(option, "upgrade"):
			k.upgrade = true
		case equalFold(option, "te"):
			// dropped as it is
		default:
			nominates = true
		}
	}
	k.nominated = k.nominated || nominates
	return nominates, nil
}

// dropNominated removes the Connection fields and what they nominate.
func dropNominated(r *codec.Request) {
	for _, f := range r.Fields {
		if which(r.Bytes(f.Name)) != fieldConnection {
			continue
		}
		for value := r.Bytes(f.Value); len(value) > 0; {
			var option []byte
			option, value = nextElement(value)
			// Connection itself goes below: its other fields are still to be read.
			if codec.KeepNominated(option) || which(option) == fieldConnection || r.Upgrade && equalFold(option, "upgrade") {
				continue
			}
			for i := range r.Fields {
				if codec.EqualName(r.Bytes(r.Fields[i].Name), option) {
					r.Fields[i].Name = codec.Span{}
				}
			}
		}
	}
	kept := r.Fields[:0]
	for _, f := range r.Fields {
		if f.Name.Len() > 0 && which(r.Bytes(f.Name)) != fieldConnection {
			kept = append(kept, f)
		}
	}
	r.Fields = kept
}

// nextElement cuts the first element off a comma-separated list.
func nextElement(list []byte) (element, rest []byte) {
	element, rest, _ = bytes.Cut(list, comma)
	return bytes.Trim(element, " \t"), rest
}

var (
	comma       = []byte(",")
	contentType = []byte("Content-Type")
)
