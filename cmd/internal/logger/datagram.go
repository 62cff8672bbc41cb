package logger

import (
	"bytes"
	"errors"
	"net"
	"os"
	"strconv"
	"time"

	"golang.org/x/sys/unix"
)

// datagrams is an output that sends each message in a datagram of its own.
type datagrams struct {
	network string
	addrs   []string // of which the first that can be reached is taken
	frame   framer
	conn    net.Conn // nil while there is none
	tried   time.Time
	line    []byte
}

// framer makes datagrams of a message and sends them.
type framer func(message []byte, send func(datagram []byte) error) error

// dialEach is how long a socket that is not there is not looked for again.
const dialEach = time.Second

// openDatagrams finds the address. That nobody takes datagrams at a path yet is no error
// of open, as whoever does may be started later; it is returned as late.
func openDatagrams(network string, addrs ...string) (d *datagrams, late, err error) {
	d = &datagrams{network: network, addrs: addrs}
	d.frame = d.headed("")
	if err = d.dial(); err != nil && network != "unixgram" {
		return nil, nil, err
	}
	return d, err, nil
}

func (d *datagrams) dial() (err error) {
	d.tried = time.Now()
	for _, addr := range d.addrs {
		var c net.Conn
		if c, err = net.Dial(d.network, addr); err == nil {
			d.conn = c
			return nil
		}
	}
	return err
}

func (d *datagrams) write(b *batch) (lost uint64, err error) {
	b.each(func(message []byte) {
		if e := d.frame(message, d.send); e != nil {
			lost++
			err = e
		}
	})
	return lost, err
}

// send sends one datagram. UDP tells of one that nobody took at the next one, which is then
// sent once more; whoever takes datagrams at a path may have begun anew there.
func (d *datagrams) send(datagram []byte) error {
	if d.conn != nil {
		_, err := d.conn.Write(datagram)
		if err == nil || errors.Is(err, unix.EMSGSIZE) {
			return err
		}
		if d.network == "udp" {
			_, err = d.conn.Write(datagram)
			return err
		}
		_ = d.conn.Close()
		d.conn = nil
		d.tried = time.Time{}
	}
	if time.Since(d.tried) < dialEach {
		return errNobody
	}
	if err := d.dial(); err != nil {
		return err
	}
	_, err := d.conn.Write(datagram)
	return err
}

var errNobody = errors.New("nobody takes datagrams there")

func (d *datagrams) close() error {
	if d.conn == nil {
		return nil
	}
	return d.conn.Close()
}

// headed sends messages as they are, behind a head.
func (d *datagrams) headed(head string) framer {
	return func(message []byte, send func([]byte) error) error {
		if head == "" {
			return send(message)
		}
		d.line = append(append(d.line[:0], head...), message...)
		return send(d.line)
	}
}

// syslogPlaces are where the syslog of this machine may take messages.
var syslogPlaces = []string{"/dev/log", "/var/run/syslog", "/var/run/log"}

// local sends messages as the syslog function of the C library does.
func (d *datagrams) local(s syslogSpec) framer {
	return func(message []byte, send func([]byte) error) error {
		d.line = appendSyslog(d.line[:0], s.priority, s.ident, bytes.TrimRight(message, "\n"))
		return send(d.line)
	}
}

// remote sends messages as uWSGI's rsyslog does: each has at most size bytes, what does not
// fit is cut off, or sent in further ones. uWSGI loses long messages whole if their head
// has more than 30 bytes.
func (d *datagrams) remote(s syslogSpec, size int, split bool) framer {
	if s.ident == "" {
		host, _ := os.Hostname()
		s.ident = host + " uwsgi"
	}
	return func(message []byte, send func([]byte) error) error {
		message = bytes.TrimSuffix(message, []byte("\n"))
		for {
			d.line = appendSyslog(d.line[:0], s.priority, s.ident, nil)
			room := min(max(1, size-1-len(d.line)), len(message))
			d.line = append(d.line, message[:room]...)
			message = message[room:]
			if err := send(d.line); err != nil || len(message) == 0 || !split {
				return err
			}
		}
	}
}

// appendSyslog adds a message in the form of RFC 3164.
func appendSyslog(dst []byte, priority int, ident string, message []byte) []byte {
	dst = append(dst, '<')
	dst = strconv.AppendInt(dst, int64(priority), 10)
	dst = append(dst, '>')
	dst = time.Now().AppendFormat(dst, time.Stamp)
	dst = append(append(append(dst, ' '), ident...), ": "...)
	return append(dst, message...)
}
