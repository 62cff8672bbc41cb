package alarm

import (
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/uwsgo/uwsgo/cmd/internal/logger"
)

// Config has the configured alarms, and what raises them.
type Config struct {
	Alarms   []Alarm
	Logs     []Log
	Backlog  []string // raised when a queue is full
	Segfault []string // raised when a worker is killed by a fault of its own
	FDs      []FD
	Freq     time.Duration // for which a message that was raised is not raised again
	MostSize int           // bytes of a message; the rest is cut off
}

// Alarm is one that can be raised.
type Alarm struct {
	Name string
	Kind string // cmd, log, signal, mule or curl
	Arg  string
}

// Log raises alarms for lines of the log.
type Log struct {
	Not     bool // a line that matches raises none, by what follows either
	Alarms  []string
	Pattern *logger.Pattern
}

// FD raises an alarm when a descriptor can be read.
type FD struct {
	Alarm   string
	FD      int
	Bytes   int // that are read each time
	Message string
}

// Kinds are the supported kinds of alarms.
var Kinds = []string{"cmd", "log", "signal", "mule", "curl"}

// absent says what to do instead of uWSGI's other kinds.
var absent = map[string]string{
	"xmpp":   "no messages are sent by XMPP: use curl with the address of a gateway, or cmd",
	"jabber": "no messages are sent by XMPP: use curl with the address of a gateway, or cmd",
	"speech": "nothing is spoken: use cmd",
	"sentry": "Sentry is told nothing: use cmd with a program that does, such as sentry-cli send-event",
}

// ErrKind says that an alarm is of a kind that there is not.
var ErrKind = errors.New("no kind of alarm")

// Parse reads "NAME KIND:ARGUMENT". The error is ErrKind for an unknown kind; the name holds then.
func Parse(value string) (Alarm, error) {
	name, rest, _ := strings.Cut(strings.TrimSpace(value), " ")
	kind, arg, found := strings.Cut(strings.TrimSpace(rest), ":")
	a := Alarm{name, kind, arg}
	if !found || name == "" {
		return a, fmt.Errorf("%q is no name and what to do: write alarm = NAME KIND:ARGUMENT, where the kinds are %s", value, strings.Join(Kinds, ", "))
	}
	if why := absent[kind]; why != "" {
		return a, fmt.Errorf("%w named %s is there: %s", ErrKind, kind, why)
	}
	if !slices.Contains(Kinds, kind) {
		return a, fmt.Errorf("%w named %s is there: use %s", ErrKind, kind, strings.Join(Kinds, ", "))
	}
	var err error
	switch kind {
	case "cmd":
		if strings.TrimSpace(arg) == "" {
			err = errors.New("the command is missing")
		}
	case "signal":
		if n, bad := strconv.Atoi(arg); bad != nil || n < 0 || n > 255 {
			err = fmt.Errorf("%q is no signal of uWSGI's: they are from 0 to 255", arg)
		}
	case "mule":
		if n, bad := strconv.Atoi(arg); arg != "" && (bad != nil || n < 0) {
			err = fmt.Errorf("%q is no number of a mule", arg)
		}
	case "curl":
		_, err = parseCurl(arg)
	}
	if err != nil {
		return a, fmt.Errorf("%s: %w", kind, err)
	}
	return a, nil
}

// ParseLog reads "ALARM[,ALARM] REGEX".
func ParseLog(value string) (Log, error) {
	names, text, found := strings.Cut(value, " ")
	if !found {
		return Log{}, fmt.Errorf("%q is not of the form ALARM[,ALARM...] REGEX", value)
	}
	p, err := logger.ParsePattern(text)
	return Log{Alarms: split(names), Pattern: p}, err
}

// ParseFD reads "ALARM FD[:BYTES] MESSAGE".
func ParseFD(value string) (FD, error) {
	words := strings.SplitN(value, " ", 3)
	f := FD{Bytes: 1}
	if len(words) != 3 {
		return f, fmt.Errorf("%q is not of the form ALARM FD[:BYTES] MESSAGE", value)
	}
	number, size, sized := strings.Cut(words[1], ":")
	var err error
	f.Alarm, f.Message = words[0], words[2]
	if f.FD, err = strconv.Atoi(number); err != nil || f.FD < 0 {
		return f, fmt.Errorf("%q is no descriptor", number)
	}
	if sized {
		if f.Bytes, err = strconv.Atoi(size); err != nil || f.Bytes < 1 || f.Bytes > 64<<10 {
			return f, fmt.Errorf("%q is no number of bytes from 1 to 65536", size)
		}
	}
	return f, nil
}

func split(names string) []string {
	return slices.DeleteFunc(strings.Split(names, ","), func(s string) bool { return s == "" })
}

// Has reports whether there is an alarm of this name.
func (c *Config) Has(name string) bool {
	return slices.ContainsFunc(c.Alarms, func(a Alarm) bool { return a.Name == name })
}

// curl is what the argument of a curl alarm asks for.
type curl struct {
	url, method    string
	user, password string
	subject        string
	insecure       bool
	timeout        time.Duration
}

// curlTime bounds a request of a curl alarm, unless it says otherwise.
const curlTime = 10 * time.Second

// parseCurl reads "URL;method=POST;auth_user=U;auth_pass=P;timeout=N;subject=S;ssl_insecure=1".
func parseCurl(arg string) (curl, error) {
	c := curl{method: "POST", timeout: curlTime}
	for part := range strings.SplitSeq(arg, ";") {
		name, value, found := strings.Cut(part, "=")
		if c.url == "" && (!found || name != "url") {
			c.url = part
			continue
		}
		switch name {
		case "url":
			c.url = value
		case "method":
			c.method = value
		case "auth_user":
			c.user = value
		case "auth_pass":
			c.password = value
		case "subject":
			c.subject = value
		case "ssl_insecure":
			c.insecure = true
		case "ssl", "conn_timeout":
		case "timeout":
			n, err := strconv.Atoi(value)
			if err != nil || n < 1 || n > 3600 {
				return c, fmt.Errorf("timeout: %q is no number of seconds", value)
			}
			c.timeout = time.Duration(n) * time.Second
		case "mail_to", "mail_from", "to":
			return c, errors.New("no mail is sent: use cmd with a program that does, such as mail -s alarm root")
		case "":
		default:
			return c, fmt.Errorf("%q is no part of it", name)
		}
	}
	u, err := url.Parse(c.url)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return c, errors.New("the address must begin with http:// or https://; for mail use cmd with a program that sends it")
	}
	return c, nil
}
