package static

import (
	"bytes"
	"errors"
	"html"
	"io"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/uwsgo/uwsgo/codec"
	"github.com/uwsgo/uwsgo/engine"
	"github.com/uwsgo/uwsgo/handler/internal/coding"
	"github.com/uwsgo/uwsgo/handler/internal/conditional"
)

var (
	nameAcceptRanges    = []byte("Accept-Ranges")
	nameCacheControl    = []byte("Cache-Control")
	nameContentEncoding = []byte("Content-Encoding")
	nameContentRange    = []byte("Content-Range")
	nameContentType     = []byte("Content-Type")
	nameETag            = []byte("ETag")
	nameLastModified    = []byte("Last-Modified")
	nameLocation        = []byte("Location")
	nameRetryAfter      = []byte("Retry-After")
	nameVary            = []byte("Vary")

	inBytes        = []byte("bytes")
	acceptEncoding = []byte("Accept-Encoding")
	forAYear       = []byte("public, max-age=31536000, immutable")
	plainText      = []byte("text/plain; charset=utf-8")
)

func refuse(x *engine.Exchange, status int) { x.Reply(refusing(x, status)) }

// refusing makes a refusal.
func refusing(x *engine.Exchange, status int) (*codec.Response, []byte) {
	resp := x.Response()
	resp.Status = status
	if status == http.StatusServiceUnavailable {
		resp.Header = append(resp.Header, codec.Header{Name: nameRetryAfter, Value: []byte("1")})
	}
	resp.Header = append(resp.Header, codec.Header{Name: nameContentType, Value: plainText})
	return resp, []byte(http.StatusText(status) + "\n")
}

// redirect sends the client to the same path with a slash at its end. The address is relative:
// right behind a proxy that serves the path elsewhere, and never another host. It returns false
// when the target has the slash already, and only the front server's path lacks it.
func redirect(x *engine.Exchange) bool {
	r := x.Request()
	target, query, asked := bytes.Cut(r.Bytes(r.Target), []byte("?"))
	segment := target[bytes.LastIndexByte(target, '/')+1:]
	if len(segment) == 0 {
		return false
	}
	location := append(append([]byte("./"), segment...), '/')
	if asked {
		location = append(append(location, '?'), query...)
	}
	resp := x.Response()
	resp.Status = 301
	resp.Header = append(resp.Header, codec.Header{Name: nameLocation, Value: location})
	x.Reply(resp, nil)
	return true
}

// serve answers with the file, a part of it, or a refusal. It takes ownership of f.
func (h *Handler) serve(x *engine.Exchange, f *file) {
	if f.noSlash && redirect(x) {
		f.close()
		return
	}
	h.send(x, exchange{}, x.Response(), f)
}

// output is the receiver of an answer: an exchange, or a layer.
type output interface {
	Reply(x *engine.Exchange, resp *codec.Response, body []byte)
	ReplyFile(x *engine.Exchange, resp *codec.Response, f *os.File, off, n int64)
}

type exchange struct{}

func (exchange) Reply(x *engine.Exchange, resp *codec.Response, body []byte) { x.Reply(resp, body) }

func (exchange) ReplyFile(x *engine.Exchange, resp *codec.Response, f *os.File, off, n int64) {
	x.ReplyFile(resp, f, off, n)
}

// send answers with f and the headers that resp has already.
func (h *finder) send(x *engine.Exchange, out output, resp *codec.Response, f *file) {
	r := x.Request()
	header := resp.Header
	if f.varies {
		header = append(header, codec.Header{Name: nameVary, Value: acceptEncoding})
	}
	if f.made || f.status != 0 {
		if f.status != 0 {
			resp.Status = f.status
		}
		resp.Header = f.content(header)
		f.reply(x, out, resp, conditional.Part{Size: f.size})
		return
	}
	header = append(header,
		codec.Header{Name: nameLastModified, Value: f.Modified},
		codec.Header{Name: nameETag, Value: f.ETag})
	header = h.expires.appendTo(header, r, f)
	if f.immutable {
		header = append(header, codec.Header{Name: nameCacheControl, Value: forAYear})
	}
	if status := f.Check(r); status != 200 {
		f.close()
		resp.Status, resp.Header = status, header
		out.Reply(x, resp, nil)
		return
	}
	header = append(header, codec.Header{Name: nameAcceptRanges, Value: inBytes})
	part, verdict := f.Part(r, f.size)
	if verdict != conditional.RangeNone {
		header = append(header, codec.Header{Name: nameContentRange, Value: part.AppendContentRange(nil, verdict, f.size)})
	}
	if verdict == conditional.RangeUnsatisfiable {
		f.close()
		resp.Status, resp.Header = 416, header
		out.Reply(x, resp, nil)
		return
	}
	if verdict == conditional.RangeValid {
		resp.Status = 206
	}
	resp.Header = f.content(header)
	f.reply(x, out, resp, part)
}

// content adds headers about the content.
func (f *file) content(header []codec.Header) []codec.Header {
	if f.coding != coding.Identity {
		header = append(header, codec.Header{Name: nameContentEncoding, Value: f.coding.Name()})
	}
	if f.contentType == nil {
		return header
	}
	return append(header, codec.Header{Name: nameContentType, Value: f.contentType})
}

func (f *file) reply(x *engine.Exchange, out output, resp *codec.Response, p conditional.Part) {
	if f.File != nil {
		out.ReplyFile(x, resp, f.File, p.From, p.Size)
		return
	}
	if x.Request().Head {
		resp.ContentLength = p.Size
	}
	x.FromFile = !f.made
	out.Reply(x, resp, f.data[p.From:p.From+p.Size])
}

// validatorsOf returns the validators of a version of a file.
func validatorsOf(modified time.Time, size int64) conditional.Validators {
	v := conditional.Validators{At: modified.Truncate(time.Second)}
	v.Modified = modified.UTC().AppendFormat(nil, http.TimeFormat)
	v.ETag = strconv.AppendInt([]byte{'"'}, modified.UnixNano(), 16)
	v.ETag = strconv.AppendInt(append(v.ETag, '-'), size, 16)
	v.ETag = append(v.ETag, '"')
	return v
}

// mostListed bounds the names of a listing.
const mostListed = 10_000

// list makes a page of the names in a folder.
func (h *finder) list(top *folder, name string, slash bool) (*file, error) {
	dir, err := top.OpenFile(name, openFlags, 0)
	if err != nil {
		return nil, err
	}
	defer dir.Close()
	entries, err := dir.ReadDir(mostListed)
	if err != nil && len(entries) == 0 {
		if _, statErr := dir.Stat(); statErr != nil || !errors.Is(err, io.EOF) {
			return nil, err
		}
	}
	slices.SortFunc(entries, func(a, b os.DirEntry) int { return strings.Compare(a.Name(), b.Name()) })
	var page bytes.Buffer
	page.WriteString("<!doctype html>\n<meta charset=\"utf-8\">\n<title>Files</title>\n<pre>\n")
	if name != "." {
		page.WriteString("<a href=\"../\">../</a>\n")
	}
	for _, e := range entries {
		shown := e.Name()
		if strings.HasPrefix(shown, ".") || h.skips(shown) {
			continue
		}
		switch {
		case e.IsDir():
			shown += "/"
		case !e.Type().IsRegular():
			continue // its target may not be served
		}
		link := (&url.URL{Path: "./" + shown}).EscapedPath()
		page.WriteString("<a href=\"" + html.EscapeString(link) + "\">" + html.EscapeString(shown) + "</a>\n")
	}
	if len(entries) == mostListed {
		page.WriteString("…\n")
	}
	page.WriteString("</pre>\n")
	f := &file{data: page.Bytes(), size: int64(page.Len()), made: true, noSlash: !slash}
	f.contentType = []byte("text/html; charset=utf-8")
	return f, nil
}
