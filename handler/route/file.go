package route

import (
	"errors"
	"fmt"
	"net/http"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/uwsgo/uwsgo/codec"
	"github.com/uwsgo/uwsgo/handler/static"
)

// sendFile answers with a file and a status of its own.
type sendFile struct {
	name        template
	status      int
	reason      []byte
	contentType template
	mime        bool // the type follows from the name
	next        bool // without a file the next rule runs
}

// pairs reads KEY=VALUE,KEY=VALUE.
func pairs(args string, keys ...string) (map[string]string, error) {
	m := map[string]string{}
	for item := range strings.SplitSeq(args, ",") {
		key, value, ok := strings.Cut(item, "=")
		if !ok || !slices.Contains(keys, key) {
			return nil, fmt.Errorf("%q is not of the form KEY=VALUE,… with keys %s", item, strings.Join(keys, ", "))
		}
		m[key] = value
	}
	return m, nil
}

// file compiles file:filename=NAME,status=404 Not Found,content_type=text/html.
func file(next bool) func(c *compiler, args string) error {
	return func(c *compiler, args string) error {
		m, err := pairs(args, "filename", "status", "content_type", "mime", "nocl", "no_cl", "no_content_length", "no_headers")
		if err != nil {
			return err
		}
		if m["filename"] == "" {
			return errors.New("it needs a filename: filename=/srv/404.html")
		}
		if m["no_headers"] != "" {
			return c.missing(c.rule.action + ": an answer always has a head: leave no_headers out")
		}
		a := &sendFile{status: http.StatusOK, mime: m["mime"] != "", next: next}
		if m["status"] != "" {
			var reason string
			if a.status, reason, err = parseStatus(m["status"]); err != nil {
				return err
			}
			a.reason = []byte(reason)
		}
		if m["content_type"] == "" {
			m["content_type"] = "text/html"
		}
		if a.contentType, err = c.template(m["content_type"], true); err != nil {
			return err
		}
		a.name, err = c.template(m["filename"], true)
		c.rule.do, c.rule.file = a, true
		return err
	}
}

func (a *sendFile) act(e *eval) (verdict, error) {
	name, err := e.fileName(&a.name)
	if err != nil {
		return failed, err
	}
	if e.doubled && !fixedName(&a.name) {
		return a.found(e, name, static.Found{}, os.ErrNotExist)
	}
	return e.find(name, func(f static.Found, err error) (verdict, error) { return a.found(e, name, f, err) })
}

// found answers with the file, if there is one.
func (a *sendFile) found(e *eval, name string, found static.Found, err error) (verdict, error) {
	switch {
	case err != nil && a.next:
		return goOn, nil
	case err != nil:
		return e.noFile(err)
	}
	kind := e.h.files.Type(name)
	if !a.mime || kind == nil {
		kind = a.contentType.append(nil, e)
	}
	h := codec.Header{Name: []byte("Content-Type"), Value: kind}
	if err := codec.Validate(&codec.Response{Status: 200, Header: []codec.Header{h}}); err != nil {
		found.Close()
		return failed, err
	}
	f, size := found.File()
	return e.say(&whole{reply: reply{status: a.status, reason: a.reason, headers: []codec.Header{h}}, file: f, size: size}), nil
}

func fixedName(t *template) bool {
	_, fixed := t.fixed()
	return fixed
}

// inPlace replaces an answer by a file.
func (e *eval) inPlace(name string, next bool) (verdict, error) {
	found, err := e.h.files.Find(name)
	switch {
	case err != nil && next:
		return goOn, nil
	case err != nil:
		return failed, err
	}
	f, size := found.File()
	a := &whole{reply: reply{status: http.StatusOK}, file: f, size: size}
	if kind := e.h.files.Type(name); kind != nil {
		a.headers = []codec.Header{{Name: []byte("Content-Type"), Value: kind}}
	}
	return e.say(a), nil
}

// noFile answers when the file does not exist. The answer that the file was to replace must not
// go out either.
func (e *eval) noFile(err error) (verdict, error) {
	if e.kind != requests {
		return failed, err
	}
	if !errors.Is(err, os.ErrNotExist) {
		e.h.logf("%s: %v", e.t.rules[e.pc-1].Where, err)
	}
	return e.say(&whole{reply: reply{status: http.StatusNotFound, headers: plainText, body: []byte("Not Found\n")}}), nil
}

// staticFile compiles static:NAME, which answers as static-map would.
func staticFile(next bool) func(c *compiler, args string) error {
	return func(c *compiler, args string) error {
		if args == "" {
			return errors.New("it needs the name of a file")
		}
		name, err := c.template(args, true)
		c.rule.file = true
		c.rule.do = actionFunc(func(e *eval) (verdict, error) {
			file, err := e.fileName(&name)
			if err != nil {
				return failed, err
			}
			if e.kind != requests {
				return e.inPlace(file, next)
			}
			if e.doubled && !fixedName(&name) {
				if next {
					return goOn, nil
				}
				return e.noFile(os.ErrNotExist)
			}
			return e.find(file, func(f static.Found, err error) (verdict, error) {
				switch {
				case err == nil:
					e.change()
					f.Serve(e.x)
					return ended, nil
				case next:
					return goOn, nil
				}
				return e.noFile(err)
			})
		})
		return err
	}
}

// expires compiles expires:filename=NAME,unix=TIME,value=SECONDS.
func expires(c *compiler, args string) error {
	m, err := pairs(args, "filename", "file", "unix", "value")
	if err != nil {
		return err
	}
	if m["filename"] == "" {
		m["filename"] = m["file"]
	}
	if m["filename"] == "" && m["unix"] == "" {
		return errors.New("it needs a time to count from: unix=${time[unix]},value=SECONDS, or filename=NAME")
	}
	var name, from, value template
	for _, t := range []struct {
		to   *template
		text string
	}{{&name, m["filename"]}, {&from, m["unix"]}, {&value, m["value"]}} {
		if *t.to, err = c.template(t.text, true); err != nil {
			return err
		}
	}
	c.rule.do = actionFunc(func(e *eval) (verdict, error) {
		at := number(e.one(&from))
		if m["filename"] != "" {
			file, err := e.fileName(&name)
			if err != nil {
				return failed, err
			}
			info, err := os.Stat(file)
			if err != nil {
				return failed, err
			}
			at = info.ModTime().Unix()
		}
		at = min(max(at+number(e.one(&value)), 0), lastSecond)
		e.add = append(e.add, codec.Header{Name: []byte("Expires"), Value: time.Unix(at, 0).UTC().AppendFormat(nil, http.TimeFormat)})
		return goOn, nil
	})
	return nil
}

// lastSecond is the end of the year 9999, which a date has room for.
const lastSecond = 253402300799
