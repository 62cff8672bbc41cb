package e2e

import (
	"bufio"
	"bytes"
	"cmp"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/uwsgo/uwsgo/cmd/uwsgo/internal/servertest"
	"github.com/uwsgo/uwsgo/codec/uwsgi"
)

// The files of testdata/routing hold pairs of rules and requests with what reference uWSGI
// answers. Blocks are separated by empty lines:
//
//	# what it is about
//	route = ^/a addheader:X-A: 1        rules
//	> /a?b | X-Name: value              a request over HTTP, with header fields; GET unless a
//	> POST /a                           method stands first
//	>> PATH_INFO=/a | REMOTE_USER=x     one over the uwsgi protocol, with its variables
//	< 200 Content-Type=text/plain X-A=1 | app +X=1    the answer of uWSGI
//	! 403 | no                          that of uwsgo, where it is another,
//	= reason                            and words of the row of docs/compatibility.md that says why
//
// The answer of the app is how its environ differs from that of the same request without
// rules. All blocks of a file are in one configuration: a header field says which one is
// meant.
//
// With -record the answers of both servers are written down anew; reasons are for you to give.
var record = flag.Bool("record", false, "write down what uWSGI and uwsgo answer to the pairs of testdata/routing")

// routePair is a request and its answers.
type routePair struct {
	request, want, own, reason string
}

type routeBlock struct {
	comments, rules []string
	pairs           []routePair
}

func readPairs(t *testing.T, name string) (blocks []routeBlock) {
	t.Helper()
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	for i, part := range strings.Split(strings.TrimSpace(string(text)), "\n\n") {
		var b routeBlock
		for line := range strings.SplitSeq(strings.TrimSpace(part), "\n") {
			kind, rest, _ := strings.Cut(line, " ")
			last := len(b.pairs) - 1
			switch {
			case kind == "#":
				b.comments = append(b.comments, line)
			case kind == ">" || kind == ">>":
				b.pairs = append(b.pairs, routePair{request: line})
			case last < 0:
				b.rules = append(b.rules, line)
			case kind == "<":
				b.pairs[last].want = rest
			case kind == "!":
				b.pairs[last].own = rest
			case kind == "=":
				b.pairs[last].reason = rest
			default:
				t.Fatalf("%s: block %d: %q", name, i+1, line)
			}
		}
		blocks = append(blocks, b)
	}
	return blocks
}

func writePairs(t *testing.T, name string, blocks []routeBlock) {
	t.Helper()
	var out strings.Builder
	for i, b := range blocks {
		if i > 0 {
			out.WriteByte('\n')
		}
		for _, line := range slices.Concat(b.comments, b.rules) {
			out.WriteString(line + "\n")
		}
		for _, p := range b.pairs {
			out.WriteString(p.request + "\n< " + p.want + "\n")
			if p.own != "" {
				out.WriteString("! " + p.own + "\n= " + p.reason + "\n")
			}
		}
	}
	if err := os.WriteFile(name, []byte(out.String()), 0o644); err != nil {
		t.Fatal(err)
	}
}

// rulesOf puts the rules of all blocks into one configuration. Each table goes past the
// rules of the blocks that are not meant.
func rulesOf(blocks []routeBlock) string {
	var out strings.Builder
	for i, b := range blocks {
		byTable := map[string][]string{}
		for _, rule := range b.rules {
			table := "route"
			for _, other := range []string{"error-route", "response-route", "final-route"} {
				if strings.HasPrefix(rule, other) {
					table = other
				}
			}
			// Labels are those of the block.
			rule = strings.NewReplacer(" goto:", fmt.Sprintf(" goto:b%d-", i), "route-label = ", fmt.Sprintf("route-label = b%d-", i)).Replace(rule)
			byTable[table] = append(byTable[table], rule)
		}
		for _, table := range []string{"route", "error-route", "response-route", "final-route"} {
			if rules := byTable[table]; len(rules) > 0 {
				fmt.Fprintf(&out, "%s-if-not = equal:${HTTP_X_CASE};%d goto:after%d\n%s\n%s-run = last:\n%s-label = after%d\n",
					table, i, i, strings.Join(rules, "\n"), table, table, i)
			}
		}
	}
	return out.String()
}

// pairsApp answers with its environ. The status is in the path, as in /status/404.
const pairsApp = `
import os
SKIP = ("HTTP_X_CASE", "REMOTE_PORT", "SERVER_PORT", "SERVER_NAME", "UWSGI_ROUTER", "DOCUMENT_ROOT")
def application(environ, start_response):
    path = environ["PATH_INFO"]
    status = path[8:11] if path.startswith("/status/") else "200"
    headers = [("Content-Type", "text/plain"), ("X-App", "1")]
    if "cookies" in path:
        headers += [("Set-Cookie", "a=1"), ("Set-Cookie", "b=2")]
    if path == "/pull":
        headers.append(("X-Pull", "2"))
    if path == "/sendfile":
        headers.append(("X-Sendfile", os.getcwd() + "/page.html"))
    start_response(status + " Some Words", headers)
    lines = []
    for key, value in sorted(environ.items()):
        if isinstance(value, str) and not key.startswith("uwsgi.") and (key not in SKIP or key == "DOCUMENT_ROOT" and "routed" in value):
            lines.append(key + "=" + ascii(value)[1:-1])
    return ["\n".join(lines).encode()]
`

// routeServer is one of the two servers with the rules of a file.
type routeServer struct {
	http, uwsgi string // addresses
}

func startRouted(t *testing.T, program, rules string) *routeServer {
	t.Helper()
	dir := shortTempDir(t)
	write(t, dir, "app.py", pairsApp)
	write(t, dir, "users", "crypt:abNANd1rDfiNc\nsha:{SHA}5en6G6MezRroT3XKqkdPOmY/BfQ=\n")
	write(t, dir, "page.html", "<p>page</p>\n")
	write(t, dir, "style.css", "css\n")
	write(t, dir, "empty", "")
	if err := os.MkdirAll(filepath.Join(dir, "folder"), 0o755); err != nil {
		t.Fatal(err)
	}
	write(t, dir, "folder/inner.txt", "inner\n")
	if err := os.Chtimes(filepath.Join(dir, "page.html"), time.Unix(1_000_000_000, 0), time.Unix(1_000_000_000, 0)); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("page.html", filepath.Join(dir, "link")); err != nil {
		t.Fatal(err)
	}
	write(t, dir, "tool", "#!/bin/sh\n")
	if err := os.Chmod(filepath.Join(dir, "tool"), 0o755); err != nil {
		t.Fatal(err)
	}
	s := &routeServer{http: "127.0.0.1:" + freePort(t), uwsgi: "127.0.0.1:" + freePort(t)}
	// A file of its own, as uWSGI takes a comma or $( for its own in some places. A route in which no rule
	// stands has no request but the first one answered.
	write(t, dir, "rules.ini", "[uwsgi]\nhttp-socket = "+s.http+"\nsocket = "+s.uwsgi+"\nwsgi-file = app.py\nmaster = true\nneed-app = true\ndisable-logging = true\ndie-on-term = true\nstatic-map = /files=folder\n"+
		"buffer-size = 16384\ncollect-header = X-App X_OF_APP\npull-header = X-Pull PULLED\ncollect-header = X-Sendfile X_SENDFILE\ncollect-header = Content-Type OF_TYPE\n"+strings.ReplaceAll(rules, "DIR", dir))
	cmd := servertest.Command(program, dir, testenv(t), "--ini", "rules.ini")
	p := servertest.Launch(t, cmd)
	t.Cleanup(func() {
		servertest.KillAll(p.Mark)
		<-p.Ended
	})
	eventually(t, "an answer", func() error {
		select {
		case <-p.Ended:
			t.Fatalf("%s has ended: %v\n%s", program, p.Err(), p.Log.String())
		default:
		}
		_, err := s.ask("> /", -1)
		return err
	})
	return s
}

// ask sends a request for the rules of a block and tells of the answer.
func (s *routeServer) ask(request string, block int) (string, error) {
	kind, rest, _ := strings.Cut(request, " ")
	parts := strings.Split(rest, " | ")
	var bytes []byte
	addr, method := s.http, "GET"
	if kind == ">>" {
		vars := []uwsgi.Var{{Name: "REQUEST_METHOD", Value: "GET"}, {Name: "SERVER_PROTOCOL", Value: "HTTP/1.1"}, {Name: "HTTP_HOST", Value: "h.example"}, {Name: "HTTP_X_CASE", Value: fmt.Sprint(block)}}
		for _, part := range parts {
			name, value, _ := strings.Cut(part, "=")
			vars = append(vars, uwsgi.Var{Name: name, Value: value})
		}
		var err error
		if bytes, err = uwsgi.AppendPacket(nil, 0, 0, vars); err != nil {
			return "", err
		}
		addr = s.uwsgi
	} else {
		target := parts[0]
		if m, t, ok := strings.Cut(target, " "); ok {
			method, target = m, t
		}
		host := "Host: h.example\r\n"
		fields := ""
		for _, f := range parts[1:] {
			if strings.HasPrefix(f, "Host:") {
				host = ""
			}
			fields += f + "\r\n"
		}
		bytes = fmt.Appendf(nil, "%s %s HTTP/1.1\r\n%sConnection: close\r\nX-Case: %d\r\n%s\r\n", method, target, host, block, fields)
	}
	return rawAnswer(addr, method, bytes)
}

// rawAnswer sends bytes and tells of the answer what a client goes by.
func rawAnswer(addr, method string, request []byte) (string, error) {
	c, err := net.Dial("tcp", addr)
	if err != nil {
		return "", err
	}
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(60 * time.Second))
	if _, err := c.Write(request); err != nil {
		return "", err
	}
	b := bufio.NewReader(c)
	if _, err := b.Peek(1); errors.Is(err, io.EOF) {
		return "none", nil
	}
	resp, err := http.ReadResponse(b, &http.Request{Method: method})
	if err != nil {
		return "broken", nil //nolint:nilerr // that is what a client gets
	}
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return fmt.Sprintf("%d broken", resp.StatusCode), nil //nolint:nilerr // likewise
	}
	got := fmt.Sprint(resp.StatusCode)
	var names []string
	for name := range resp.Header {
		if !slices.Contains([]string{"Connection", "Content-Length", "Date", "Server", "Keep-Alive", "Last-Modified", "Accept-Ranges", "Etag"}, name) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	for _, name := range names {
		for _, v := range resp.Header[name] {
			got += " " + name + "=" + v
		}
	}
	if len(body) > 0 {
		got += " | " + string(body)
	}
	return got, nil
}

// answerTo is what a server answers to a request for a block. Of the app's environ it has what rules have
// changed.
func (s *routeServer) answerTo(request string, block int) (string, error) {
	got, err := s.ask(request, block)
	if err != nil {
		return "", err
	}
	head, body, _ := strings.Cut(got, " | ")
	if !strings.Contains(body, "\nwsgi.url_scheme=") {
		return strings.ReplaceAll(got, "\n", `\n`), nil
	}
	plain, err := s.ask(request, -1)
	if err != nil {
		return "", err
	}
	_, before, _ := strings.Cut(plain, " | ")
	was, is := strings.Split(before, "\n"), strings.Split(body, "\n")
	changes := []string{"app"}
	for _, line := range is {
		if !slices.Contains(was, line) {
			changes = append(changes, "+"+line)
		}
	}
	for _, line := range was {
		name, _, _ := strings.Cut(line, "=")
		if !slices.ContainsFunc(is, func(s string) bool { return strings.HasPrefix(s, name+"=") }) {
			changes = append(changes, "-"+name)
		}
	}
	return head + " | " + strings.Join(changes, " "), nil
}

// routingReference is a uWSGI with routing, or nothing.
func routingReference(t *testing.T) string {
	t.Helper()
	program := cmp.Or(os.Getenv("UWSGO_ROUTING_UWSGI"), filepath.Join(testenv(t), "bin", "uwsgi"))
	out, _ := exec.Command(program, "--help").CombinedOutput()
	if !bytes.Contains(out, []byte("--route-run")) {
		return ""
	}
	return program
}

// The same status, headers and environ for pairs of rules and requests as in uWSGI. Where there is a
// uWSGI with routing, it is asked as well.
func TestRulesAsReference(t *testing.T) {
	compatibility, err := os.ReadFile(filepath.Join(root, "docs", "compatibility.md"))
	if err != nil {
		t.Fatal(err)
	}
	names, err := filepath.Glob("testdata/routing/*.txt")
	if err != nil {
		t.Fatal(err)
	}
	reference, count := routingReference(t), 0
	if *record && reference == "" {
		t.Fatal("there is no uWSGI with routing: name one in UWSGO_ROUTING_UWSGI")
	}
	for _, name := range names {
		blocks := readPairs(t, name)
		for _, b := range blocks {
			count += len(b.pairs)
		}
		t.Run(strings.TrimSuffix(filepath.Base(name), ".txt"), func(t *testing.T) {
			rules := rulesOf(blocks)
			if reference != "" {
				theirs := startRouted(t, reference, rules)
				for i := range blocks {
					for j := range blocks[i].pairs {
						p := &blocks[i].pairs[j]
						got, err := theirs.answerTo(p.request, i)
						if err != nil {
							t.Errorf("uWSGI: %s\n%s\n%v", strings.Join(blocks[i].rules, "\n"), p.request, err)
						} else if *record {
							p.want = got
						} else if got != p.want {
							t.Errorf("uWSGI: %s\n%s\ngot  %s\nwant %s", strings.Join(blocks[i].rules, "\n"), p.request, got, p.want)
						}
					}
				}
			}
			ours := startRouted(t, binary, rules)
			for i, b := range blocks {
				for j, p := range b.pairs {
					want := p.want
					if p.own != "" {
						want = p.own
						if p.reason == "" || !strings.Contains(string(compatibility), p.reason) {
							t.Errorf("%s\n%s: docs/compatibility.md does not say %q", strings.Join(b.rules, "\n"), p.request, p.reason)
						}
					}
					got, err := ours.answerTo(p.request, i)
					if *record {
						if blocks[i].pairs[j].own = got; got == p.want {
							blocks[i].pairs[j].own = ""
						}
					} else if err != nil || got != want {
						t.Errorf("%s\n%s\ngot  %s %v\nwant %s", strings.Join(b.rules, "\n"), p.request, got, err, want)
					}
				}
			}
			if *record {
				writePairs(t, name, blocks)
			}
		})
	}
	if count < 300 {
		t.Errorf("%d pairs are left", count)
	}
}
