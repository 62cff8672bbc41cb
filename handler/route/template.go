package route

import (
	"bytes"
	"crypto/rand"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/uwsgo/uwsgo/codec"
)

// template is a text with variables: ${NAME}, and $0 to $9 for the groups of the pattern. A
// variable's value is inserted as it is. It is not a template itself.
type template struct{ parts []part }

// part is a piece of a template: a text, a group, or a variable with a function.
type part struct {
	text     []byte
	view     func(e *eval) []byte // for a variable that needs no copy
	group    int                  // of the pattern, counted from 1; 0 for none
	variable string
	function function
	argument string
}

type function func(dst []byte, e *eval, argument string) []byte

// template compiles a text. A $ that begins neither a variable nor a group stays, as in
// uWSGI. Conditions have no groups.
func (c *compiler) template(text string, groups bool) (template, error) {
	var t template
	lit := make([]byte, 0, len(text))
	flush := func() {
		if len(lit) > 0 {
			t.parts = append(t.parts, part{text: bytes.Clone(lit)})
			lit = lit[:0]
		}
	}
	for i := 0; i < len(text); i++ {
		if text[i] != '$' {
			lit = append(lit, text[i])
			continue
		}
		i++
		switch {
		case i == len(text):
			if !groups { // uWSGI drops it where it replaces groups
				lit = append(lit, '$')
			}
		case groups && text[i] >= '0' && text[i] <= '9':
			flush()
			if n := int(text[i] - '0'); c.pattern != nil && n <= c.pattern.groupCount() {
				t.parts = append(t.parts, part{group: n + 1})
				c.rule.cond.(*matches).groups = true
			} // otherwise it is empty
		case text[i] == '{':
			name, _, ok := strings.Cut(text[i+1:], "}")
			if !ok {
				return t, fmt.Errorf("%q has a ${ that does not end", text)
			}
			flush()
			p, err := c.variable(name)
			if err != nil {
				return t, fmt.Errorf("${%s}: %w", name, err)
			}
			t.parts = append(t.parts, p)
			i += 1 + len(name)
		default:
			lit = append(lit, '$', text[i])
		}
	}
	flush()
	return t, nil
}

func (p *pattern) groupCount() int {
	if p.re == nil {
		return 0
	}
	return p.re.NumSubexp()
}

// variable compiles NAME or FUNCTION[ARGUMENT].
func (c *compiler) variable(name string) (part, error) {
	fn, argument, ok := strings.Cut(name, "[")
	if !ok {
		if err := checkVariable(name); err != nil {
			return part{}, err
		}
		c.rule.vars = append(c.rule.vars, name)
		return part{variable: name, view: views[name]}, nil
	}
	argument, ok = strings.CutSuffix(argument, "]")
	if !ok {
		return part{}, errors.New("the ] is missing")
	}
	p := part{function: functions[fn], argument: argument}
	if p.function == nil {
		return p, fmt.Errorf("%q is not known: there are cookie, qs, mime, time, httptime, base64, hex, upper, lower and uwsgi", fn)
	}
	switch fn {
	case "base64", "hex", "upper", "lower", "mime":
		c.rule.file = c.rule.file || fn == "mime" // types of files
		if err := checkVariable(argument); err != nil {
			return p, err
		}
		c.rule.vars = append(c.rule.vars, argument)
	case "cookie", "qs":
		if argument == "" || strings.ContainsAny(argument, "$=;& ") {
			return p, fmt.Errorf("%q is not the name of a value", argument)
		}
	case "time":
		if argument != "unix" && argument != "micros" {
			return p, errors.New("there are time[unix] and time[micros]")
		}
	case "uwsgi":
		if why, ok := uwsgiValues[argument]; !ok {
			return p, errors.New("of uwsgi[…] there are uuid, pid, sor, status, rsize and rtime")
		} else if why != "" {
			return p, errors.New(why)
		}
	case "httptime":
		if n, err := strconv.Atoi(argument); argument != "" && (err != nil || n < 0 || n > maxHTTPTime) {
			return p, errors.New("it needs a number of seconds")
		}
	}
	return p, nil
}

const maxHTTPTime = 1 << 31

func checkVariable(name string) error {
	if name == "" {
		return errors.New("the name is missing")
	}
	for _, c := range []byte(name) {
		if c != '_' && (c < '0' || c > '9') && (c < 'A' || c > 'Z') && (c < 'a' || c > 'z') {
			return errors.New("it is not the name of a variable")
		}
	}
	return nil
}

// fixed returns the text of a template without variables.
func (t *template) fixed() (string, bool) {
	switch {
	case len(t.parts) == 0:
		return "", true
	case len(t.parts) == 1 && t.parts[0].text != nil:
		return string(t.parts[0].text), true
	}
	return "", false
}

// views are the variables that conditions read most.
var views = map[string]func(e *eval) []byte{
	"PATH_INFO":    func(e *eval) []byte { return e.path },
	"REQUEST_URI":  func(e *eval) []byte { return e.r.Bytes(e.r.Target) },
	"QUERY_STRING": func(e *eval) []byte { return e.r.Bytes(e.r.Query) },
	"HTTP_HOST":    func(e *eval) []byte { return e.r.Bytes(e.r.Authority) },
}

// view returns a template's text if that needs no copy.
func (t *template) view(e *eval) ([]byte, bool) {
	switch len(t.parts) {
	case 0:
		return nil, true
	case 1:
		if p := &t.parts[0]; p.text != nil {
			return p.text, true
		} else if p.view != nil {
			return p.view(e), true
		}
	}
	return nil, false
}

func (t *template) append(dst []byte, e *eval) []byte {
	for i := range t.parts {
		p := &t.parts[i]
		switch {
		case p.function != nil:
			dst = p.function(dst, e, p.argument)
		case p.variable != "":
			dst = e.variable(dst, p.variable)
		case p.group > 0:
			if at := 2 * (p.group - 1); at+1 < len(e.groups) && e.groups[at] >= 0 {
				dst = append(dst, e.subject[e.groups[at]:e.groups[at+1]]...)
			}
		default:
			dst = append(dst, p.text...)
		}
	}
	return dst
}

// functions are uWSGI's route variables.
var functions = map[string]function{
	"cookie": func(dst []byte, e *eval, name string) []byte {
		at := len(dst)
		dst = e.variable(dst, "HTTP_COOKIE")
		return append(dst[:at], named(dst[at:], name, ";")...)
	},
	"qs": func(dst []byte, e *eval, name string) []byte {
		return append(dst, named(e.r.Bytes(e.r.Query), name, "&")...)
	},
	"time": func(dst []byte, _ *eval, unit string) []byte {
		if unit == "unix" {
			return strconv.AppendInt(dst, time.Now().Unix(), 10)
		}
		return strconv.AppendInt(dst, time.Now().UnixMicro(), 10)
	},
	"httptime": func(dst []byte, _ *eval, seconds string) []byte {
		n, _ := strconv.Atoi(seconds) // checked; empty is 0
		return time.Now().Add(time.Duration(n)*time.Second).UTC().AppendFormat(dst, http.TimeFormat)
	},
	"mime": func(dst []byte, e *eval, name string) []byte {
		return append(dst, e.h.files.Type(string(e.variable(nil, name)))...)
	},
	"base64": changed(func(dst, value []byte) []byte { return base64.StdEncoding.AppendEncode(dst, value) }),
	"hex":    changed(func(dst, value []byte) []byte { return append(dst, bytes.ToUpper(hex.AppendEncode(nil, value))...) }),
	"upper":  changed(func(dst, value []byte) []byte { return append(dst, mapASCII(value, 'a', 'z')...) }),
	"lower":  changed(func(dst, value []byte) []byte { return append(dst, mapASCII(value, 'A', 'Z')...) }),
	"uwsgi": func(dst []byte, e *eval, name string) []byte {
		switch name {
		case "pid":
			return strconv.AppendInt(dst, int64(os.Getpid()), 10)
		case "sor":
			return strconv.AppendInt(dst, e.began().UnixMicro(), 10)
		case "status":
			return strconv.AppendInt(dst, int64(e.status), 10)
		case "rsize":
			return strconv.AppendInt(dst, e.size, 10)
		case "rtime":
			if !e.over {
				return append(dst, '0')
			}
			return strconv.AppendInt(dst, time.Since(e.began()).Microseconds(), 10)
		}
		var b [16]byte
		_, _ = rand.Read(b[:]) // it never fails
		b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
		return fmt.Appendf(dst, "%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
	},
}

// uwsgiValues are the arguments of ${uwsgi[…]}; a text says why one is missing.
var uwsgiValues = map[string]string{
	"uuid": "", "pid": "", "sor": "", "status": "", "rsize": "", "rtime": "",
	"wid": "rules are followed before a worker is chosen, so there is no wid yet: log it with %(wid) of log-format",
	"lq":  "the listen queue is not known to rules: the stats server tells it",
}

func changed(change func(dst, value []byte) []byte) function {
	return func(dst []byte, e *eval, name string) []byte {
		return change(dst, e.variable(nil, name))
	}
}

// mapASCII changes the case of the letters from first to last.
func mapASCII(s []byte, first, last byte) []byte {
	for i, c := range s {
		if first <= c && c <= last {
			s[i] = c ^ 0x20
		}
	}
	return s
}

// named returns the first non-empty value of that name in a list of NAME=VALUE.
func named(list []byte, name, sep string) []byte {
	for len(list) > 0 {
		var item []byte
		item, list, _ = bytes.Cut(list, []byte(sep))
		if sep == ";" {
			item = bytes.TrimSpace(item)
		}
		if key, value, ok := bytes.Cut(item, equals); ok && string(key) == name && len(value) > 0 {
			return value
		}
	}
	return nil
}

var equals = []byte("=")

// variable appends a variable as in the app's environ, nothing if it is missing.
func (e *eval) variable(dst []byte, name string) []byte {
	if name[0] == 'H' && strings.HasPrefix(name, "HTTP_") {
		return e.header(dst, name)
	}
	r := e.r
	switch name {
	case "REQUEST_METHOD":
		return append(dst, r.Bytes(r.Method)...)
	case "REQUEST_URI":
		return append(dst, r.Bytes(r.Target)...)
	case "PATH_INFO":
		return append(dst, e.path...)
	case "SCRIPT_NAME":
		return append(dst, e.script...)
	case "QUERY_STRING":
		return append(dst, r.Bytes(r.Query)...)
	case "SERVER_PROTOCOL":
		return append(dst, r.Bytes(r.Version)...)
	case "CONTENT_TYPE":
		return append(dst, r.Get(name)...)
	case "CONTENT_LENGTH":
		if n := e.x.ContentLength(); n > 0 {
			return strconv.AppendInt(dst, n, 10)
		}
		return dst
	}
	for _, v := range slices.Backward(r.Vars) {
		if string(r.Bytes(v.Name)) == name {
			return append(dst, r.Bytes(v.Value)...)
		}
	}
	switch name {
	case "HTTPS":
		if e.x.HTTPS() {
			return append(dst, "on"...)
		}
	case "SERVER_NAME":
		return append(dst, e.h.host...)
	case "SERVER_PORT":
		if ln := e.x.Listener(); ln != nil && !ln.Unix() {
			return strconv.AppendInt(dst, int64(ln.Port()), 10)
		}
		return append(dst, "80"...) // as uWSGI for unix sockets
	case "REMOTE_ADDR":
		if r.Proto != codec.UWSGI { // over uwsgi the front server names the client
			return e.x.AppendRemoteAddr(dst)
		}
	case "REMOTE_PORT":
		if port := e.x.RemotePort(); port != 0 && r.Proto != codec.UWSGI {
			return strconv.AppendUint(dst, uint64(port), 10)
		}
	}
	return dst
}

// header appends the value of a header field. Those of fields with the same name are
// joined, as they are in the environ.
func (e *eval) header(dst []byte, name string) []byte {
	r, field := e.r, name[len("HTTP_"):]
	switch {
	case field == "HOST":
		return append(dst, r.Bytes(r.Authority)...)
	case field == "CONTENT_TYPE", field == "CONTENT_LENGTH": // they have no HTTP_ in front
		return dst
	case strings.ToUpper(field) != field: // no header has such a name in the environ
		for _, v := range r.Vars {
			if string(r.Bytes(v.Name)) == name {
				return append(dst, r.Bytes(v.Value)...)
			}
		}
		return dst
	}
	found := false
	for _, f := range r.Fields {
		if f.Name.Len() != len(field) || !equalName(r.Bytes(f.Name), field) {
			continue
		}
		if found {
			if field == "COOKIE" {
				dst = append(dst, "; "...)
			} else {
				dst = append(dst, ", "...)
			}
		}
		found = true
		dst = append(dst, r.Bytes(f.Value)...)
	}
	return dst
}

// equalName compares the name of a field with one of the environ.
func equalName(name []byte, field string) bool {
	for i, c := range name {
		switch {
		case 'a' <= c && c <= 'z':
			c -= 'a' - 'A'
		case c == '-':
			c = '_'
		}
		if c != field[i] {
			return false
		}
	}
	return true
}
