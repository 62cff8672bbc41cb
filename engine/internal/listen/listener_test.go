package listen

import (
	"errors"
	"fmt"
	"net"
	"os"
	"os/user"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// patience is how long a test waits for what should happen at once.
const patience = 5 * time.Second

func open(t *testing.T, address string, o Options) *Listener {
	t.Helper()
	a, err := Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	l, err := Open(a, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	return l
}

// acceptOne waits for one connection.
func acceptOne(t *testing.T, fd int, peer *Peer) int {
	t.Helper()
	poll := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}
	for deadline := time.Now().Add(patience); ; {
		nfd, err := Accept(fd, peer)
		if err == nil {
			t.Cleanup(func() { _ = unix.Close(nfd) })
			return nfd
		}
		if !errors.Is(err, unix.EAGAIN) || time.Now().After(deadline) {
			t.Fatalf("Accept: %v", err)
		}
		_, _ = unix.Poll(poll, 100)
	}
}

func dial(t *testing.T, network, address string) net.Conn {
	t.Helper()
	c, err := net.DialTimeout(network, address, patience)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c
}

func flags(t *testing.T, fd int) (nonblock, cloexec bool) {
	t.Helper()
	status, err := unix.FcntlInt(uintptr(fd), unix.F_GETFL, 0)
	if err != nil {
		t.Fatal(err)
	}
	descriptor, err := unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0)
	if err != nil {
		t.Fatal(err)
	}
	return status&unix.O_NONBLOCK != 0, descriptor&unix.FD_CLOEXEC != 0
}

func hasIPv6(t *testing.T) bool {
	t.Helper()
	l, err := net.Listen("tcp6", "[::1]:0")
	if err != nil {
		return false
	}
	_ = l.Close()
	return true
}

func TestOpenTCP(t *testing.T) {
	tests := []struct {
		name, address string
		dial          string // host to connect to
		wantPeer      string
		needIPv6      bool
	}{
		{name: "ipv4", address: "127.0.0.1:0", dial: "127.0.0.1", wantPeer: "127.0.0.1"},
		{name: "host_name", address: "localhost:0", dial: "127.0.0.1", wantPeer: "127.0.0.1"},
		{name: "any_by_ipv4", address: ":0", dial: "127.0.0.1", wantPeer: "127.0.0.1"},
		{name: "any_by_ipv6", address: ":0", dial: "::1", wantPeer: "::1", needIPv6: true},
		{name: "any6_by_ipv4", address: "[::]:0", dial: "127.0.0.1", wantPeer: "127.0.0.1", needIPv6: true},
		{name: "ipv6", address: "[::1]:0", dial: "::1", wantPeer: "::1", needIPv6: true},
		{name: "mapped", address: "[::ffff:127.0.0.1]:0", dial: "127.0.0.1", wantPeer: "127.0.0.1"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if tt.needIPv6 && !hasIPv6(t) {
				t.Skip("no IPv6 here")
			}
			l := open(t, tt.address, Options{})
			if l.Address.Port == 0 {
				t.Fatal("the port that the kernel chose is not told")
			}
			if want := strings.TrimSuffix(tt.address, "0") + fmt.Sprint(l.Address.Port); l.String() != want {
				t.Errorf("String() = %q, want %q", l, want)
			}
			if nonblock, cloexec := flags(t, l.FD); !nonblock || !cloexec {
				t.Errorf("listener: nonblock %v, cloexec %v; want both", nonblock, cloexec)
			}

			c := dial(t, "tcp", net.JoinHostPort(tt.dial, fmt.Sprint(l.Address.Port)))
			var peer Peer
			fd := acceptOne(t, l.FD, &peer)
			if nonblock, cloexec := flags(t, fd); !nonblock || !cloexec {
				t.Errorf("connection: nonblock %v, cloexec %v; want both", nonblock, cloexec)
			}
			if got := string(peer.AppendAddr([]byte("addr "))); got != "addr "+tt.wantPeer {
				t.Errorf("AppendAddr = %q, want %q", got, "addr "+tt.wantPeer)
			}
			if want := c.LocalAddr().(*net.TCPAddr).Port; int(peer.Port) != want {
				t.Errorf("peer port = %d, want %d", peer.Port, want)
			}
			nodelay, err := unix.GetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_NODELAY)
			if err != nil {
				t.Fatal(err)
			}
			if nodelay == 0 && !l.SetNoDelay {
				t.Error("a connection has no TCP_NODELAY and SetNoDelay does not ask for it")
			}
		})
	}
}

func TestOpenIPv6OnlyLeavesIPv4(t *testing.T) {
	if !hasIPv6(t) {
		t.Skip("no IPv6 here")
	}
	six := open(t, "[::1]:0", Options{})
	open(t, fmt.Sprintf("127.0.0.1:%d", six.Address.Port), Options{})
}

func TestOpenTCPErrors(t *testing.T) {
	taken := open(t, "127.0.0.1:0", Options{})
	tests := []struct {
		name    string
		give    Address
		wantIs  error
		wantSay string
	}{
		{"in_use", taken.Address, unix.EADDRINUSE, "another program has port"},
		{"not_ours", Address{Host: "192.0.2.1", Port: 1}, unix.EADDRNOTAVAIL, "no interface of this machine"},
		{"no_zone", Address{Host: "fe80::1%nosuchinterface", Port: 1}, nil, `no interface is named "nosuchinterface"`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			l, err := Open(tt.give, Options{})
			if err == nil {
				_ = l.Close()
				t.Fatal("no error")
			}
			if tt.wantIs != nil && !errors.Is(err, tt.wantIs) {
				t.Errorf("error %q is not %v", err, tt.wantIs)
			}
			for _, want := range []string{"listen on " + tt.give.String() + ": ", tt.wantSay} {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("error %q does not say %q", err, want)
				}
			}
		})
	}
}

func TestReusePort(t *testing.T) {
	first := open(t, "127.0.0.1:0", Options{ReusePort: true})
	open(t, first.String(), Options{ReusePort: true})
	if l, err := Open(first.Address, Options{}); !errors.Is(err, unix.EADDRINUSE) {
		t.Errorf("Open without ReusePort = %v, %v; want EADDRINUSE", l, err)
	}
}

func TestBacklog(t *testing.T) {
	tests := []struct {
		name        string
		want, limit int
		wantN       int
		wantClamped bool
	}{
		{"default", 0, 4096, 4096, false},
		{"smaller", 100, 4096, 100, false},
		{"equal", 4096, 4096, 4096, false},
		{"larger", 5000, 4096, 4096, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if n, clamped := clampBacklog(tt.want, tt.limit); n != tt.wantN || clamped != tt.wantClamped {
				t.Errorf("clampBacklog = %d, %v; want %d, %v", n, clamped, tt.wantN, tt.wantClamped)
			}
		})
	}
	l := open(t, "127.0.0.1:0", Options{Backlog: 1 << 30})
	if !l.Clamped || l.Backlog != maxBacklog() {
		t.Errorf("a backlog of 1<<30 became %d, clamped %v; want %d, true", l.Backlog, l.Clamped, maxBacklog())
	}
}

func TestCloseTwice(t *testing.T) {
	l := open(t, "127.0.0.1:0", Options{})
	if err := l.Close(); err != nil || l.FD != -1 {
		t.Fatalf("Close = %v, FD = %d", err, l.FD)
	}
	if err := l.Close(); err != nil {
		t.Errorf("second Close = %v", err)
	}
}

// checkOnly fails unless dir holds these files and nothing else: no private name
// may be left behind.
func checkOnly(t *testing.T, dir string, want ...string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, e := range entries {
		got = append(got, e.Name())
	}
	if !slices.Equal(got, want) {
		t.Errorf("the directory holds %q, want %q", got, want)
	}
}

func TestOpenUnix(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "app.sock")
	l := open(t, path, Options{})
	checkOnly(t, dir, "app.sock")
	if l.String() != path {
		t.Errorf("String() = %q, want %q", l, path)
	}
	if nonblock, cloexec := flags(t, l.FD); !nonblock || !cloexec {
		t.Errorf("listener: nonblock %v, cloexec %v; want both", nonblock, cloexec)
	}
	dial(t, "unix", path)
	peer := Peer{Family: FamilyInet4, Port: 9}
	acceptOne(t, l.FD, &peer)
	if peer != (Peer{}) || len(peer.AppendAddr(nil)) != 0 {
		t.Errorf("peer = %+v, want the zero Peer and no address", peer)
	}
	if removed, err := l.Unlink(); !removed || err != nil {
		t.Errorf("Unlink = %v, %v; want true", removed, err)
	}
	checkOnly(t, dir)
	if removed, err := l.Unlink(); removed || err != nil {
		t.Errorf("second Unlink = %v, %v; want false", removed, err)
	}
}

func TestOpenUnixRelative(t *testing.T) {
	t.Chdir(t.TempDir())
	l := open(t, "app.sock", Options{Mode: 0o600})
	checkOnly(t, ".", "app.sock")
	dial(t, "unix", "app.sock")
	var peer Peer
	acceptOne(t, l.FD, &peer)
}

func TestOpenUnixLongestPath(t *testing.T) {
	for _, base := range []string{"s", "app.sock"} {
		t.Run(base, func(t *testing.T) {
			dir := t.TempDir()
			room := MaxPath - len(dir) - 2 - len(base)
			if room < 1 {
				t.Skipf("the temporary directory's name is too long: %s", dir)
			}
			dir = filepath.Join(dir, strings.Repeat("d", room))
			if err := os.Mkdir(dir, 0o700); err != nil {
				t.Fatal(err)
			}
			path := filepath.Join(dir, base)
			if len(path) != MaxPath {
				t.Fatalf("the path has %d bytes, not %d", len(path), MaxPath)
			}
			open(t, path, Options{})
			checkOnly(t, dir, base)
			dial(t, "unix", path)
		})
	}
}

func TestOpenUnixOwner(t *testing.T) {
	me, err := user.Current()
	if err != nil {
		t.Skip(err)
	}
	uid, gid := os.Getuid(), os.Getgid()
	wantOther := 4321
	tests := []struct {
		name, owner      string
		needRoot         bool
		wantUID, wantGID int
	}{
		{"user_id", fmt.Sprint(uid), false, uid, gid},
		{"user_and_group_id", fmt.Sprintf("%d:%d", uid, gid), false, uid, gid},
		{"user_name", me.Username, false, uid, gid},
		{"group_alone", fmt.Sprintf(":%d", gid), false, uid, gid},
		{"another", "4321:4321", true, wantOther, wantOther},
		{"another_user", "4321", true, wantOther, gid},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if tt.needRoot && uid != 0 {
				t.Skip("only root can give files away")
			}
			path := filepath.Join(t.TempDir(), "app.sock")
			open(t, path, Options{Owner: tt.owner, Mode: 0o640})
			fi, err := os.Stat(path)
			if err != nil {
				t.Fatal(err)
			}
			st := fi.Sys().(*syscall.Stat_t)
			if int(st.Uid) != tt.wantUID || int(st.Gid) != tt.wantGID {
				t.Errorf("owner = %d:%d, want %d:%d", st.Uid, st.Gid, tt.wantUID, tt.wantGID)
			}
			if got := fi.Mode().Perm(); got != 0o640 {
				t.Errorf("mode = %o, want 640", got)
			}
		})
	}
}

// TestOpenUnixFirstSight looks at the path from another thread for as long as
// sockets are made there: no other mode than the one asked for may ever be seen,
// and whoever sees the path must be able to connect.
func TestOpenUnixFirstSight(t *testing.T) {
	const rounds, mode = 200, 0o666
	path := filepath.Join(t.TempDir(), "app.sock")
	a := Address{Kind: Unix, Path: path}
	old := unix.Umask(0o077)
	t.Cleanup(func() { unix.Umask(old) })

	var stop atomic.Bool
	var seen, refused, wrong atomic.Int64
	watching, watched := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(watched)
		close(watching)
		for !stop.Load() {
			fi, err := os.Lstat(path)
			if err != nil {
				continue
			}
			seen.Add(1)
			if fi.Mode().Perm() != mode {
				wrong.Add(1)
			}
			if c, err := net.Dial("unix", path); err == nil {
				_ = c.Close()
			} else if errors.Is(err, unix.ECONNREFUSED) {
				refused.Add(1)
			}
		}
	}()
	<-watching
	deadline := time.Now().Add(patience)
	for i := 0; i < rounds || seen.Load() == 0 && time.Now().Before(deadline); i++ {
		l, err := Open(a, Options{Mode: mode})
		if err != nil {
			t.Fatal(err)
		}
		// It goes on listening while its file makes room for the next, so that a
		// refusal can only mean that the path was there too early.
		t.Cleanup(func() { _ = l.Close() })
		if removed, err := l.Unlink(); !removed || err != nil {
			t.Fatalf("Unlink = %v, %v", removed, err)
		}
		runtime.Gosched()
	}
	stop.Store(true)
	<-watched
	if seen.Load() == 0 {
		t.Fatal("the other thread never saw the path")
	}
	if wrong.Load() > 0 {
		t.Errorf("%d of %d looks saw another mode", wrong.Load(), seen.Load())
	}
	if refused.Load() > 0 {
		t.Errorf("%d of %d looks saw a path that refused to connect", refused.Load(), seen.Load())
	}
}

func TestOpenUnixReplacesStale(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "app.sock")
	dead := open(t, path, Options{})
	if err := dead.Close(); err != nil {
		t.Fatal(err)
	}
	l := open(t, path, Options{})
	checkOnly(t, dir, "app.sock")
	dial(t, "unix", path)
	var peer Peer
	acceptOne(t, l.FD, &peer)

	if removed, err := dead.Unlink(); removed || err != nil {
		t.Errorf("Unlink of the predecessor = %v, %v; it must not remove its successor's file", removed, err)
	}
	checkOnly(t, dir, "app.sock")
}

func TestOpenUnixRefuses(t *testing.T) {
	tests := []struct {
		name    string
		prepare func(t *testing.T, path string)
		options Options
		wantIs  error
		wantSay string
		keeps   bool // what prepare made is still there
	}{
		{
			name:    "live_server",
			prepare: func(t *testing.T, path string) { open(t, path, Options{}) },
			wantIs:  unix.EADDRINUSE, wantSay: "address already in use: a server answers on", keeps: true,
		},
		{
			name: "live_server_with_full_backlog",
			prepare: func(t *testing.T, path string) {
				if runtime.GOOS != "linux" {
					t.Skip("elsewhere a full backlog refuses, like a stale socket")
				}
				open(t, path, Options{Backlog: 1})
				for range 2 { // the kernel lets one more wait than it was told
					dial(t, "unix", path)
				}
			},
			wantIs: unix.EADDRINUSE, wantSay: "a server answers on", keeps: true,
		},
		{
			name: "directory",
			prepare: func(t *testing.T, path string) {
				if err := os.Mkdir(path, 0o700); err != nil {
					t.Fatal(err)
				}
			},
			wantIs: unix.EEXIST, wantSay: "there is a directory at that path", keeps: true,
		},
		{
			name: "regular_file",
			prepare: func(t *testing.T, path string) {
				if err := os.WriteFile(path, []byte("precious"), 0o600); err != nil {
					t.Fatal(err)
				}
			},
			wantIs: unix.EEXIST, wantSay: "there is a regular file at that path", keeps: true,
		},
		{
			name: "symbolic_link",
			prepare: func(t *testing.T, path string) {
				if err := os.Symlink("elsewhere", path); err != nil {
					t.Fatal(err)
				}
			},
			wantIs: unix.EEXIST, wantSay: "there is a symbolic link at that path", keeps: true,
		},
		{
			name:    "unknown_user",
			options: Options{Owner: "no-such-user"},
			wantSay: `there is no user "no-such-user"`,
		},
		{
			name:    "unknown_group",
			options: Options{Owner: "0:no-such-group"},
			wantSay: `there is no group "no-such-group"`,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			dir := t.TempDir()
			path := filepath.Join(dir, "app.sock")
			if tt.prepare != nil {
				tt.prepare(t, path)
			}
			before, _ := os.Lstat(path)
			l, err := Open(Address{Kind: Unix, Path: path}, tt.options)
			if err == nil {
				_ = l.Close()
				t.Fatal("no error")
			}
			if tt.wantIs != nil && !errors.Is(err, tt.wantIs) {
				t.Errorf("error %q is not %v", err, tt.wantIs)
			}
			if !strings.Contains(err.Error(), tt.wantSay) {
				t.Errorf("error %q does not say %q", err, tt.wantSay)
			}
			if tt.keeps {
				checkOnly(t, dir, "app.sock")
				if after, err := os.Lstat(path); err != nil || !os.SameFile(before, after) {
					t.Errorf("the file was touched: %v", err)
				}
			} else {
				checkOnly(t, dir)
			}
		})
	}
}

func TestOpenUnixNoDirectory(t *testing.T) {
	path := filepath.Join(t.TempDir(), "missing", "app.sock")
	_, err := Open(Address{Kind: Unix, Path: path}, Options{})
	if !errors.Is(err, unix.ENOENT) || !strings.Contains(err.Error(), "create it") {
		t.Errorf("Open = %v; want ENOENT and advice", err)
	}
}

// TestPublishFailsClean puts a directory at the path after it was found free.
func TestPublishFailsClean(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "app.sock")
	fd, err := socket(unix.AF_UNIX)
	if err != nil {
		t.Fatal(err)
	}
	l := &Listener{FD: fd, Address: Address{Kind: Unix, Path: path}}
	t.Cleanup(func() { _ = l.Close() })
	private, err := bindPrivate(fd, path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(path, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := l.publish(private, -1, -1, 0); err == nil {
		t.Error("a directory was replaced")
	}
	checkOnly(t, dir, "app.sock")
	if removed, err := l.Unlink(); removed || err != nil {
		t.Errorf("Unlink = %v, %v; want false", removed, err)
	}
	if fi, err := os.Stat(path); err != nil || !fi.IsDir() {
		t.Errorf("the directory is gone: %v, %v", fi, err)
	}
}

func TestOpenAbstract(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("Linux only")
	}
	name := fmt.Sprintf("@uwsgo-test-%d", os.Getpid())
	l := open(t, name, Options{Mode: 0o600, Owner: "0"}) // neither means anything here
	if l.String() != name {
		t.Errorf("String() = %q, want %q", l, name)
	}
	dial(t, "unix", name)
	var peer Peer
	acceptOne(t, l.FD, &peer)
	if _, err := Open(l.Address, Options{}); !errors.Is(err, unix.EADDRINUSE) {
		t.Errorf("second Open = %v, want EADDRINUSE", err)
	}
	if removed, err := l.Unlink(); removed || err != nil {
		t.Errorf("Unlink = %v, %v; there is no file", removed, err)
	}
}

func TestAdopt(t *testing.T) {
	dir := t.TempDir()
	for _, address := range []string{"127.0.0.1:0", "[::1]:0", filepath.Join(dir, "app.sock"), "@uwsgo-adopt-" + fmt.Sprint(os.Getpid())} {
		t.Run(address, func(t *testing.T) {
			if address[0] == '@' && runtime.GOOS != "linux" {
				t.Skip("Linux only")
			}
			if address[0] == '[' && !hasIPv6(t) {
				t.Skip("no IPv6 here")
			}
			made := open(t, address, Options{})
			fd, err := unix.Dup(made.FD) // without close-on-exec, as systemd hands it over
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = unix.Close(fd) })
			if err := unix.SetNonblock(fd, false); err != nil {
				t.Fatal(err)
			}
			l, err := Adopt(fd)
			if err != nil {
				t.Fatal(err)
			}
			want := made.Address
			if want.Kind == Unix && strings.HasPrefix(l.Address.Path, want.Path+".") {
				want.Path = l.Address.Path // the private name
			}
			if l.FD != fd || l.Address != want {
				t.Errorf("adopted %d at %+v, want %d at %+v", l.FD, l.Address, fd, want)
			}
			if nonblock, cloexec := flags(t, fd); !nonblock || !cloexec {
				t.Errorf("nonblock %v, cloexec %v; want both", nonblock, cloexec)
			}
			if removed, err := l.Unlink(); removed || err != nil {
				t.Errorf("Unlink = %v, %v; the file is its maker's", removed, err)
			}
			if made.Address.Kind == TCP {
				dial(t, "tcp", made.String())
			} else {
				dial(t, "unix", made.String())
			}
			var peer Peer
			acceptOne(t, fd, &peer)
		})
	}
}

func TestAdoptRefuses(t *testing.T) {
	newSocket := func(typ int) func(t *testing.T) int {
		return func(t *testing.T) int {
			fd, err := unix.Socket(unix.AF_INET, typ, 0)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = unix.Close(fd) })
			return fd
		}
	}
	tests := []struct {
		name    string
		fd      func(t *testing.T) int
		wantSay string
	}{
		{"not_open", func(*testing.T) int { return -1 }, "no socket"},
		{"file", func(t *testing.T) int {
			f, err := os.Open(os.DevNull)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = f.Close() })
			return int(f.Fd())
		}, "no socket"},
		{"datagram", newSocket(unix.SOCK_DGRAM), "stream socket"},
		{"not_listening", newSocket(unix.SOCK_STREAM), "does not listen"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if _, err := Adopt(tt.fd(t)); err == nil || !strings.Contains(err.Error(), tt.wantSay) {
				t.Errorf("Adopt = %v, want an error with %q", err, tt.wantSay)
			}
		})
	}
}

func TestAcceptNothing(t *testing.T) {
	l := open(t, "127.0.0.1:0", Options{})
	var peer Peer
	if fd, err := Accept(l.FD, &peer); fd != -1 || err != unix.EAGAIN {
		t.Errorf("Accept = %d, %v; want -1, EAGAIN", fd, err)
	}
}

func TestInherit(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "app.sock")
	for _, tt := range []struct {
		name, address, as string
		wantErr           bool
		owns              bool
	}{
		{name: "path", address: path, as: path, owns: true},
		{name: "file_gone", address: filepath.Join(dir, "b.sock"), as: filepath.Join(dir, "missing.sock")},
		{name: "tcp", address: "127.0.0.1:0", as: ":8080"},
		{name: "another_kind", address: "127.0.0.1:0", as: path, wantErr: true},
		{name: "no_address", address: "127.0.0.1:0", as: "8080", wantErr: true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			fd, err := unix.Dup(open(t, tt.address, Options{}).FD)
			if err != nil {
				t.Fatal(err)
			}
			l, err := Adopt(fd)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = l.Close() })
			if err := l.Inherit(tt.as); (err != nil) != tt.wantErr {
				t.Fatalf("Inherit: %v", err)
			}
			if !tt.wantErr && l.String() != tt.as {
				t.Errorf("it is at %s, want %s", l, tt.as)
			}
			if l.OwnsFile() != tt.owns {
				t.Errorf("it owns its file: %v, want %v", l.OwnsFile(), tt.owns)
			}
		})
	}
}
