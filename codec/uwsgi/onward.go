package uwsgi

import (
	"encoding/binary"
	"math"
	"strconv"

	"github.com/uwsgo/uwsgo/codec"
)

// Onward is what a proxy adds to, or changes in, a request that it passes on.
type Onward struct {
	Modifier1, Modifier2 byte
	// Length of the body in bytes.
	Length int64
	// Target is REQUEST_URI.
	Target []byte
	// Host replaces the client's unless it is empty.
	Host []byte
	// HTTPS says that the client's connection is encrypted.
	HTTPS bool
	// Drop reports which fields of the client are left out; nil for none.
	Drop func(name []byte) bool
	// Vars are added to requests that have not come over the uwsgi protocol: REMOTE_ADDR and the like,
	// which a front server tells there.
	Vars []Var
}

// AppendRequest appends a packet for a request that may have come by any protocol. Fields that come
// several times are joined. It returns dst as it was and an error when the variables take more than
// the 65535 bytes that a packet can have.
func AppendRequest(dst []byte, r *codec.Request, o *Onward) ([]byte, error) {
	from := len(dst)
	dst = append(dst, o.Modifier1, 0, 0, o.Modifier2)
	path := r.Path()
	if r.PathInfo.Len() > 0 {
		path = r.Bytes(r.PathInfo)
	}
	version := r.Bytes(r.Version)
	if len(version) == 0 {
		version = []byte("HTTP/1.1")
	}
	dst = appendVar(dst, "REQUEST_METHOD", r.Bytes(r.Method))
	dst = appendVar(dst, "REQUEST_URI", o.Target)
	dst = appendVar(dst, "PATH_INFO", path)
	dst = appendVar(dst, "QUERY_STRING", r.Bytes(r.Query))
	dst = appendVar(dst, "SERVER_PROTOCOL", version)
	if script := r.Bytes(r.ScriptName); len(script) > 0 {
		dst = appendVar(dst, "SCRIPT_NAME", script)
	}
	if o.HTTPS {
		dst = appendVar(dst, "HTTPS", []byte("on"))
		dst = appendVar(dst, "UWSGI_SCHEME", []byte("https"))
	}
	var digits [20]byte
	dst = appendVar(dst, "CONTENT_LENGTH", strconv.AppendInt(digits[:0], o.Length, 10))
	host := o.Host
	if len(host) == 0 {
		host = r.Bytes(r.Authority)
	}
	if len(host) > 0 {
		dst = appendVar(dst, "HTTP_HOST", host)
	}
	dst = appendFields(dst, r, o)
	for _, v := range r.Vars {
		switch name := r.Bytes(v.Name); string(name) {
		case "HTTPS", "UWSGI_SCHEME": // see above
		default:
			dst = appendVar(dst, string(name), r.Bytes(v.Value))
		}
	}
	if r.Proto != codec.UWSGI {
		for _, v := range o.Vars {
			dst = appendVar(dst, v.Name, []byte(v.Value))
		}
	}
	size := len(dst) - from - headerSize
	if size > math.MaxUint16 {
		return dst[:from], codec.ErrHeadTooLarge
	}
	binary.LittleEndian.PutUint16(dst[from+1:], uint16(size))
	return dst, nil
}

// appendFields appends the header fields as HTTP_….
func appendFields(dst []byte, r *codec.Request, o *Onward) []byte {
	for i, f := range r.Fields {
		name := r.Bytes(f.Name)
		if len(name) == 4 && codec.EqualName(name, nameHost) || o.Drop != nil && o.Drop(name) || earlier(r, i) {
			continue
		}
		at := len(dst)
		dst = append(dst, 0, 0)
		if len(name) == 12 && codec.EqualName(name, nameContentType) {
			dst = append(dst, "CONTENT_TYPE"...)
		} else {
			dst = codec.AppendEnvName(dst, name)
		}
		setLength(dst, at)
		at = len(dst)
		dst = append(dst, 0, 0)
		sep := ", "
		if len(name) == 6 && codec.EqualName(name, nameCookie) {
			sep = "; " // RFC 6265 5.4
		}
		dst = append(dst, r.Bytes(f.Value)...)
		for _, g := range r.Fields[i+1:] {
			if codec.EqualName(r.Bytes(g.Name), name) {
				dst = append(append(dst, sep...), r.Bytes(g.Value)...)
			}
		}
		setLength(dst, at)
	}
	return dst
}

// earlier reports whether the field has come before under the same name.
func earlier(r *codec.Request, i int) bool {
	name := r.Bytes(r.Fields[i].Name)
	for _, f := range r.Fields[:i] {
		if codec.EqualName(r.Bytes(f.Name), name) {
			return true
		}
	}
	return false
}

// setLength writes the length of what is behind it. What is too long makes the packet too long, too.
func setLength(b []byte, at int) {
	binary.LittleEndian.PutUint16(b[at:], uint16(len(b)-at-2))
}

func appendVar(dst []byte, name string, value []byte) []byte {
	dst = append(binary.LittleEndian.AppendUint16(dst, uint16(len(name))), name...)
	return append(binary.LittleEndian.AppendUint16(dst, uint16(len(value))), value...)
}

var (
	nameHost        = []byte("host")
	nameCookie      = []byte("cookie")
	nameContentType = []byte("content-type")
)
