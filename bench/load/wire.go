package load

import (
	"bytes"
	"cmp"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/uwsgo/uwsgo/codec/uwsgi"
)

// wire is a serialized request, with the data to check its answer. Immutable once made; all
// loops share it.
type wire struct {
	name    string
	keep    []byte // head and body
	last    []byte // the same with "Connection: close"
	bodyOut int
	want    []byte
	wantAt  []int // where the number of the request goes in want, keep and last
	keepAt  []int
	lastAt  []int
	status  int
	any     bool // every body is right
	head    bool // HEAD: an answer has no body, whatever it says
	uwsgi   bool
}

// newWire checks r and writes it down for t.
func newWire(t Target, r Request) (wire, error) {
	r.Method = cmp.Or(r.Method, http.MethodGet)
	if err := r.check(); err != nil {
		return wire{}, err
	}
	w := wire{
		name:    r.Name,
		bodyOut: len(r.Body),
		want:    r.Want,
		status:  cmp.Or(r.Status, http.StatusOK),
		any:     r.AnyBody,
		head:    r.Method == http.MethodHead,
		uwsgi:   t.Protocol == UWSGI,
	}
	if w.any {
		w.want = nil
	}
	if w.uwsgi {
		packet, err := appendPacket(t, r)
		if err != nil {
			return wire{}, fmt.Errorf("load: %s: %w", r.Path, err)
		}
		w.last = append(packet, r.Body...)
		w.keep = w.last
		return w, nil
	}
	w.keep = appendHTTP(nil, t, r, false)
	w.last = appendHTTP(nil, t, r, true)
	return w, nil
}

// number finds the places for the number of the request. Without it, as in a
// crowd, [Number] is sent and wanted as it stands.
func (w *wire) number() {
	w.wantAt, w.keepAt, w.lastAt = places(w.want), places(w.keep), places(w.last)
}

// places gives where [Number] is in p.
func places(p []byte) (at []int) {
	for from := 0; ; from += len(Number) {
		i := bytes.Index(p[from:], []byte(Number))
		if i < 0 {
			return at
		}
		from += i
		at = append(at, from)
	}
}

// appendNumbered appends p with a number in its places.
func appendNumbered(dst, p []byte, at []int, number int64) []byte {
	from := len(dst)
	dst = append(dst, p...)
	for _, i := range at {
		field := dst[from+i : from+i+len(Number)]
		for n, d := number, len(field)-1; d >= 0; d-- {
			field[d] = byte('0' + n%10)
			n /= 10
		}
	}
	return dst
}

// host is what Host says: the address, or localhost behind a unix socket.
func (t Target) host() string {
	if t.Network == "unix" {
		return "localhost"
	}
	return t.Address
}

// sendsLength tells whether a request says how long its body is. One of a method
// that expects a body does so even without one, RFC 9110 8.6.
func (r Request) sendsLength() bool {
	switch r.Method {
	case http.MethodPost, http.MethodPut, http.MethodPatch:
		return true
	}
	return len(r.Body) > 0
}

func appendHTTP(dst []byte, t Target, r Request, last bool) []byte {
	dst = fmt.Appendf(dst, "%s %s HTTP/1.1\r\nHost: %s\r\n", r.Method, r.Path, t.host())
	for _, h := range r.Header {
		dst = fmt.Appendf(dst, "%s: %s\r\n", h.Name, h.Value)
	}
	if r.sendsLength() {
		dst = fmt.Appendf(dst, "Content-Length: %d\r\n", len(r.Body))
	}
	if last {
		dst = append(dst, "Connection: close\r\n"...)
	}
	dst = append(dst, "\r\n"...)
	return append(dst, r.Body...)
}

// appendPacket writes the variables that nginx sends with its uwsgi_params.
func appendPacket(t Target, r Request) ([]byte, error) {
	path, query, _ := strings.Cut(r.Path, "?")
	decoded, err := url.PathUnescape(path)
	if err != nil {
		return nil, err
	}
	name, port, err := net.SplitHostPort(t.host())
	if err != nil {
		name, port = t.host(), "80"
	}
	length := ""
	if r.sendsLength() {
		length = strconv.Itoa(len(r.Body))
	}
	contentType := ""
	vars := []uwsgi.Var{
		{Name: "QUERY_STRING", Value: query},
		{Name: "REQUEST_METHOD", Value: r.Method},
		{Name: "CONTENT_LENGTH", Value: length},
		{Name: "REQUEST_URI", Value: r.Path},
		{Name: "PATH_INFO", Value: decoded},
		{Name: "SERVER_PROTOCOL", Value: "HTTP/1.1"},
		{Name: "REQUEST_SCHEME", Value: "http"},
		{Name: "REMOTE_ADDR", Value: "127.0.0.1"},
		{Name: "REMOTE_PORT", Value: "40000"},
		{Name: "SERVER_PORT", Value: port},
		{Name: "SERVER_NAME", Value: name},
		{Name: "HTTP_HOST", Value: t.host()},
	}
	for _, h := range r.Header {
		if strings.EqualFold(h.Name, "Content-Type") {
			contentType = h.Value
			continue
		}
		vars = append(vars, uwsgi.Var{
			Name:  "HTTP_" + strings.ToUpper(strings.ReplaceAll(h.Name, "-", "_")),
			Value: h.Value,
		})
	}
	vars = append(vars, uwsgi.Var{Name: "CONTENT_TYPE", Value: contentType})
	return uwsgi.AppendPacket(nil, 0, 0, vars)
}
