package peers

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
)

// All lists every peer, in the order of the tables.
func All() []Peer {
	return []Peer{
		uwsgo("--http"),
		prototype(),
		uwsgi("uwsgi-http11-socket", "--http11-socket"),
		uwsgi("uwsgi-http-socket", "--http-socket"),
		uwsgi("uwsgi-http", "--http"),
		behindNginx("nginx+uwsgo", uwsgo("--socket")),
		behindNginx("nginx+uwsgi", uwsgi("", "--socket")),
		goHello("go-reactor"),
		goHello("go-net-http"),
	}
}

// serverArgs are the options that uwsgo and uWSGI share.
func serverArgs(listen, addr string, s Setup, t Tools) []string {
	return []string{
		listen, addr, "--wsgi-file", s.App, "--virtualenv", t.Venv, "--master", "--die-on-term", "--need-app",
		"--processes", strconv.Itoa(s.Processes), "--threads", strconv.Itoa(s.Threads), "--disable-logging",
	}
}

// uwsgo is the server of this repository on one kind of socket.
func uwsgo(listen string) Peer {
	return Peer{
		Name: "uwsgo",
		Needs: func(t Tools) string {
			return missing(t.Uwsgo, "the uwsgo binary (make build)", t.Venv, "a virtualenv (make testenv)")
		},
		Version: func(t Tools) string { return firstLine(t.Uwsgo, "--version") },
		Command: func(t Tools, s Setup, addr, _ string) ([]string, error) {
			return append([]string{t.Uwsgo}, serverArgs(listen, addr, s, t)...), nil
		},
	}
}

// uwsgi is the reference server on one kind of socket.
func uwsgi(name, listen string) Peer {
	return Peer{
		Name: name,
		Needs: func(t Tools) string {
			if t.Venv == "" {
				return "a virtualenv with uwsgi (make testenv)"
			}
			if _, err := os.Stat(filepath.Join(t.Venv, "bin", "uwsgi")); err != nil {
				return "uwsgi in " + t.Venv
			}
			return ""
		},
		Version: func(t Tools) string { return "uWSGI " + firstLine(filepath.Join(t.Venv, "bin", "uwsgi"), "--version") },
		Command: func(t Tools, s Setup, addr, _ string) ([]string, error) {
			args := append([]string{filepath.Join(t.Venv, "bin", "uwsgi")}, serverArgs(listen, addr, s, t)...)
			return append(args, "--listen", "1024"), nil
		},
	}
}

// prototype is an earlier experiment, measured as a floor where its directory is
// given: the binary takes -a ADDR, -p processes, -t threads, -shim FILE, -app module:callable.
func prototype() Peer {
	return Peer{
		Name:  "prototype",
		Needs: func(t Tools) string { return missing(t.Prototype, "its directory (-prototype DIR)") },
		Version: func(Tools) string {
			return "prototype (checks, bounds and times out nothing)"
		},
		Command: func(t Tools, s Setup, addr, _ string) ([]string, error) {
			module := strings.TrimSuffix(s.App, ".py")
			return []string{
				filepath.Join(t.Prototype, "prototype"), "-a", addr,
				"-p", strconv.Itoa(s.Processes), "-t", strconv.Itoa(s.Threads),
				"-shim", filepath.Join(t.Prototype, "shim.py"), "-app", module + ":application",
			}, nil
		},
		KeepsOpen: true,
	}
}

// goHello is the hello-world Go handler that this program serves itself.
func goHello(name string) Peer {
	return Peer{
		Name:    name,
		Needs:   func(t Tools) string { return missing(t.Bench, "the uwsgo-bench binary") },
		Version: func(t Tools) string { return firstLine("go", "version") },
		Command: func(t Tools, _ Setup, addr, _ string) ([]string, error) {
			return []string{t.Bench, "-serve", strings.TrimPrefix(name, "go-"), addr}, nil
		},
	}
}

// behindNginx is a peer that speaks uwsgi on a unix socket behind nginx. Both
// are children of one shell, so the figures are those of the whole stack.
func behindNginx(name string, behind Peer) Peer {
	return Peer{
		Name: name,
		Needs: func(t Tools) string {
			if t.Nginx == "" {
				return "nginx"
			}
			return behind.Needs(t)
		},
		Version: func(t Tools) string { return nginxVersion(t) + ", " + behind.Version(t) },
		Command: func(t Tools, s Setup, addr, dir string) ([]string, error) {
			socket := filepath.Join(dir, "app.sock")
			conf := filepath.Join(dir, "nginx.conf")
			if err := os.WriteFile(conf, []byte(nginxConf(dir, addr, socket)), 0o600); err != nil {
				return nil, err
			}
			app, err := behind.Command(t, s, socket, dir)
			if err != nil {
				return nil, err
			}
			// The shell stays the parent of both and passes the stop on to both.
			const script = `nginx=$1 conf=$2; shift 2
"$@" & app=$!
"$nginx" -c "$conf" & front=$!
trap 'kill -TERM $front $app' TERM
wait $app; wait $front; wait`
			return append([]string{"sh", "-c", script, "sh", t.Nginx, conf}, app...), nil
		},
	}
}

func nginxVersion(t Tools) string {
	out, err := exec.Command(t.Nginx, "-v").CombinedOutput()
	if err != nil {
		return "nginx unknown"
	}
	_, version, _ := strings.Cut(strings.TrimSpace(string(out)), "nginx version: ")
	return version
}

func nginxConf(dir, addr, socket string) string {
	var temp strings.Builder
	for _, kind := range []string{"client_body", "proxy", "fastcgi", "uwsgi", "scgi"} {
		fmt.Fprintf(&temp, "  %s_temp_path %s/%s;\n", kind, dir, kind)
	}
	user := ""
	if os.Getuid() == 0 {
		user = "user root;\n" // else its workers, who are nobody, may not enter dir
	}
	return user + fmt.Sprintf(`daemon off;
worker_processes 2;
pid %[1]s/nginx.pid;
error_log %[1]s/nginx.log;
events { worker_connections 8192; }
http {
  access_log off;
  keepalive_requests 1000000;
%[4]s  server {
    listen %[2]s backlog=1024;
    location / { include /etc/nginx/uwsgi_params; uwsgi_pass unix:%[3]s; }
  }
}
`, dir, addr, socket, temp.String())
}

// missing gives the name of the first empty value of (value, name) pairs.
func missing(pairs ...string) string {
	for i := 0; i < len(pairs); i += 2 {
		if pairs[i] == "" {
			return pairs[i+1]
		}
	}
	return ""
}
