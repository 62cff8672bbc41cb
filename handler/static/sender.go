package static

import (
	"bytes"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"github.com/uwsgo/uwsgo/codec"
	"github.com/uwsgo/uwsgo/engine"
)

// SenderOptions configures a [Sender].
type SenderOptions struct {
	// Folders are the folders of X-Sendfile, which names the whole path of a file below one of
	// them.
	Folders []string
	// Maps map the paths of X-Accel-Redirect to folders.
	Maps []Map
	// MimeFiles are as in [Options].
	MimeFiles []string
	// Logf logs files outside of these, once in ten seconds. nil logs nothing.
	Logf func(format string, args ...any)
}

// Sender answers with files that the next handler names by X-Sendfile or X-Accel-Redirect in
// place of a body. The next handler's headers about the content (Content-Type,
// Content-Disposition, Cache-Control, cookies) stay. Length, ranges, validators and conditions
// are the file's. It may serve any number of loops.
type Sender struct {
	h       Handler
	folders []*root
	maps    []*root
	layers  sync.Pool
}

// NewSender returns a Sender for the answers of next. Relative paths start at the current
// folder.
func NewSender(next engine.Handler, o SenderOptions) (*Sender, error) {
	s := &Sender{h: Handler{next: next, logf: o.Logf}}
	s.h.types = loadTypes(o.MimeFiles)
	for _, folder := range o.Folders {
		path, err := filepath.Abs(folder)
		if err != nil {
			return nil, fmt.Errorf("x-sendfile %s: %w", folder, err)
		}
		s.folders = append(s.folders, &root{prefix: strings.TrimRight(path, "/"), path: path})
		if real, err := filepath.EvalSymlinks(path); err == nil && real != path {
			s.folders = append(s.folders, &root{prefix: real, path: path})
		}
	}
	var err error
	s.maps, err = mapped("x-accel-redirect", o.Maps)
	s.layers.New = func() any { return &sending{sender: s} }
	return s, err
}

// Serve implements [engine.Handler].
func (s *Sender) Serve(x *engine.Exchange) {
	x.Push(s.layers.Get().(*sending))
	s.h.next.Serve(x)
}

var (
	xSendfile = []byte("X-Sendfile")
	xAccel    = []byte("X-Accel-Redirect")
)

// named returns the file that a response names, if the Sender sends it.
func (s *Sender) named(resp *codec.Response) (name string, roots []*root) {
	for _, h := range resp.Header {
		switch {
		case len(s.folders) > 0 && is(h.Name, xSendfile):
			return string(h.Value), s.folders
		case len(s.maps) > 0 && is(h.Name, xAccel):
			path, _, _ := strings.Cut(string(h.Value), "?")
			if decoded, err := url.PathUnescape(path); err == nil {
				path = decoded
			}
			return path, s.maps
		}
	}
	return "", nil
}

func is(name, want []byte) bool { return len(name) == len(want) && bytes.EqualFold(name, want) }

// replaced are headers that come from the file, not from the handler.
func replaced(name []byte) bool {
	for _, n := range [...]string{"Content-Length", "ETag", "Last-Modified", "Accept-Ranges", "Content-Range"} {
		if len(name) == len(n) && strings.EqualFold(string(name), n) {
			return true
		}
	}
	return is(name, xSendfile) || len(name) > len("X-Accel-") && strings.EqualFold(string(name[:len("X-Accel-")]), "X-Accel-")
}

// sending is a layer that replaces one response by a file.
type sending struct {
	engine.Pass
	sender *Sender
	held   bool // the response is not passed on
	path   string
	roots  []*root
	resp   codec.Response // a copy of the kept part
}

// take holds back a response whose body is a file. It reports false for all others.
func (l *sending) take(resp *codec.Response) bool {
	l.path, l.roots = l.sender.named(resp)
	if l.roots == nil {
		return false
	}
	l.held = true
	l.resp = codec.Response{Status: resp.Status, Reason: bytes.Clone(resp.Reason), ContentLength: -1}
	for _, h := range resp.Header {
		if !replaced(h.Name) {
			l.resp.Header = append(l.resp.Header, codec.Header{Name: bytes.Clone(h.Name), Value: bytes.Clone(h.Value)})
		}
	}
	return true
}

// send finds and sends the file once the handler has finished.
func (l *sending) send(x *engine.Exchange) {
	l.held = false
	q := query{path: l.path, now: x.Loop().Now(), hot: true}
	f, err := l.sender.find(l.roots, q)
	if err != errCold {
		l.answer(x, f, err)
		return
	}
	q.hot = false
	s, roots := l.sender, l.roots // l may serve another exchange by then
	if x.Offload(
		func() { f, err = s.find(roots, q) },
		func(x *engine.Exchange) { l.answer(x, f, err) },
		func() { f.close() },
	) != nil {
		l.refuse(x, http.StatusServiceUnavailable)
	}
}

func (s *Sender) find(roots []*root, q query) (*file, error) {
	if strings.ContainsRune(q.path, 0) || len(q.path) > maxPath || codec.HasDotSegment([]byte(q.path)) || strings.HasSuffix(q.path, "/") {
		return nil, errNoFile
	}
	for _, d := range roots {
		if d.covers(q.path) {
			if f, err := s.h.in(d, q); err == nil || err == errCold || refusal(err) != 0 {
				return f, err
			}
		}
	}
	return nil, errNoFile
}

func (l *sending) answer(x *engine.Exchange, f *file, err error) {
	if err != nil {
		status := refusal(err)
		if status == 0 {
			status = http.StatusNotFound
			err = fmt.Errorf("%.200q: it is in no folder of x-sendfile or x-accel-redirect", l.path)
		}
		l.sender.h.tell(fmt.Errorf("an app names a file: %w", err), status)
		l.refuse(x, status)
		return
	}
	if slices.ContainsFunc(l.resp.Header, func(h codec.Header) bool { return is(h.Name, nameContentType) }) {
		f.contentType = nil
	}
	if r := x.Request(); l.resp.Status != http.StatusOK || !r.Head && string(r.Bytes(r.Method)) != "GET" {
		f.status = l.resp.Status // without conditions and ranges
	}
	l.sender.h.send(x, l.Next(), &l.resp, f)
}

func (l *sending) refuse(x *engine.Exchange, status int) {
	resp, body := refusing(x, status)
	l.Next().Reply(x, resp, body)
}

// Reply implements [engine.Output].
func (l *sending) Reply(x *engine.Exchange, resp *codec.Response, body []byte) {
	if l.take(resp) {
		l.send(x)
		return
	}
	l.Next().Reply(x, resp, body)
}

// ReplyFile implements [engine.Output].
func (l *sending) ReplyFile(x *engine.Exchange, resp *codec.Response, f *os.File, off, n int64) {
	if l.take(resp) {
		_ = f.Close()
		l.send(x)
		return
	}
	l.Next().ReplyFile(x, resp, f, off, n)
}

// Start implements [engine.Output].
func (l *sending) Start(x *engine.Exchange, resp *codec.Response) {
	if !l.take(resp) {
		l.Next().Start(x, resp)
	}
}

// Write implements [engine.Output].
func (l *sending) Write(x *engine.Exchange, p []byte) {
	if !l.held {
		l.Next().Write(x, p)
	}
}

// End implements [engine.Output].
func (l *sending) End(x *engine.Exchange) {
	if l.held {
		l.send(x)
		return
	}
	l.Next().End(x)
}

// Ended implements [engine.Layer].
func (l *sending) Ended(*engine.Exchange, *engine.Outcome) {
	s := l.sender
	*l = sending{sender: s}
	s.layers.Put(l)
}
