package e2e

import (
	"fmt"
	"net/http"
	"os"
	"os/user"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
)

// vassalFile is the configuration of a vassal that answers text at a port.
func vassalFile(t *testing.T, dir, name, port, text string) string {
	t.Helper()
	app := write(t, filepath.Dir(dir), name+"."+text+".py", versioned(text))
	readable(t, app)
	path := write(t, dir, name, "[uwsgi]\nhttp = 127.0.0.1:"+port+"\nwsgi-file = "+app+"\n")
	readable(t, path)
	return path
}

func emperorDir(t *testing.T) (dir string) {
	t.Helper()
	top := shortTempDir(t)
	if err := os.Chmod(top, 0o755); err != nil {
		t.Fatal(err)
	}
	dir = filepath.Join(top, "v")
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	return dir
}

// waitBody waits until the server at port answers text.
func waitBody(t *testing.T, port, text string) {
	t.Helper()
	eventually(t, port+" answers "+text, func() error {
		a, err := ask(http.MethodGet, "http://127.0.0.1:"+port+"/", nil, nil)
		if err == nil && !strings.Contains(a.body, text) {
			err = fmt.Errorf("it answers %q", a.body)
		}
		return err
	})
}

func waitRefused(t *testing.T, port string) {
	t.Helper()
	eventually(t, port+" is closed", func() error {
		if _, err := ask(http.MethodGet, "http://127.0.0.1:"+port+"/", nil, nil); err == nil {
			return fmt.Errorf("it answers")
		}
		return nil
	})
}

func TestEmperor(t *testing.T) {
	dir := emperorDir(t)
	one, two, moved := freePort(t), freePort(t), freePort(t)
	vassalFile(t, dir, "one.ini", one, "first")
	write(t, dir, "note.txt", "[uwsgi]\nhttp = :1\n")
	s := start(t, filepath.Dir(dir), "--emperor", "v", "--emperor-freq", "1", "--emperor-pidfile", "emperor.pid")
	waitBody(t, one, "first")
	vassalFile(t, dir, "two.ini", two, "second")
	waitBody(t, two, "second")
	vassalFile(t, dir, "two.ini", two, "third") // a reload
	waitBody(t, two, "third")
	vassalFile(t, dir, "two.ini", moved, "third") // a restart
	waitBody(t, moved, "third")
	waitRefused(t, two)
	write(t, dir, "three.ini", "[uwsgi]\nhttp = 127.0.0.1:"+two+"\nwsgi-file = nowhere.py\n")
	s.waitLog(t, "unloyal bad behaving vassal found: three.ini")
	vassalFile(t, dir, "three.ini", two, "mended")
	waitBody(t, two, "mended")
	if err := os.Remove(filepath.Join(dir, "one.ini")); err != nil {
		t.Fatal(err)
	}
	waitRefused(t, one)
	waitBody(t, moved, "third")
	s.waitLog(t, "[two.ini] ")
	if err := s.stop(t, syscall.SIGINT); err != nil {
		t.Errorf("exit: %v", err)
	}
}

// Vassals of an emperor that is killed end with it.
func TestEmperorKilled(t *testing.T) {
	dir := emperorDir(t)
	port := freePort(t)
	vassalFile(t, dir, "a.ini", port, "here")
	s := start(t, dir, "--emperor", dir)
	waitBody(t, port, "here")
	if err := s.cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = s.wait(t)
	s.noOrphans(t)
}

func TestEmperorOfMany(t *testing.T) {
	dir := emperorDir(t)
	ports := make([]string, 20)
	for i := range ports {
		ports[i] = freePort(t)
		vassalFile(t, dir, fmt.Sprintf("v%d.ini", i), ports[i], fmt.Sprintf("vassal-%d-", i))
	}
	start(t, dir, "--emperor", dir+"/*.ini")
	for i, port := range ports {
		waitBody(t, port, fmt.Sprintf("vassal-%d-", i))
	}
}

func TestEmperorTyrant(t *testing.T) {
	_, nobody := publicDir(t)
	needPython(t, nobody)
	dir := emperorDir(t)
	app := write(t, filepath.Dir(dir), "app.py", whoApp)
	readable(t, app)
	write(t, dir, "secret", "")
	mine, roots := freePort(t), freePort(t)
	for name, port := range map[string]string{"mine.ini": mine, "roots.ini": roots} {
		readable(t, write(t, dir, name, "[uwsgi]\nhttp = 127.0.0.1:"+port+"\nwsgi-file = "+app+"\n"))
	}
	id := credential(t, nobody)
	if err := os.Chown(filepath.Join(dir, "mine.ini"), int(id.Uid), int(id.Gid)); err != nil {
		t.Fatal(err)
	}
	s := start(t, dir, "--emperor", dir, "--emperor-tyrant")
	waitBody(t, mine, "("+nobody.Uid+", "+nobody.Uid+", "+nobody.Uid+")")
	s.waitLog(t, "invalid permissions for vassal roots.ini")
	waitRefused(t, roots)
}

// Fedora's emperor is no root, and has the right to become the owner of each file. No vassal
// has that right.
func TestEmperorWithRights(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("only Linux has capabilities")
	}
	_, nobody := publicDir(t)
	needPython(t, nobody)
	daemon, err := user.Lookup("daemon")
	if err != nil {
		t.Skip(err)
	}
	dir := emperorDir(t)
	app := write(t, filepath.Dir(dir), "app.py", `
def application(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [line.encode() for line in open("/proc/self/status") if line.startswith(("Uid", "Cap"))]
`)
	readable(t, app)
	run := filepath.Join(filepath.Dir(dir), "run")
	if err := os.Mkdir(run, 0o755); err != nil {
		t.Fatal(err)
	}
	emperor, id := credential(t, daemon), credential(t, nobody)
	if err := os.Chown(run, int(emperor.Uid), int(emperor.Gid)); err != nil {
		t.Fatal(err)
	}
	port := freePort(t)
	file := write(t, dir, "mine.ini", "[uwsgi]\nhttp = 127.0.0.1:"+port+"\nwsgi-file = "+app+"\n")
	readable(t, file)
	if err := os.Chown(file, int(id.Uid), int(id.Gid)); err != nil {
		t.Fatal(err)
	}
	config := write(t, filepath.Dir(dir), "uwsgi.ini", "[uwsgi]\nuid = daemon\ngid = daemon\npidfile = "+run+"/uwsgi.pid\nemperor = "+dir+
		"\nstats = "+run+"/stats.sock\nchmod-socket = 660\nemperor-freq = 1\nemperor-curse-tolerance = 1\nemperor-tyrant = true\ncap = setgid,setuid\n")
	s := start(t, dir, "--ini", config)
	waitBody(t, port, "\t"+nobody.Uid+"\t"+nobody.Uid+"\t"+nobody.Uid)
	a, err := ask(http.MethodGet, "http://127.0.0.1:"+port+"/", nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, set := range []string{"CapInh", "CapPrm", "CapEff", "CapAmb"} {
		if !strings.Contains(a.body, set+":\t0000000000000000") {
			t.Errorf("a vassal has rights in %s:\n%s", set, a.body)
		}
	}
	threads, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/status", s.pid()))
	if err != nil || len(threads) == 0 {
		t.Fatalf("threads of the emperor: %v %v", threads, err)
	}
	for _, path := range threads {
		text, err := os.ReadFile(path)
		if err != nil {
			continue // it has ended
		}
		if !strings.Contains(string(text), "Uid:\t"+daemon.Uid+"\t"+daemon.Uid+"\t"+daemon.Uid) {
			t.Errorf("%s: not all of the emperor is user daemon:\n%s", path, text)
		}
	}
	if _, err := os.Stat(run + "/uwsgi.pid"); err != nil {
		t.Error(err)
	}
	// One that does not listen is killed, which another user may not.
	for _, pid := range s.processes() {
		if pid != s.pid() {
			_ = syscall.Kill(pid, syscall.SIGSTOP)
		}
	}
	if err := os.Remove(file); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the vassal is killed", func() error {
		if left := s.processes(); len(left) > 1 {
			return fmt.Errorf("there are %v", left)
		}
		return nil
	})
	if err := s.stop(t, syscall.SIGTERM); err != nil {
		t.Errorf("exit: %v", err)
	}
}

func TestEmperorOnDemand(t *testing.T) {
	dir := emperorDir(t)
	app := write(t, filepath.Dir(dir), "app.py", plainApp)
	write(t, dir, "a.ini", "[uwsgi]\nprotocol = http\nwsgi-file = "+app+"\n")
	s := start(t, dir, "--emperor", dir, "--emperor-on-demand-directory", filepath.Dir(dir))
	s.waitLog(t, "waiting for connections on socket")
	if strings.Contains(s.log.String(), "[a.ini] ") {
		t.Error("it runs before somebody came")
	}
	path := filepath.Join(filepath.Dir(dir), "a.socket")
	if status, err := overUnix(path); err != nil || status != 200 {
		t.Errorf("%d, %v", status, err)
	}
	s.waitLog(t, "vassal a.ini is now loyal")
}

// What may lie in a directory of vassals, in one: names, forms, links, an emperor.
func TestEmperorFiles(t *testing.T) {
	dir := emperorDir(t)
	top := filepath.Dir(dir)
	app := write(t, top, "app.py", plainApp)
	kept, below := filepath.Join(top, "kept"), filepath.Join(top, "below")
	for _, d := range []string{kept, below} {
		if err := os.Mkdir(d, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	socket := func(name string) string { return filepath.Join(top, name+".s") }
	ini := func(name string) string {
		return "[uwsgi]\nhttp-socket = " + socket(name) + "\nwsgi-file = " + app + "\n"
	}
	names := []string{"a b", "x.y.z", "-dash", "ünï", "yaml", "json", "xml", "link", "below"}
	for _, name := range names[:4] {
		write(t, dir, name+".ini", ini(name))
	}
	write(t, dir, "y.yml", "uwsgi:\n  http-socket: "+socket("yaml")+"\n  wsgi-file: "+app+"\n")
	write(t, dir, "j.json", `{"uwsgi": {"http-socket": "`+socket("json")+`", "wsgi-file": "`+app+`"}}`)
	write(t, dir, "x.xml", "<uwsgi><http-socket>"+socket("xml")+"</http-socket><wsgi-file>"+app+"</wsgi-file></uwsgi>")
	write(t, dir, "sub.ini", "[uwsgi]\nemperor = "+below+"\n")
	write(t, below, "v.ini", ini("below"))
	link := filepath.Join(dir, "link.ini")
	if err := os.Symlink(write(t, kept, "link.ini", ini("link")), link); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(filepath.Join(kept, "none.ini"), filepath.Join(dir, "none.ini")); err != nil {
		t.Fatal(err)
	}
	answers := func(name string, want bool) {
		t.Helper()
		eventually(t, fmt.Sprintf("%q answers: %v", name, want), func() error {
			status, err := overUnix(socket(name))
			if got := err == nil && status == 200; got != want {
				return fmt.Errorf("%v: status %d, error %q", got, status, fmt.Sprint(err))
			}
			return nil
		})
	}
	s := start(t, top, "--emperor", dir, "--emperor-freq", "1")
	for _, name := range names {
		answers(name, true)
	}
	if err := os.Remove(link); err != nil {
		t.Fatal(err)
	}
	answers("link", false)
	if err := os.RemoveAll(dir); err != nil { // all of them go, and come back with it
		t.Fatal(err)
	}
	answers("below", false)
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	write(t, dir, "a b.ini", ini("a b"))
	answers("a b", true)
	if err := s.stop(t, syscall.SIGTERM); err != nil {
		t.Errorf("exit: %v", err)
	}
}
