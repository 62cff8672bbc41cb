package e2e

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// has waits until the file has text in it.
func has(t *testing.T, path, text string) {
	t.Helper()
	eventually(t, fmt.Sprintf("%q in %s", text, path), func() error {
		b, err := os.ReadFile(path)
		if err == nil && !strings.Contains(string(b), text) {
			err = fmt.Errorf("it has %q", b)
		}
		return err
	})
}

// touch changes the time of a file, which is made if there is none.
func touch(t *testing.T, path string) {
	t.Helper()
	f, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	_ = f.Close()
	now := time.Now().Add(time.Hour) // another time on whatever file system
	if err := os.Chtimes(path, now, now); err != nil {
		t.Fatal(err)
	}
}

// printing is an app that prints what it is asked for.
const printing = `
def application(environ, start_response):
    print("printed", environ["PATH_INFO"])
    start_response("200 OK", [("Content-Length", "2")])
    return [b"ok"]
`

// TestLogsMoveOn: after a rotation or a reopening in whatever way, what the server, its
// requests, a worker and a companion that ran before it write is in the new file, and what
// came before in the old one. In uWSGI workers and companions go on with the old one.
func TestLogsMoveOn(t *testing.T) {
	for _, tt := range []struct {
		name   string
		option []string
		ask    func(t *testing.T, s *server, dir string)
		moved  bool // by another, before the server is asked
	}{
		{"touch_logreopen", []string{"--touch-logreopen", "reopen"}, func(t *testing.T, _ *server, dir string) { touch(t, dir+"/reopen") }, true},
		{"touch_logrotate", []string{"--touch-logrotate", "rotate", "--log-backupname", "log.1"}, func(t *testing.T, _ *server, dir string) { touch(t, dir+"/rotate") }, false},
		{"fifo_l", nil, func(t *testing.T, _ *server, dir string) { tell(t, dir+"/fifo", "l") }, true},
		{"fifo_L", []string{"--log-backupname", "log.1"}, func(t *testing.T, _ *server, dir string) { tell(t, dir+"/fifo", "L") }, false},
		{"sighup", nil, func(t *testing.T, s *server, _ string) { _ = s.cmd.Process.Signal(syscall.SIGHUP) }, true},
		{"fifo_r", []string{"--log-reopen"}, func(t *testing.T, _ *server, dir string) { tell(t, dir+"/fifo", "r") }, true},
		{"touch_reload", []string{"--touch-reload", "reload"}, func(t *testing.T, _ *server, dir string) { touch(t, dir+"/reload") }, true},
		{"size", []string{"--log-maxsize", "20000", "--log-backupname", "log.1"}, func(t *testing.T, _ *server, dir string) { touch(t, dir+"/much") }, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			dir := shortTempDir(t)
			write(t, dir, "app.py", printing)
			write(t, dir, "companion.sh", "while :; do [ ! -e go ] || { echo from the companion; rm go; }\n[ ! -e much ] || { head -c 30000 /dev/zero | tr '\\0' x; echo; rm much; }\nsleep 0.05; done\n")
			port := freePort(t)
			args := append([]string{"--http", "127.0.0.1:" + port, "--wsgi-file", "app.py", "--logto", "log", "--master-fifo", "fifo", "--attach-daemon", "/bin/sh companion.sh"}, tt.option...)
			s := start(t, dir, args...)
			s.waitAnswer(t, "http://127.0.0.1:"+port+"/before", 200)
			log, old := filepath.Join(dir, "log"), filepath.Join(dir, "log.1")
			has(t, log, "uwsgo is ready")
			has(t, log, "printed /before")
			if tt.moved {
				if err := os.Rename(log, old); err != nil {
					t.Fatal(err)
				}
			}
			tt.ask(t, s, dir)
			eventually(t, "a new log", func() error {
				now, err := os.Stat(log)
				if err != nil {
					return err
				}
				before, err := os.Stat(old)
				if err == nil && os.SameFile(now, before) {
					err = fmt.Errorf("it is the old one")
				}
				return err
			})
			get(t, "http://127.0.0.1:"+port+"/after")
			has(t, log, "printed /after")
			has(t, log, "GET /after => generated")
			write(t, dir, "go", "")
			has(t, log, "from the companion\n")
			if err := s.cmd.Process.Signal(syscall.SIGUSR1); err != nil { // the server itself
				t.Fatal(err)
			}
			has(t, log, "SIGUSR1 received:")
			b, err := os.ReadFile(old)
			if err != nil || !strings.Contains(string(b), "printed /before") || strings.Contains(string(b), "/after") {
				t.Errorf("the old log: %q, %v", b, err)
			}
			if err := s.stop(t, stopSignal); err != nil {
				t.Error(err)
			}
			has(t, log, "goodbye to uwsgo.")
		})
	}
}

// TestLogrotate runs the example with the real logrotate.
func TestLogrotate(t *testing.T) {
	logrotate, err := exec.LookPath("logrotate")
	if err != nil {
		if logrotate = "/usr/sbin/logrotate"; exec.Command(logrotate, "--version").Run() != nil {
			t.Skip("SKIP: no logrotate here: apt-get install logrotate, or make testenv as root")
		}
	}
	e := copyExample(t, "logrotate")
	logs := filepath.Join(e.dir, "logs")
	text, err := os.ReadFile(filepath.Join(e.dir, "uwsgo.logrotate"))
	if err != nil {
		t.Fatal(err)
	}
	// The user of the tests in place of www-data.
	conf := regexp.MustCompile(`(?m)^ *su .*\n`).ReplaceAllString(string(text), "")
	conf = strings.ReplaceAll(strings.ReplaceAll(conf, "www-data www-data", ""), "/srv/myapp", e.dir)
	write(t, e.dir, "rotate.conf", conf)
	if err := os.Chmod(logs, 0o755); err != nil {
		t.Fatal(err)
	}
	s := e.start(t)
	s.waitAnswer(t, e.http+"/", 200)
	for round := range 3 {
		path := fmt.Sprintf("/round%d", round)
		get(t, e.http+path)
		has(t, filepath.Join(logs, "requests.log"), path)
		cmd := exec.Command(logrotate, "--force", "--state", filepath.Join(e.dir, "state"), "rotate.conf")
		cmd.Dir = e.dir
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		has(t, filepath.Join(logs, "app.log"), "app.log reopened.")
		eventually(t, "requests in the new log", func() error {
			get(t, e.http+path+"/new")
			b, err := os.ReadFile(filepath.Join(logs, "requests.log"))
			if err == nil && !strings.Contains(string(b), path+"/new") {
				err = fmt.Errorf("it has %q", b)
			}
			return err
		})
		b, err := os.ReadFile(filepath.Join(logs, "requests.log.1"))
		if err != nil || !strings.Contains(string(b), path) {
			t.Errorf("round %d: the old log has %q, %v", round, b, err)
		}
	}
	if _, err := os.Stat(filepath.Join(logs, "requests.log.2.gz")); err != nil {
		t.Error(err)
	}
}

// TestLoggerThatCannotBe: the start ends, and says why.
func TestLoggerThatCannotBe(t *testing.T) {
	for name, tt := range map[string]struct{ option, value, want string }{
		"no_folder":       {"logger", "file:no/such/folder/log", "logger file:no/such/folder/log: open .*no such file or directory"},
		"requests":        {"req-logger", "file:no/such/folder/log", "no such file or directory"},
		"redis":           {"logger", "redislog:127.0.0.1:6379", "logger: the kind redislog is not there: uwsgo does not log to Redis: have a log shipper"},
		"named_mongodb":   {"req-logger", "m mongodblog:127.0.0.1:27017", "req-logger: the kind mongodblog is not there"},
		"zeromq":          {"logger", "zeromq:tcp://127.0.0.1:9191", "the kind zeromq is not there"},
		"log_zeromq":      {"log-zeromq", "tcp://127.0.0.1:9191", "log-zeromq: .*lines are not sent to ZeroMQ"},
		"unknown":         {"logger", "files:/tmp/x", `logger: "files" is no kind of logger: there are file, fd, `},
		"descriptor":      {"logger", "fd:77", "logger fd:77: descriptor 77 is not open: whoever starts the server has to open it"},
		"host":            {"logger", "rsyslog:no-such-host.invalid:514", "logger rsyslog:no-such-host.invalid:514: .*no-such-host.invalid"},
		"encoder":         {"log-encoder", "msgpack", `log-encoder: "msgpack" is no log encoder: there are compress, `},
		"pattern":         {"log-route", "x (", `log-route: "\(" is no regular expression`},
		"route":           {"log-route", "alone", "log-route: \"alone\" is not of the form LOGGER REGEX"},
		"mode":            {"logfile-chmod", "0640", `logfile-chmod: "0640" is not three octal digits such as 640`},
		"second_log_file": {"logto2", "no/such/folder/log", `log target "no/such/folder/log": open .*no such file or directory`},
	} {
		t.Run(name, func(t *testing.T) {
			s := start(t, shortTempDir(t), "--http", "127.0.0.1:"+freePort(t), "--wsgi-file", root+"/docs/examples/hello/server.py", "--"+tt.option, tt.value)
			if err := s.wait(t); err == nil || s.cmd.ProcessState.ExitCode() != 1 {
				t.Errorf("exit: %v", err)
			}
			if !regexp.MustCompile(tt.want).MatchString(s.log.String()) {
				t.Errorf("no %q", tt.want)
			}
		})
	}
}

// TestLogJSON: every line is an object, whatever is sent and printed.
func TestLogJSON(t *testing.T) {
	dir := shortTempDir(t)
	write(t, dir, "app.py", `import sys
sys.stderr.write("Traceback:\n  \"two\" lines\n")
print('{"level": "info", "own": true}')
`+printing)
	port := freePort(t)
	s := start(t, dir, "--http", "127.0.0.1:"+port, "--wsgi-file", "app.py", "--log-json", "--memory-report")
	s.waitAnswer(t, "http://127.0.0.1:"+port+"/", 200)
	a, err := ask("GET", "http://127.0.0.1:"+port+`/a%22b?q="x"`, nil, http.Header{"User-Agent": {`"quoted" \ ` + "gr\xfc\xdfe"}})
	if err != nil || a.status != 200 {
		t.Fatal(err)
	}
	s.waitLog(t, `a%22b`)
	if err := s.stop(t, stopSignal); err != nil {
		t.Error(err)
	}
	seen := map[string]map[string]any{}
	for line := range strings.Lines(s.log.String()) {
		var object map[string]any
		if err := json.Unmarshal([]byte(line), &object); err != nil {
			t.Errorf("%q: %v", line, err)
			continue
		}
		source, _ := object["source"].(string)
		message, _ := object["message"].(string)
		if strings.HasPrefix(message, "Traceback:") {
			source = "traceback"
		}
		seen[source] = object
	}
	if m := seen["traceback"]["message"]; m != "Traceback:\n  \"two\" lines" {
		t.Errorf("what was printed: %q", m)
	}
	if seen[""]["own"] != true {
		t.Errorf("what was JSON already: %v", seen[""])
	}
	if m := seen["uwsgo"]["message"]; m != "goodbye to uwsgo." {
		t.Errorf("last line: %v", m)
	}
	r := seen["request"]
	if r["uri"] != `/a%22b?q="x"` || r["status"] != 200.0 || r["method"] != "GET" || !strings.Contains(fmt.Sprint(r["uagent"]), `"quoted" \ gr`) {
		t.Errorf("request: %v", r)
	}
	if rss, _ := r["rss"].(float64); rss < 1<<20 {
		t.Errorf("memory: %v", r)
	}
	if at, err := time.Parse(time.RFC3339Nano, fmt.Sprint(r["time"])); err != nil || time.Since(at) > time.Hour || time.Since(at) < -time.Minute {
		t.Errorf("time %v: %v", r["time"], err)
	}
}

// TestNoPasswordIsLogged: a format that asks for Authorization gets a warning and "-".
func TestNoPasswordIsLogged(t *testing.T) {
	port := freePort(t)
	s := start(t, shortTempDir(t), "--http", "127.0.0.1:"+port, "--wsgi-file", root+"/docs/examples/hello/server.py",
		"--log-format", "line %(uri) %(var.HTTP_AUTHORIZATION) %(var.HTTP_PROXY_AUTHORIZATION) %(var.HTTP_X)")
	s.waitAnswer(t, "http://127.0.0.1:"+port+"/", 200)
	if _, err := ask("GET", "http://127.0.0.1:"+port+"/secret", nil, http.Header{"Authorization": {"Basic c2VjcmV0"}, "X": {"x"}}); err != nil {
		t.Fatal(err)
	}
	s.wantLine(t, `^line /secret - - x$`)
	s.wantLine(t, `WARNING: log-format: %\(var.HTTP_AUTHORIZATION\) holds passwords`)
}

// TestLogsOfADaemon: its own standard error follows the log, and lines go to all loggers.
func TestLogsOfADaemon(t *testing.T) {
	dir := shortTempDir(t)
	write(t, dir, "app.py", printing)
	port := freePort(t)
	s := launch(t, command(dir, "--http", "127.0.0.1:"+port, "--wsgi-file", "app.py", "--daemonize", "log", "--logger", "stdio", "--logger", "file:copy",
		"--master-fifo", "fifo", "--pidfile", "pid", "--log-date"))
	if err := s.wait(t); err != nil {
		t.Fatal(err)
	}
	log, old := filepath.Join(dir, "log"), filepath.Join(dir, "log.1")
	if err := os.Rename(log, old); err != nil {
		t.Fatal(err)
	}
	tell(t, filepath.Join(dir, "fifo"), "l")
	has(t, log, "reopened.")
	for _, pid := range s.processes() {
		if name, _ := os.ReadFile(fmt.Sprintf("/proc/%d/comm", pid)); !strings.HasPrefix(string(name), "uwsgo") {
			continue
		}
		for _, fd := range []string{"1", "2"} {
			if to, err := os.Readlink(fmt.Sprintf("/proc/%d/fd/%s", pid, fd)); err != nil || to != log {
				eventually(t, "the new log as descriptor "+fd, func() error {
					if to, err = os.Readlink(fmt.Sprintf("/proc/%d/fd/%s", pid, fd)); err == nil && to != log {
						err = fmt.Errorf("it is %s", to)
					}
					return err
				})
			}
		}
	}
	get(t, "http://127.0.0.1:"+port+"/twice")
	for _, name := range []string{"log", "copy"} {
		has(t, filepath.Join(dir, name), "printed /twice")
		has(t, filepath.Join(dir, name), "GET /twice")
	}
	has(t, old, " - *** uwsgo is ready") // behind the time
	tell(t, filepath.Join(dir, "fifo"), "q")
	s.noOrphans(t)
	has(t, log, "goodbye to uwsgo.")
}

// TestLogsOfAnotherUser: root opens the log, the user of uid opens it anew, where it may.
func TestLogsOfAnotherUser(t *testing.T) {
	for _, tt := range []struct {
		name   string
		option []string
		own    bool // the directory is the user's
		first  string
	}{
		{"may_write", []string{"--logto", "logs/log", "--logfile-chown", "--logfile-chmod", "600"}, true, "uwsgo is ready"},
		{"may_not_write", []string{"--logto", "logs/log"}, false, "uwsgo is ready"},
		{"logger", []string{"--logger", "file:logs/log", "--logfile-chown", "--logfile-chmod", "600"}, true, "uwsgo is ready"},
		{"opened_by_the_user", []string{"--logto2", "logs/log", "--logfile-chmod", "600"}, true, "uwsgo is ready"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			dir, nobody := publicDir(t)
			logs := filepath.Join(dir, "logs")
			if err := os.Mkdir(logs, 0o755); err != nil {
				t.Fatal(err)
			}
			id := credential(t, nobody)
			if tt.own {
				if err := os.Chown(logs, int(id.Uid), int(id.Gid)); err != nil {
					t.Fatal(err)
				}
			}
			s := start(t, dir, append([]string{"--http", "127.0.0.1:" + freePort(t), "--check-static", dir, "--uid", "nobody"}, tt.option...)...)
			log, old := filepath.Join(logs, "log"), filepath.Join(logs, "log.1")
			has(t, log, tt.first)
			if err := os.Rename(log, old); err != nil {
				t.Fatal(err)
			}
			if err := s.cmd.Process.Signal(syscall.SIGHUP); err != nil {
				t.Fatal(err)
			}
			if !tt.own {
				has(t, old, "the log "+log+" cannot be opened anew, so lines still go to the file that it was: ")
				if err := s.stop(t, stopSignal); err != nil {
					t.Error(err)
				}
				has(t, old, "goodbye to uwsgo.")
				return
			}
			eventually(t, "a new log", func() error { _, err := os.Stat(log); return err })
			for _, path := range []string{log, old} {
				if owner := ownerOf(t, path); owner != nobody.Uid+":"+nobody.Gid {
					t.Errorf("%s belongs to %s", path, owner)
				}
				eventually(t, "mode 600", func() error {
					info, err := os.Stat(path)
					if err == nil && info.Mode().Perm() != 0o600 {
						err = fmt.Errorf("%v", info.Mode())
					}
					return err
				})
			}
			if err := s.stop(t, stopSignal); err != nil {
				t.Error(err)
			}
			has(t, log, "goodbye to uwsgo.")
		})
	}
}

// TestMemoryOfWorkers: memory-report = 2 tells what a worker shares with nobody.
func TestMemoryOfWorkers(t *testing.T) {
	port := freePort(t)
	s := start(t, shortTempDir(t), "--http", "127.0.0.1:"+port, "--wsgi-file", root+"/docs/examples/hello/server.py", "--memory-report=2")
	s.waitAnswer(t, "http://127.0.0.1:"+port+"/", 200)
	line := regexp.MustCompile(`(?m)^\{address space usage: \d{7,} bytes/\d+MB\} \{rss usage: (\d{7,}) bytes/\d+MB\} \{uss usage: (\d{5,}) bytes/\d+MB\} \{pss usage: (\d{5,}) bytes/\d+MB\} \[pid: [1-9]`)
	eventually(t, "figures of a worker", func() error {
		get(t, "http://127.0.0.1:"+port+"/")
		if !line.MatchString(s.log.String()) {
			return fmt.Errorf("there are none")
		}
		return nil
	})
	m := line.FindStringSubmatch(s.log.String())
	rss, _ := strconv.Atoi(m[1])
	uss, _ := strconv.Atoi(m[2])
	pss, _ := strconv.Atoi(m[3])
	if uss > pss || pss > 2*rss {
		t.Errorf("rss %d, uss %d, pss %d", rss, uss, pss)
	}
}
