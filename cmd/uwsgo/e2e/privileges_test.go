package e2e

import (
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
)

// whoApp answers with the user, group and further groups of its process, and whether it
// can read what is root's.
const whoApp = `
import os

def application(environ, start_response):
    try:
        open("secret").close()
        secret = "readable"
    except PermissionError:
        secret = "hidden"
    groups = ",".join(str(g) for g in sorted(os.getgroups()))
    body = f"{os.getresuid()} {os.getresgid()} [{groups}] {secret} {os.getpid()}".encode()
    start_response("200 OK", [("Content-Length", str(len(body)))])
    return [body]
`

// publicDir is a directory that other users can enter, with whoApp and a file that is
// root's alone; the test is skipped where that cannot be tried.
func publicDir(t *testing.T) (dir string, nobody *user.User) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("SKIP: only root can become another user")
	}
	nobody, err := user.Lookup("nobody")
	if err != nil {
		t.Skipf("SKIP: %v", err)
	}
	dir = shortTempDir(t)
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	readable(t, write(t, dir, "app.py", whoApp))
	write(t, dir, "secret", "")
	return dir, nobody
}

func readable(t *testing.T, path string) {
	t.Helper()
	if err := os.Chmod(path, 0o644); err != nil {
		t.Fatal(err)
	}
}

// needPython skips the test where other users can run no Python.
func needPython(t *testing.T, nobody *user.User) {
	t.Helper()
	cmd := exec.Command("/bin/sh", "-c", "command -v python3 && python3 -c 1")
	cmd.Dir = "/"
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: credential(t, nobody)}
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Skipf("SKIP: no python3 that %s may run: %v %s", nobody.Username, err, out)
	}
}

func credential(t *testing.T, u *user.User) *syscall.Credential {
	t.Helper()
	uid, err1 := strconv.ParseUint(u.Uid, 10, 32)
	gid, err2 := strconv.ParseUint(u.Gid, 10, 32)
	if err1 != nil || err2 != nil {
		t.Fatal(err1, err2)
	}
	return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
}

func ownerOf(t *testing.T, path string) string {
	t.Helper()
	info, err := os.Lstat(path)
	if err != nil {
		t.Fatal(err)
	}
	st := info.Sys().(*syscall.Stat_t)
	return fmt.Sprintf("%d:%d", st.Uid, st.Gid)
}

func TestUID(t *testing.T) {
	dir, nobody := publicDir(t)
	needPython(t, nobody)
	port := freePort(t)
	base := "http://127.0.0.1:" + port
	s := start(t, dir, "--http", ":"+port, "--http-socket", "app.sock", "--stats", "./stats.sock", "--pidfile", "app.pid", "--logto", "app.log",
		"--wsgi-file", "app.py", "--processes", "2", "--uid", "nobody", "--add-gid", "12345")
	ids := nobody.Uid + ", " + nobody.Uid + ", " + nobody.Uid
	gids := nobody.Gid + ", " + nobody.Gid + ", " + nobody.Gid
	a := s.waitAnswer(t, base+"/", 200)
	if want := "(" + ids + ") (" + gids + ")"; !strings.HasPrefix(a.body, want) || !strings.Contains(a.body, "hidden") {
		t.Errorf("the app runs as %s, want %s, and the file of root hidden", a.body, want)
	}
	if !regexp.MustCompile(`\[(\d+,)*12345(,\d+)*\]`).MatchString(a.body) {
		t.Errorf("groups %s, want 12345 among them", a.body)
	}
	// Every thread of every process, so that none of them can be used to get root back.
	for _, pid := range s.processes() {
		tasks, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/status", pid))
		for _, path := range tasks {
			text, err := os.ReadFile(path)
			if err != nil {
				continue // it has ended
			}
			for _, line := range []string{"\nUid:\t" + strings.ReplaceAll(ids, ", ", "\t") + "\t", "\nGid:\t" + strings.ReplaceAll(gids, ", ", "\t") + "\t"} {
				if !strings.Contains(string(text), line) {
					t.Errorf("%s has no line %q", path, line)
				}
			}
		}
	}
	for path, want := range map[string]string{
		"app.sock": nobody.Uid + ":" + nobody.Gid, "stats.sock": nobody.Uid + ":" + nobody.Gid, "app.pid": "0:0", "app.log": "0:0",
	} {
		if got := ownerOf(t, filepath.Join(dir, path)); got != want {
			t.Errorf("%s belongs to %s, want %s", path, got, want)
		}
	}
	log, err := os.ReadFile(filepath.Join(dir, "app.log"))
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(log), "as root") || !strings.Contains(string(log), "setuid() to "+nobody.Uid) {
		t.Errorf("the log says:\n%s", log)
	}
	// A worker that dies is replaced by one of that user too.
	fields := strings.Fields(a.body)
	victim, err := strconv.Atoi(fields[len(fields)-1])
	if err != nil {
		t.Fatal(err)
	}
	if err := syscall.Kill(victim, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	eventually(t, "a new worker", func() error {
		log, err := os.ReadFile(filepath.Join(dir, "app.log"))
		if err == nil && !strings.Contains(string(log), "Respawned uWSGI worker") {
			err = fmt.Errorf("none yet")
		}
		return err
	})
	for range 4 {
		if a := get(t, base+"/"); !strings.HasPrefix(a.body, "("+ids+")") {
			t.Errorf("afterwards the app runs as %s", a.body)
		}
	}
}

// The groups are root's no more, also with gid alone, and chown-socket has the last word.
// The log is opened as root, in a directory where the app's user may put links.
func TestLogOfUser(t *testing.T) {
	dir, nobody := publicDir(t)
	for _, c := range []struct {
		name string
		link func(from, to string) error
	}{
		{"symbolic", os.Symlink},
		{"hard", os.Link},
	} {
		t.Run(c.name, func(t *testing.T) {
			logs := filepath.Join(dir, c.name)
			if err := os.Mkdir(logs, 0o700); err != nil {
				t.Fatal(err)
			}
			if err := os.Chown(logs, int(credential(t, nobody).Uid), -1); err != nil {
				t.Fatal(err)
			}
			if err := c.link(filepath.Join(dir, "secret"), filepath.Join(logs, "log")); err != nil {
				t.Fatal(err)
			}
			refusal{[]string{"--http", "127.0.0.1:0", "--wsgi-file", "app.py", "--uid", "nobody", "--logto", filepath.Join(logs, "log")}, exitConfig, []string{"log target", c.name}}.check(t, dir)
			if info, err := os.Stat(filepath.Join(dir, "secret")); err != nil || info.Size() != 0 {
				t.Errorf("root's file was written: %v, %v", info, err)
			}
		})
	}
}

func TestGID(t *testing.T) {
	dir, nobody := publicDir(t)
	needPython(t, nobody)
	s := start(t, dir, "--http-socket", "app.sock", "--chown-socket", "0:54321", "--wsgi-file", "app.py", "--uid", nobody.Uid+" ; web", "--gid", "12345", "--no-initgroups")
	path := filepath.Join(dir, "app.sock")
	eventually(t, "an answer", func() error { _, err := overUnix(path); return err })
	s.waitLog(t, "setgid() to 12345")
	if got := ownerOf(t, path); got != "0:54321" {
		t.Errorf("the socket belongs to %s", got)
	}
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", s.pid()))
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(status), "\nGid:\t12345\t12345\t12345\t12345\n") || !regexp.MustCompile(`\nGroups:\s*\n`).Match(status) {
		t.Errorf("status of the server:\n%s", status)
	}
}

func TestPrivilegesRefused(t *testing.T) {
	for _, tt := range []struct {
		name string
		refusal
	}{
		{"unknown_user", refusal{[]string{"--uid", "no-such-user"}, exitConfig, []string{"uid", "no-such-user"}}},
		{"unknown_group", refusal{[]string{"--gid", "no-such-group"}, exitConfig, []string{"gid", "no-such-group"}}},
		{"number_without_group", refusal{[]string{"--uid", "1987654321"}, exitConfig, []string{"add gid"}}},
		{"bad_umask", refusal{[]string{"--umask", "9"}, exitConfig, []string{"umask", `"9"`}}},
		{"unknown_owner_of_socket", refusal{[]string{"--chown-socket", "no-such-user"}, exitConfig, []string{"no-such-user"}}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			dir := shortTempDir(t)
			write(t, dir, "app.py", plainApp)
			tt.args = append(tt.args, "--socket", "left.sock", "--pidfile", "left.pid", "--wsgi-file", "app.py")
			tt.check(t, dir)
		})
	}
}

func TestPrivilegesWithoutRoot(t *testing.T) {
	dir, nobody := publicDir(t)
	for _, tt := range []struct {
		name string
		args []string
		says string
	}{
		{"uid", []string{"--uid", "root"}, "only root can become user 0"},
		{"gid", []string{"--gid", "0"}, "only root can become group 0"},
		{"chroot", []string{"--chroot", dir}, "chroot: only root"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			cmd := command(dir, append(tt.args, "--http", "127.0.0.1:0", "--check-static", dir)...)
			cmd.SysProcAttr.Credential = credential(t, nobody)
			s := launch(t, cmd)
			if err := s.wait(t); err == nil || cmd.ProcessState.ExitCode() != exitConfig {
				t.Errorf("exit: %v, want code %d", err, exitConfig)
			}
			if !strings.Contains(s.log.String(), tt.says) {
				t.Errorf("it does not say %q", tt.says)
			}
		})
	}
	t.Run("already_that_user", func(t *testing.T) {
		port := freePort(t)
		cmd := command(dir, "--uid", "nobody", "--gid", nobody.Gid, "--http", ":"+port, "--check-static", dir)
		cmd.SysProcAttr.Credential = credential(t, nobody)
		launch(t, cmd).waitAnswer(t, "http://127.0.0.1:"+port+"/app.py", 200)
	})
}

// What is to drop root before anything else cannot make a socket where only root may.
func TestImmediateUID(t *testing.T) {
	dir, _ := publicDir(t)
	refusal{[]string{"--immediate-uid", "nobody", "--socket", "left.sock", "--wsgi-file", "app.py"}, exitConfig, []string{"left.sock", "this user may not"}}.check(t, dir)
}

func TestUmask(t *testing.T) {
	dir := shortTempDir(t)
	write(t, dir, "app.py", plainApp)
	start(t, dir, "--http-socket", "app.sock", "--pidfile", "app.pid", "--umask", "027", "--wsgi-file", "app.py")
	path := filepath.Join(dir, "app.sock")
	eventually(t, "an answer", func() error { _, err := overUnix(path); return err })
	for name, want := range map[string]os.FileMode{"app.sock": 0o750, "app.pid": 0o640} {
		info, err := os.Lstat(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		if info.Mode().Perm() != want {
			t.Errorf("%s has mode %o, want %o", name, info.Mode().Perm(), want)
		}
	}
}

// Python is looked for, and the app loaded, below the new root and as the user.
func TestChrootWithPython(t *testing.T) {
	dir, nobody := publicDir(t)
	needPython(t, nobody)
	port := freePort(t)
	s := start(t, "/", "--http", ":"+port, "--uid", "nobody", "--chroot", "/", "--chdir", dir, "--wsgi-file", "app.py")
	if a := s.waitAnswer(t, "http://127.0.0.1:"+port+"/", 200); !strings.HasPrefix(a.body, "("+nobody.Uid) {
		t.Errorf("the app runs as %s", a.body)
	}
}

// A daemon with all that its user needs: what root has made goes as far as that user may.
func TestDaemonOfUser(t *testing.T) {
	dir, nobody := publicDir(t)
	needPython(t, nobody)
	own := filepath.Join(dir, "own")
	if err := os.Mkdir(own, 0o755); err != nil {
		t.Fatal(err)
	}
	id := credential(t, nobody)
	if err := os.Chown(own, int(id.Uid), int(id.Gid)); err != nil {
		t.Fatal(err)
	}
	s := start(t, dir, "--http-socket", "own/app.sock", "--pidfile", "root.pid", "--pidfile2", "own/2.pid", "--safe-pidfile", "own/safe.pid",
		"--master-fifo", "own/fifo", "--wsgi-file", "app.py", "--uid", "nobody", "--vacuum", "--daemonize", "app.log", "--auto-procname")
	if err := s.wait(t); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(own, "app.sock")
	if status, err := overUnix(path); err != nil || status != 200 {
		t.Errorf("%d, %v", status, err)
	}
	for _, name := range []string{"app.sock", "2.pid", "safe.pid", "fifo"} {
		if got := ownerOf(t, filepath.Join(own, name)); got != nobody.Uid+":"+nobody.Gid {
			t.Errorf("%s belongs to %s", name, got)
		}
	}
	tell(t, filepath.Join(own, "fifo"), "q")
	s.noOrphans(t)
	if left, err := os.ReadDir(own); err != nil || len(left) > 0 {
		t.Errorf("vacuum left %v, %v", left, err)
	}
	log, err := os.ReadFile(filepath.Join(dir, "app.log"))
	if err != nil || !strings.Contains(string(log), "VACUUM: remove "+filepath.Join(dir, "root.pid")) {
		t.Errorf("the log does not say that root's pid file stays: %s, %v", log, err)
	}
}

func TestChroot(t *testing.T) {
	dir, _ := publicDir(t)
	jail := filepath.Join(dir, "jail")
	if err := os.MkdirAll(filepath.Join(jail, "srv", "public"), 0o755); err != nil {
		t.Fatal(err)
	}
	readable(t, write(t, filepath.Join(jail, "srv", "public"), "page.txt", "inside"))
	port := freePort(t)
	s := start(t, dir, "--http", ":"+port, "--pidfile", "app.pid", "--uid", "nobody", "--chroot", "jail", "--chdir", "/srv", "--check-static", "public")
	wantBody(t, s.waitAnswer(t, "http://127.0.0.1:"+port+"/page.txt", 200), 200, "inside")
	if link, err := os.Readlink(fmt.Sprintf("/proc/%d/root", s.pid())); err != nil || link != jail {
		t.Errorf("its root is %q, %v; want %s", link, err, jail)
	}
	if _, err := os.Stat(filepath.Join(dir, "app.pid")); err != nil {
		t.Error(err)
	}
}
