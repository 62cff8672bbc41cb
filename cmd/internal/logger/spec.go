package logger

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// Spec is one value of logger or req-logger.
type Spec struct {
	Name string // of a named logger, which gets what routes send to it; else empty
	Kind string // one of Kinds
	Arg  string
}

// Kinds are the kinds of logger that there are.
var Kinds = []string{"file", "fd", "rsyslog", "socket", "stdio", "syslog"}

// elsewhere says what to do in place of the kinds that uWSGI has and uwsgo has not.
var elsewhere = map[string]string{
	"redislog":   "Redis",
	"rredislog":  "Redis",
	"mongodblog": "MongoDB",
	"zeromq":     "ZeroMQ",
	"zmq":        "ZeroMQ",
	"crypto":     "an encrypted socket",
	"graylog2":   "Graylog",
	"systemd":    "the journal itself, which has what standard error gets, so that logger = stdio does",
	"pipe":       "a command, so let a shell do it: uwsgo ... 2>&1 | command",
}

// ParseSpec reads "kind", "kind:argument" or "name kind:argument". As in uWSGI a name is
// letters and digits.
func ParseSpec(value string) (Spec, error) {
	var s Spec
	if name, rest, ok := strings.Cut(value, " "); ok && alphanumeric(name) {
		s.Name, value = name, rest
	}
	s.Kind, s.Arg, _ = strings.Cut(strings.TrimLeft(value, " "), ":")
	s.Kind = strings.TrimSpace(s.Kind)
	if what, ok := elsewhere[s.Kind]; ok {
		if !strings.Contains(what, " ") || s.Kind == "crypto" {
			what += ": have a log shipper, vector or fluent-bit for one, read what file:/path or socket:host:port gets"
		}
		return s, fmt.Errorf("the kind %s is not there: uwsgo does not log to %s", s.Kind, what)
	}
	if !slices.Contains(Kinds, s.Kind) {
		return s, fmt.Errorf("%q is no kind of logger: there are %s, written kind:argument, or name kind:argument with a name of letters and digits",
			s.Kind, strings.Join(Kinds, ", "))
	}
	var err error
	switch s.Kind {
	case "file":
		_, err = parseFile(s.Arg)
	case "fd":
		_, err = parseFD(s.Arg)
	case "socket":
		_, err = parseSocket(s.Arg)
	case "syslog":
		_, err = parseSyslog(s.Arg)
	case "rsyslog":
		_, err = parseRemote(s.Arg)
	}
	return s, err
}

// Path returns the file that a file logger writes to; empty for all others.
func (s Spec) Path() string {
	if s.Kind != "file" {
		return ""
	}
	f, err := parseFile(s.Arg)
	if err != nil {
		return ""
	}
	return f.path
}

// String is the logger as it is written.
func (s Spec) String() string {
	text := s.Kind
	if s.Arg != "" {
		text += ":" + s.Arg
	}
	if s.Name != "" {
		text = s.Name + " " + text
	}
	return text
}

func alphanumeric(name string) bool {
	return name != "" && !strings.ContainsFunc(name, func(c rune) bool {
		return (c < '0' || c > '9') && (c < 'A' || c > 'Z') && (c < 'a' || c > 'z')
	})
}

// fileSpec is the argument of a file logger.
type fileSpec struct {
	path, backup string
	maxSize      int64
}

// parseFile reads a path, or logfile=path,maxsize=bytes,backupname=path.
func parseFile(arg string) (f fileSpec, err error) {
	if !strings.Contains(arg, "=") {
		f.path = arg
	} else {
		for part := range strings.SplitSeq(arg, ",") {
			key, value, _ := strings.Cut(part, "=")
			switch key {
			case "logfile":
				f.path = value
			case "backupname":
				f.backup = value
			case "maxsize":
				if f.maxSize, err = parseSize(value); err != nil {
					return f, fmt.Errorf("maxsize: %w", err)
				}
			default:
				return f, fmt.Errorf("a file logger has no key %q, but logfile, maxsize and backupname", key)
			}
		}
	}
	if f.path == "" {
		return f, fmt.Errorf("a file logger needs a path: file:/var/log/app.log, or file:logfile=/var/log/app.log,maxsize=20000000")
	}
	return f, nil
}

// parseSize reads a number of bytes, with k, m or g behind it for 1024 of them and so on.
func parseSize(text string) (int64, error) {
	digits := strings.TrimRight(strings.ToLower(strings.TrimSpace(text)), "b")
	shift := 0
	if i := strings.IndexByte("kmg", last(digits)); i >= 0 {
		digits, shift = digits[:len(digits)-1], 10*(i+1)
	}
	n, err := strconv.ParseInt(digits, 10, 64)
	if err != nil || n < 0 || n > 1<<50>>shift {
		return 0, fmt.Errorf("%q is no number of bytes such as 20000000 or 20m", text)
	}
	return n << shift, nil
}

func last(s string) byte {
	if s == "" {
		return 0
	}
	return s[len(s)-1]
}

func parseFD(arg string) (int, error) {
	n, err := strconv.Atoi(strings.TrimSpace(arg))
	if err != nil || n < 0 {
		return 0, fmt.Errorf("fd needs the number of a descriptor: fd:2")
	}
	return n, nil
}

// address is where datagrams go, and what stands before each message.
type address struct {
	network, addr string
	head          string
}

// parseSocket reads host:port or a path, and what each datagram begins with behind a comma.
func parseSocket(arg string) (address, error) {
	arg, head, _ := strings.Cut(arg, ",")
	a, err := parseAddress(arg, "")
	a.head = head
	if err != nil {
		err = fmt.Errorf("socket needs an address: socket:127.0.0.1:5514 or socket:/path/of.sock, not %q", arg)
	}
	return a, err
}

// parseAddress reads host:port, or the path of a unix socket. port stands in where none is
// given.
func parseAddress(arg, port string) (address, error) {
	if arg == "" {
		return address{}, fmt.Errorf("no address")
	}
	if strings.HasPrefix(arg, "/") || strings.HasPrefix(arg, "@") || port == "" && !strings.Contains(arg, ":") {
		return address{network: "unixgram", addr: arg}, nil
	}
	at := strings.LastIndexByte(arg, ':')
	switch {
	case at < 0, strings.HasSuffix(arg, "]"):
		if port == "" {
			return address{}, fmt.Errorf("no port")
		}
		arg += ":" + port
	case at == len(arg)-1 || strings.Trim(arg[at+1:], "0123456789") != "" || len(arg)-at > 6:
		return address{}, fmt.Errorf("no port")
	}
	return address{network: "udp", addr: arg}, nil
}

// facilities are those of syslog, by their numbers.
var facilities = map[string]int{
	"kern": 0, "user": 1, "mail": 2, "daemon": 3, "auth": 4, "security": 4, "syslog": 5, "lpr": 6, "news": 7, "uucp": 8, "cron": 9,
	"authpriv": 10, "ftp": 11,
	"local0": 16, "local1": 17, "local2": 18, "local3": 19, "local4": 20, "local5": 21, "local6": 22, "local7": 23,
}

// The priorities of syslog that lines have: information, of the facility that was asked for
// or daemon; a remote server gets a notice, as from uWSGI.
const (
	severityInfo   = 6
	remotePriority = 3<<3 | 5
)

// syslogSpec is the argument of syslog and rsyslog.
type syslogSpec struct {
	address
	ident    string
	priority int
}

// parseSyslog reads ident,facility, both of which may be missing.
func parseSyslog(arg string) (syslogSpec, error) {
	ident, name, given := strings.Cut(arg, ",")
	s := syslogSpec{ident: ident, priority: facilities["daemon"]<<3 | severityInfo}
	if ident == "" {
		s.ident = "uwsgi"
	}
	if !given {
		return s, nil
	}
	n, ok := facilities[strings.TrimPrefix(strings.ToLower(strings.TrimSpace(name)), "log_")]
	if !ok {
		return s, fmt.Errorf("%q is no facility of syslog such as daemon, user or local0", name)
	}
	s.priority = n<<3 | severityInfo
	return s, nil
}

// parseRemote reads host:port,ident,priority; the port may be missing, and what is behind a
// comma. An ident of uWSGI's is host and program.
func parseRemote(arg string) (syslogSpec, error) {
	parts := strings.SplitN(arg, ",", 3)
	a, err := parseAddress(parts[0], "514")
	s := syslogSpec{address: a, priority: remotePriority}
	if err != nil {
		return s, fmt.Errorf("rsyslog needs an address: rsyslog:127.0.0.1:514,ident, not %q", arg)
	}
	if len(parts) > 1 {
		s.ident = parts[1]
	}
	if len(parts) > 2 {
		n, err := strconv.Atoi(strings.TrimSpace(parts[2]))
		if err != nil || n < 0 || n > 191 {
			return s, fmt.Errorf("%q is no priority of syslog, a number from 0 to 191", parts[2])
		}
		s.priority = n
	}
	return s, nil
}
