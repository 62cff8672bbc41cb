package e2e

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// example is a private copy of one folder of docs/examples, with addresses that
// no other test uses. Everything else is as a reader of the docs finds it.
type example struct {
	dir   string
	http  string // URL of what the docs have on port 9090
	nginx string // URL of what the docs have on port 8080
	uwsgi string // address of what the docs have on 127.0.0.1:3031
	stats string // address of what the docs have on 127.0.0.1:9191
	unix  string // path of what the docs have as /tmp/uwsgi.sock
}

// copyExample copies docs/examples and gives the folder name of it.
func copyExample(t *testing.T, name string) *example {
	t.Helper()
	top := shortTempDir(t)
	if err := os.CopyFS(top, os.DirFS(filepath.Join(root, "docs", "examples"))); err != nil {
		t.Fatal(err)
	}
	http, nginx, uwsgi, stats := freePort(t), freePort(t), freePort(t), freePort(t)
	e := &example{
		dir:   filepath.Join(top, name),
		http:  "http://127.0.0.1:" + http,
		nginx: "http://127.0.0.1:" + nginx,
		uwsgi: "127.0.0.1:" + uwsgi,
		stats: "127.0.0.1:" + stats,
		unix:  filepath.Join(top, "uwsgi.sock"),
	}
	own := strings.NewReplacer("9090", http, "8080", nginx, "3031", uwsgi, "9191", stats, "/tmp/uwsgi.sock", e.unix)
	for _, file := range []string{"README.md", "myapp.ini", "nginx.conf"} {
		path := filepath.Join(e.dir, file)
		text, err := os.ReadFile(path)
		if os.IsNotExist(err) {
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(own.Replace(string(text))), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return e
}

// start runs the uwsgo command of the example's README.
func (e *example) start(t *testing.T, more ...string) *server {
	t.Helper()
	readme, err := os.ReadFile(filepath.Join(e.dir, "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(readme)) {
		if args, ok := strings.CutPrefix(line, "    uwsgo "); ok {
			return start(t, e.dir, append(strings.Fields(args), more...)...)
		}
	}
	t.Fatalf("no uwsgo command in %s/README.md", e.dir)
	return nil
}

// startNginx runs nginx with the example's nginx.conf and waits until it listens.
func (e *example) startNginx(t *testing.T) {
	t.Helper()
	nginx, err := exec.LookPath("nginx")
	if err != nil {
		nginx = "/usr/sbin/nginx" // not in every user's PATH
		if _, err := os.Stat(nginx); err != nil {
			t.Skip("SKIP: no nginx here: apt-get install nginx-light, or make testenv as root")
		}
	}
	dir := shortTempDir(t)
	params, err := os.ReadFile("/etc/nginx/uwsgi_params")
	if err != nil {
		t.Skip("SKIP: nginx has no uwsgi_params: ", err)
	}
	write(t, dir, "uwsgi_params", string(params)) // includes are relative to the main file
	main := "daemon off;\nmaster_process off;\npid nginx.pid;\nerror_log stderr;\nevents {}\nhttp {\n  access_log off;\n"
	if os.Getuid() == 0 {
		main = "user root;\n" + main // else it may not enter the directories of this test
	}
	for _, kind := range []string{"client_body", "proxy", "fastcgi", "uwsgi", "scgi"} {
		main += "  " + kind + "_temp_path " + kind + ";\n"
	}
	main += "  include " + filepath.Join(e.dir, "nginx.conf") + ";\n}\n"
	cmd := exec.Command(nginx, "-p", dir, "-c", write(t, dir, "nginx.conf", main))
	cmd.Env, cmd.SysProcAttr = os.Environ(), command(dir).SysProcAttr
	front := launch(t, cmd)
	eventually(t, "nginx", func() error {
		_, err := ask("GET", e.nginx+"/not-the-app-s-concern", nil, nil)
		if err != nil && !front.alive() {
			t.Fatalf("nginx ended:\n%s", front.log)
		}
		return err
	})
}

// shortTempDir is t.TempDir with a path short enough for a unix socket.
func shortTempDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "e2e-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return dir
}
