package e2e

import (
	"bufio"
	"encoding/hex"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// TestPathsBesideUWSGI sends every spelling of a path of the codec's table to the server and
// to uWSGI, by both of its ways to speak HTTP, and compares PATH_INFO with the table.
func TestPathsBesideUWSGI(t *testing.T) {
	table, err := os.ReadFile(filepath.Join(root, "codec/http1/testdata/paths.tsv"))
	if err != nil {
		t.Fatal(err)
	}
	dir := shortTempDir(t)
	write(t, dir, "path.py", `def application(environ, start_response):
    body = environ["PATH_INFO"].encode("latin-1")
    start_response("200 OK", [("Content-Length", str(len(body))), ("X-Uri", environ["REQUEST_URI"].encode("latin-1").hex())])
    return [body]
`)
	ports := map[string]string{"uwsgo": freePort(t), "http-socket": freePort(t), "http": freePort(t)}
	start(t, dir, "--http", "127.0.0.1:"+ports["uwsgo"], "--wsgi-file", "path.py").waitAnswer(t, "http://127.0.0.1:"+ports["uwsgo"]+"/", 200)
	reference := filepath.Join(testenv(t), "bin", "uwsgi")
	for _, option := range []string{"http-socket", "http"} {
		if _, err := os.Stat(reference); err != nil {
			t.Log("SKIP: no uWSGI to compare with: ", err)
			delete(ports, option)
			continue
		}
		cmd := exec.Command(reference, "--"+option, "127.0.0.1:"+ports[option], "--wsgi-file", "path.py", "--master", "--die-on-term", "--disable-logging")
		cmd.Dir = dir
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			_ = cmd.Process.Signal(stopSignal)
			_ = cmd.Wait()
		})
		eventually(t, "uWSGI", func() error {
			_, err := pathInfo(ports[option], "/")
			return err
		})
	}
	for line := range strings.Lines(string(table)) {
		if strings.HasPrefix(line, "#") {
			continue
		}
		c := strings.Split(line, "\t")
		target, err := strconv.Unquote(c[0])
		if err != nil {
			t.Fatal(err)
		}
		for server, port := range ports {
			column := c[2]
			if server == "uwsgo" {
				column = c[1]
			}
			want := column
			if unquoted, err := strconv.Unquote(column); err == nil {
				want = strconv.Quote(unquoted)
			}
			if column == "-" { // no answer that could be read
				continue
			}
			if got, err := pathInfo(port, target); got != want || err != nil {
				t.Errorf("%s, %q: %s, %v; the table has %s", server, target, got, err, want)
			}
		}
	}
}

// pathInfo asks for a target and returns what PATH_INFO was, quoted, or the status of a
// refusal.
func pathInfo(port, target string) (string, error) {
	c, err := net.Dial("tcp", "127.0.0.1:"+port)
	if err != nil {
		return "", err
	}
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(patience))
	if _, err := io.WriteString(c, "GET "+target+" HTTP/1.1\r\nHost: example.com\r\nConnection: close\r\n\r\n"); err != nil {
		return "", err
	}
	resp, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		return "", err
	}
	body, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != 200 {
		return strconv.Itoa(resp.StatusCode), err
	}
	uri, err := hex.DecodeString(resp.Header.Get("X-Uri"))
	if err != nil {
		return "", err
	}
	if string(uri) != target {
		return "", fmt.Errorf("REQUEST_URI is %q", uri)
	}
	return strconv.Quote(string(body)), nil
}
