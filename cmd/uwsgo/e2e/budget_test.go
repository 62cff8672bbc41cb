package e2e

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// bodiesApp is testdata/bodies.py in a folder of its own.
func bodiesApp(t *testing.T) (dir string) {
	t.Helper()
	dir = t.TempDir()
	app, err := os.ReadFile(filepath.Join(root, "cmd/uwsgo/e2e/testdata/bodies.py"))
	if err != nil {
		t.Fatal(err)
	}
	write(t, dir, "bodies.py", string(app))
	return dir
}

// TestNoFolderForBodies has a server that cannot make temporary files say so at the
// start, and take large bodies all the same.
func TestNoFolderForBodies(t *testing.T) {
	dir := bodiesApp(t)
	addr := "127.0.0.1:" + freePort(t)
	cmd := command(dir, "--http", addr, "--wsgi-file", "bodies.py", "--post-buffering", "65536")
	cmd.Env = append(cmd.Environ(), "TMPDIR="+filepath.Join(dir, "missing"))
	s := launch(t, cmd)
	s.waitAnswer(t, "http://"+addr+"/", 200)
	s.waitLog(t, "set TMPDIR to a folder that can be written")
	body := bytes.Repeat([]byte("0123456789"), 50_000)
	a, err := ask("POST", "http://"+addr+"/", bytes.NewReader(body), nil)
	if err != nil {
		t.Fatal(err)
	}
	wantBody(t, a, 200, fmt.Sprintf("%d %x", len(body), sha256.Sum256(body)))
}

// TestUploadsLeaveDescriptors has more uploads than there are descriptors for. Others
// are served beside them, and a file is never answered by the app.
func TestUploadsLeaveDescriptors(t *testing.T) {
	dir := bodiesApp(t)
	write(t, dir, "static.txt", strings.Repeat("static", 20_000))
	addr, stats := "127.0.0.1:"+freePort(t), "127.0.0.1:"+freePort(t)
	cmd := command(dir, "--http", addr, "--stats", stats, "--wsgi-file", "bodies.py", "--static-map", "/static="+dir,
		"--post-buffering", "65536") // else they lie in memory that workers share
	sh, err := exec.LookPath("sh")
	if err != nil {
		t.Skip(err)
	}
	cmd.Args = append([]string{"sh", "-c", `ulimit -n 512 && exec "$@"`, "sh", cmd.Path}, cmd.Args[1:]...)
	cmd.Path = sh
	s := launch(t, cmd)
	s.waitAnswer(t, "http://"+addr+"/", 200)
	upload := []byte("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 200000\r\n\r\n" + strings.Repeat("x", 100_000))
	refused := make(chan bool, 300)
	for range 300 {
		c, err := net.Dial("tcp", addr)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = c.Close() })
		go func() {
			_, _ = c.Write(upload)
			_ = c.SetReadDeadline(time.Now().Add(20 * time.Second))
			b := make([]byte, 12)
			n, _ := c.Read(b)
			refused <- string(b[:n]) == "HTTP/1.1 503"
		}()
	}
	if !<-refused {
		t.Fatal("the first answer of an upload that does not end is not 503")
	}
	wantStatus := func(url string, want ...int) {
		t.Helper()
		eventually(t, url, func() error {
			a, err := ask("GET", url, nil, nil)
			if err != nil {
				return err
			}
			if !slices.Contains(want, a.status) {
				return fmt.Errorf("status %d", a.status)
			}
			return nil
		})
	}
	wantStatus("http://"+addr+"/", 200)
	wantStatus("http://"+stats+"/", 200)
	a, err := ask("GET", "http://"+addr+"/static/static.txt", nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	if a.status != 503 && !strings.HasPrefix(a.body, "staticstatic") {
		t.Errorf("a file was answered with %d %.40q", a.status, a.body)
	}
}
