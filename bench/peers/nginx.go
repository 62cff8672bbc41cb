package peers

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// behindNginx is an app server on a unix socket behind nginx, the usual setup in production.
// nginx uses the server's protocol. Both are children of one shell, so the figures are those of
// the whole stack.
func behindNginx(name, title string, app Peer) Peer {
	p := app
	p.Name = "nginx+" + name
	pass := passUwsgi
	p.About = "nginx before " + title + ", over the uwsgi protocol on a unix socket: a new connection for each request, as nginx keeps none."
	if app.Protocol == HTTP {
		pass = passHTTP
		p.About = "nginx before " + title + ", over HTTP on a unix socket, on connections that nginx keeps."
	}
	p.Protocol, p.KeepAlive = HTTP, true
	p.Runs = Apps // nginx would serve the files, as nginx-file does
	p.Needs = func(t Tools) string {
		if need := missing(t.Nginx, "nginx (apt-get install nginx)"); need != "" {
			return need
		}
		return app.Needs(t)
	}
	p.Version = func(t Tools) string { return nginxVersion(t) + ", " + app.Version(t) }
	p.Command = func(p *Plan) ([]string, error) {
		inner := *p
		inner.Socket = filepath.Join(p.Dir, "app.sock")
		inner.Log = false // nginx writes the log of requests, if there is one
		command, err := app.Command(&inner)
		if err != nil {
			return nil, err
		}
		p.Files = inner.Files
		before, location := pass(inner.Socket)
		conf, err := p.File("nginx.conf", nginxConf(p, before, location))
		if err != nil {
			return nil, err
		}
		return append([]string{"sh", "-c", twoServers, "sh", p.Nginx, conf, filepath.Join(p.Dir, masterFile)}, command...), nil
	}
	return p
}

// passUwsgi gives the parts of an nginx.conf, before the server and in it, that pass
// requests on in the uwsgi protocol, as docs/examples/nginx-unix.
func passUwsgi(socket string) (before, location string) {
	return "", fmt.Sprintf(`
    location / {
      include /etc/nginx/uwsgi_params;
      uwsgi_pass unix:%s;
    }`, socket)
}

// passHTTP is passUwsgi for HTTP on kept connections, as docs/examples/nginx-http.
func passHTTP(socket string) (before, location string) {
	return fmt.Sprintf(`  upstream app {
    server unix:%s;
    keepalive 32;
  }
`, socket), `
    location / {
      proxy_pass http://app;
      proxy_http_version 1.1;
      proxy_set_header Connection "";
      proxy_set_header Host $host;
      proxy_set_header X-Forwarded-For $remote_addr;
      proxy_set_header X-Forwarded-Proto $scheme;
    }`
}

// twoServers starts nginx and an app server, passes a stop on to both and tells
// the process id of the app server in a file.
const twoServers = `nginx=$1 conf=$2 pid=$3; shift 3
"$@" & app=$!; echo $app >"$pid"
"$nginx" -c "$conf" & front=$!
trap 'kill -TERM $front $app' TERM
wait $app; wait $front; wait`

// nginxFile is nginx alone, with a file of what the hello app answers.
func nginxFile() Peer {
	return Peer{
		Name:     "nginx-file",
		About:    "nginx serving a file that holds the answer: what a fast web server needs without any app.",
		Protocol: HTTP, KeepAlive: true,
		Runs:    Hello | Static,
		Needs:   func(t Tools) string { return missing(t.Nginx, "nginx (apt-get install nginx)") },
		Version: nginxVersion,
		Shape:   withoutThreads("has no threads"),
		Command: func(p *Plan) ([]string, error) {
			if _, err := p.File("hello.txt", "Hello World!"); err != nil {
				return nil, err
			}
			locations := fmt.Sprintf(`
    location = / { root %s; try_files /hello.txt =404; }`, p.Dir)
			if p.Static != "" {
				locations += fmt.Sprintf(`
    location /static/ { alias %s/; }`, strings.TrimSuffix(p.Static, "/"))
			}
			conf, err := p.File("nginx.conf", nginxConf(p, "", locations))
			return []string{p.Nginx, "-c", conf}, err
		},
		NoReload:  "it runs no app",
		NoWorkers: "it runs no app",
	}
}

// nginxConf is the configuration of Debian's package without logs, with as many workers as the
// app has processes and no limits on connections.
func nginxConf(p *Plan, before, locations string) string {
	user := ""
	if os.Getuid() == 0 {
		user = "user root;\n" // else its workers, who are nobody, may not enter the directory
	}
	log := "off"
	if p.Log {
		log = p.Dir + "/access.log"
	}
	var temporary strings.Builder
	for _, kind := range []string{"client_body", "proxy", "fastcgi", "uwsgi", "scgi"} {
		fmt.Fprintf(&temporary, "  %s_temp_path %s/%s;\n", kind, p.Dir, kind)
	}
	return user + fmt.Sprintf(`daemon off;
worker_processes %[1]d;
pid %[2]s/nginx.pid;
error_log stderr;
events { worker_connections %[3]s; }
http {
  access_log %[4]s;
  default_type text/plain;
  sendfile on;
  keepalive_timeout %[5]s;
  keepalive_requests 1000000000;
  client_max_body_size 0;
%[6]s%[7]s  server {
    listen %[8]s backlog=%[9]s;%[10]s
  }
}
`, p.Processes, p.Dir, connections, log, idleSeconds, temporary.String(), before, p.Addr(), backlog, locations)
}

func nginxVersion(t Tools) string {
	out, err := exec.Command(t.Nginx, "-v").CombinedOutput()
	_, version, found := strings.Cut(strings.TrimSpace(string(out)), "nginx version: ")
	if err != nil || !found {
		return "nginx, version unknown"
	}
	return version
}
