package peers

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/uwsgo/uwsgo/bench/proctree"
)

// acceptLimit is how long a server may take until it has accepted a connection.
const acceptLimit = time.Second

// noDelay reads TCP_NODELAY of a connection at the server's end. A server with keep-alive is
// checked after two answers, because nginx sets the option after the first. Another one is
// checked while it waits for the rest of a request.
func (srv *Server) noDelay() string {
	conn, err := net.DialTimeout("tcp", srv.Addr, acceptLimit)
	if err != nil {
		return "unknown"
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(probeLimit)); err != nil {
		return "unknown"
	}
	request, answers := "GET / HTTP/1.1\r\nHost: "+srv.Addr+"\r\n\r\n", 2
	switch {
	case srv.Peer.Protocol == UWSGI:
		request, answers = "\x00\x10", 0 // half of a packet's header
	case !srv.Peer.KeepAlive:
		request, answers = request[:len(request)-2], 0
	}
	reader := bufio.NewReader(conn)
	for i := range max(1, answers) {
		if _, err := io.WriteString(conn, request); err != nil {
			return "unknown"
		}
		if i >= answers {
			break
		}
		resp, err := http.ReadResponse(reader, nil)
		if err != nil {
			return "unknown"
		}
		if _, err := io.Copy(io.Discard, resp.Body); err != nil {
			return "unknown"
		}
	}
	for deadline := time.Now().Add(acceptLimit); time.Now().Before(deadline); time.Sleep(2 * time.Millisecond) {
		inode := otherEnd(conn)
		if inode == 0 {
			continue // not accepted yet, or closed
		}
		pids, err := proctree.PIDs(srv.root())
		if err != nil {
			return "unknown"
		}
		for _, pid := range pids {
			if on, err := noDelayOf(pid, inode); err == nil {
				return map[bool]string{true: "on", false: "off"}[on]
			}
		}
	}
	return "unknown"
}

// otherEnd gives the inode of the socket at the other end of a connection over
// the loopback, or 0 while no process has it.
func otherEnd(conn net.Conn) uint64 {
	theirs, ours := hexAddress(conn.RemoteAddr()), hexAddress(conn.LocalAddr())
	for _, table := range []string{"/proc/net/tcp", "/proc/net/tcp6"} {
		f, err := os.Open(table)
		if err != nil {
			continue
		}
		lines := bufio.NewScanner(f)
		for lines.Scan() {
			// proc(5): number, local and remote address, ..., inode as the tenth. An
			// IPv4 address in the table for IPv6 has a prefix.
			fields := strings.Fields(lines.Text())
			if len(fields) < 10 || !strings.HasSuffix(fields[1], theirs) || !strings.HasSuffix(fields[2], ours) {
				continue
			}
			if inode, err := strconv.ParseUint(fields[9], 10, 64); err == nil && inode != 0 {
				f.Close()
				return inode
			}
		}
		f.Close()
	}
	return 0
}

// hexAddress is how the kernel's tables write an IPv4 address and a port.
func hexAddress(addr net.Addr) string {
	tcp, ok := addr.(*net.TCPAddr)
	if !ok || tcp.IP.To4() == nil {
		return "none"
	}
	return fmt.Sprintf("%08X:%04X", binary.NativeEndian.Uint32(tcp.IP.To4()), tcp.Port)
}

// noDelayOf takes a copy of a process's descriptor of a socket and asks it.
func noDelayOf(pid int, inode uint64) (bool, error) {
	want := fmt.Sprintf("socket:[%d]", inode)
	dir := fmt.Sprintf("/proc/%d/fd", pid)
	entries, err := os.ReadDir(dir)
	if err != nil {
		return false, err
	}
	for _, entry := range entries {
		if target, err := os.Readlink(filepath.Join(dir, entry.Name())); err != nil || target != want {
			continue
		}
		number, err := strconv.Atoi(entry.Name())
		if err != nil {
			return false, err
		}
		process, err := unix.PidfdOpen(pid, 0)
		if err != nil {
			return false, err
		}
		defer unix.Close(process)
		socket, err := unix.PidfdGetfd(process, number, 0)
		if err != nil {
			return false, err
		}
		defer unix.Close(socket)
		on, err := unix.GetsockoptInt(socket, unix.IPPROTO_TCP, unix.TCP_NODELAY)
		return on != 0, err
	}
	return false, os.ErrNotExist
}
