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
	addrs   []string // the first that can be reached is taken
	frame   framer
	conn    net.Conn // nil while there is none
	tried   time.Time
	line    []byte
}

// framer makes datagrams of a message and sends them.
type framer func(message []byte, send func(datagram []byte) error) error

// dialEach is the time between two looks for a missing socket.
const dialEach = time.Second

// openDatagrams finds the address. If nobody takes datagrams at a path yet, open does not fail: the
// reader may start later. late has the reason.
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

// send sends one datagram. UDP reports a lost one at the next, which is then sent again; at a path
// the reader may have started again.
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

// syslogPlaces are the sockets of this machine's syslog.
var syslogPlaces = []string{"/dev/log", "/var/run/syslog", "/var/run/log"}

// local sends messages as the syslog function of the C library does.
func (d *datagrams) local(s syslogSpec) framer {
	return func(message []byte, send func([]byte) error) error {
		d.line = appendSyslog(d.line[:0], s.priority, s.ident, bytes.TrimRight(message, "\n"))
		return send(d.line)
	}
}

// remote sends messages as uWSGI's rsyslog does: at most size bytes each. The rest is cut off, or
// follows in further ones. uWSGI loses a whole long message if its head has more than 30 bytes.
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
