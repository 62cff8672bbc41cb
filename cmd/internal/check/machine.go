package check

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/uwsgo/uwsgo/cmd/internal/emperor"
	"github.com/uwsgo/uwsgo/cmd/internal/privilege"
)

// Machine is the machine that the server is to run on, as a check asks it. OS returns the real one.
type Machine struct {
	Cwd    string
	UID    int // effective
	Stat   func(name string) (fs.FileInfo, error)
	Lstat  func(name string) (fs.FileInfo, error)
	Lookup func(privilege.Request) (privilege.Identity, error)
	// Access does what access(2) does, for a user. mode is made of R_OK, W_OK and X_OK.
	Access func(as privilege.Identity, name string, mode uint32) error
	// Bind binds a TCP address without listening, and gives it up.
	Bind func(address string, reusePort bool) error
	// Served reports whether somebody listens on a unix socket: a path, or @ and a name.
	Served func(path string) bool
	Limits func(as privilege.Identity) Limits
	// Vassals returns the files of one value of emperor, which begins in dir.
	Vassals func(value, dir string, how emperor.Finding) ([]emperor.File, error)
}

// Limits are the limits of a server; -1 for none, or if unknown.
type Limits struct {
	Files     int64 // descriptors of a process started by a shell
	MostFiles int64 // the server raises its own to this
	Processes int64 // and threads of the user
	Running   int64 // of them
	Loops     int
}

// OS is the machine that this process runs on.
func OS() Machine {
	m := Machine{UID: os.Geteuid(), Stat: os.Stat, Lstat: os.Lstat, Lookup: privilege.Lookup, Access: access, Bind: bind, Served: served, Limits: limits, Vassals: emperor.Find}
	m.Cwd, _ = os.Getwd()
	return m
}

// resolveTime bounds the look-up of a host name, as at the start.
const resolveTime = 10 * time.Second

// bind tries an address. Without a host it tries IPv6, which takes IPv4 as well, or IPv4 where
// there is no IPv6.
func bind(address string, reusePort bool) error {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return err
	}
	number, err := net.LookupPort("tcp", port)
	if err != nil {
		return err
	}
	ip := netip.IPv6Unspecified()
	if host != "" {
		if ip, err = resolve(host); err != nil {
			return err
		}
	}
	err = bindTo(ip, number, reusePort)
	if host == "" && (errors.Is(err, unix.EAFNOSUPPORT) || errors.Is(err, unix.EADDRNOTAVAIL)) {
		err = bindTo(netip.IPv4Unspecified(), number, reusePort)
	}
	return err
}

func resolve(host string) (netip.Addr, error) {
	if ip, err := netip.ParseAddr(host); err == nil {
		return ip.Unmap(), nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), resolveTime)
	defer cancel()
	ips, err := net.DefaultResolver.LookupNetIP(ctx, "ip", host)
	if err != nil {
		return netip.Addr{}, fmt.Errorf("cannot look up host %q: %w", host, err)
	}
	for _, ip := range ips {
		if ip.Unmap().Is4() {
			return ip.Unmap(), nil
		}
	}
	if len(ips) == 0 {
		return netip.Addr{}, fmt.Errorf("host %q has no address", host)
	}
	return ips[0], nil
}

func bindTo(ip netip.Addr, port int, reusePort bool) error {
	family, address := unix.AF_INET6, unix.Sockaddr(&unix.SockaddrInet6{Port: port, Addr: ip.As16()})
	if ip.Is4() {
		family, address = unix.AF_INET, &unix.SockaddrInet4{Port: port, Addr: ip.As4()}
	}
	fd, err := unix.Socket(family, unix.SOCK_STREAM, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	unix.CloseOnExec(fd)
	if err := unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_REUSEADDR, 1); err != nil {
		return err
	}
	if reusePort {
		if err := unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_REUSEPORT, 1); err != nil {
			return err
		}
	}
	return unix.Bind(fd, address)
}

// served reads the kernel's list, so that the server there notices nothing. The list has names as
// they were bound; a server of ours binds six characters more.
func served(path string) bool {
	f, err := os.Open("/proc/net/unix")
	if err != nil {
		return dialed(path)
	}
	defer f.Close()
	const listening = "00010000"
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		// Num RefCount Protocol Flags Type St Inode Path
		fields := strings.Fields(lines.Text())
		if len(fields) < 8 || fields[3] != listening {
			continue
		}
		name := strings.Join(fields[7:], " ")
		const suffix = len(".123456")
		if name == path || filepath.Base(name) == filepath.Base(path) ||
			len(name) == len(path)+suffix && strings.HasPrefix(name, path+".") {
			return path[0] == '@' && name == path || dialed(path)
		}
	}
	return false
}

// dialed asks the socket itself. It is called only if somebody seems to be there.
func dialed(path string) bool {
	conn, err := net.DialTimeout("unix", path, time.Second)
	if err != nil {
		return false
	}
	_ = conn.Close()
	return true
}

// limits returns the limits of this process, which a server started from here would have.
func limits(as privilege.Identity) Limits {
	l := Limits{Files: -1, MostFiles: -1, Processes: -1, Loops: loops()}
	var r unix.Rlimit
	if unix.Getrlimit(unix.RLIMIT_NOFILE, &r) == nil {
		// Go has raised its own to the hard limit; children get the former one.
		l.Files, l.MostFiles = bounded(r.Cur), bounded(r.Max)
	}
	uid := as.UID
	if uid < 0 {
		uid = os.Geteuid()
	}
	if uid != 0 { // root may have as many as there are
		l.Processes, l.Running = processLimit(), threadsOf(uid)
	}
	return l
}

// bounded returns a limit, -1 for none. FreeBSD counts limits in signed numbers.
func bounded[N int64 | uint64](n N) int64 {
	if n < 0 || n > 1<<40 {
		return -1
	}
	return int64(n)
}

// threadsOf returns the number of threads of a user.
func threadsOf(uid int) (n int64) {
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return 0
	}
	for _, e := range entries {
		if e.Name()[0] < '0' || e.Name()[0] > '9' {
			continue
		}
		var st unix.Stat_t
		if unix.Stat("/proc/"+e.Name(), &st) != nil || int(st.Uid) != uid {
			continue
		}
		if tasks, err := os.ReadDir("/proc/" + e.Name() + "/task"); err == nil {
			n += int64(len(tasks))
		}
	}
	return n
}

// access asks for the caller, or for another user.
func access(as privilege.Identity, name string, mode uint32) error {
	if os.Geteuid() != 0 || as.UID < 0 && as.GID < 0 {
		return unix.Access(name, mode)
	}
	return accessAs(as, name, mode)
}
