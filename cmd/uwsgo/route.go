package main

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/uwsgo/uwsgo/cmd/internal/accesslog"
	"github.com/uwsgo/uwsgo/cmd/internal/config"
	"github.com/uwsgo/uwsgo/cmd/internal/ini"
	"github.com/uwsgo/uwsgo/cmd/internal/option"
	"github.com/uwsgo/uwsgo/codec"
	"github.com/uwsgo/uwsgo/codec/uwsgi"
	"github.com/uwsgo/uwsgo/engine"
	"github.com/uwsgo/uwsgo/handler/route"
	"github.com/uwsgo/uwsgo/handler/wsgi"
)

// routeUsage is printed when no request is given.
const routeUsage = `uwsgo route tells what the rules of a configuration do with a request. It runs no Python, and listens nowhere.

  uwsgo route FILE [OPTIONS]     options as for a start

  --url URL               http://host/path?query, or /path?query; it is sent as it stands
  --method METHOD         GET
  --header 'NAME: VALUE'  any number
  --data TEXT             the body
  --remote-addr ADDR      whose request it is (127.0.0.1)
  --var NAME=VALUE        asks over the uwsgi protocol, as nginx does, with this variable, too
  --status STATUS         what the app answers (200), for error-route and response-route
  --expect WHO            app, file, rule, server, closed, or a status: exit with 2 if it is another
  --json

It exits with 0 if the request comes to the app or to a file, 3 if a rule or the server itself answers
it, 1 on errors. docs/routing.md tells more.
`

// The exit codes of uwsgo route.
const (
	exitUnexpected = 2
	exitAnswered   = 3
)

// trial is a request for a configuration, and what becomes of it.
type trial struct {
	url, method, data, addr, expect string
	headers, vars                   []string
	status                          int
	json                            bool

	left []string // rules with actions that uwsgo does not have
	// redirects is the place of http-to-https in the configuration, if the address has it; else
	// empty.
	redirects string

	mu      sync.Mutex // guards what the loop writes, below
	Steps   []route.Step
	Log     []string
	passed  bool // the rules
	app     *reached
	outcome engine.Outcome

	head []string // status line and headers of the answer; empty without an answer
	body []byte
}

// reached is the app that gets the request.
type reached struct {
	Name    string
	Environ []wsgi.Variable
}

// parseTrial takes the options of the command out of args.
func parseTrial(args []string) (t *trial, rest []string, err error) {
	t = &trial{method: http.MethodGet, addr: "127.0.0.1", status: http.StatusOK}
	status := ""
	texts := map[string]*string{"--url": &t.url, "--method": &t.method, "--data": &t.data, "--remote-addr": &t.addr, "--expect": &t.expect, "--status": &status}
	lists := map[string]*[]string{"--header": &t.headers, "--var": &t.vars}
	for i := 0; i < len(args); i++ {
		name, value, has := strings.Cut(args[i], "=")
		text, list := texts[name], lists[name]
		switch {
		case args[i] == "--":
			rest = append(rest, args[i:]...)
			i = len(args)
			continue
		case args[i] == "--json" && !t.json: // a second one is uWSGI's option
			t.json = true
			continue
		case text == nil && list == nil:
			rest = append(rest, args[i])
			continue
		}
		if !has {
			if i++; i == len(args) {
				return nil, nil, fmt.Errorf("%s needs a value", name)
			}
			value = args[i]
		}
		if text != nil {
			*text = value
		} else {
			*list = append(*list, value)
		}
	}
	if status != "" {
		if t.status, err = strconv.Atoi(status); err != nil || t.status < 200 || t.status > 999 {
			return nil, nil, fmt.Errorf("--status: %q is no status, such as 404", status)
		}
	}
	if t.url == "" {
		return nil, nil, errors.New("--url is missing: --url /path, or --url https://host/path?query")
	}
	if err := t.check(); err != nil {
		return nil, nil, err
	}
	return t, rest, nil
}

// check refuses values that would make another request than the user means.
func (t *trial) check() error {
	for name, text := range map[string]string{"--url": t.url, "--method": t.method} {
		if strings.ContainsFunc(text, func(r rune) bool { return r <= ' ' || r == 0x7f }) {
			return fmt.Errorf("%s: %q has a blank or control character: write %%20 for a blank", name, text)
		}
	}
	for _, h := range t.headers {
		if name, _, ok := strings.Cut(h, ":"); !ok || name == "" || strings.ContainsAny(h, "\r\n\x00") {
			return fmt.Errorf("--header: %q is not of the form 'Name: value'", h)
		}
	}
	for _, v := range t.vars {
		if name, _, ok := strings.Cut(v, "="); !ok || name == "" {
			return fmt.Errorf("--var: %q is not of the form NAME=VALUE", v)
		}
	}
	if _, err := netip.ParseAddr(t.addr); err != nil && t.addr != "" {
		return fmt.Errorf("--remote-addr: %q is no address", t.addr)
	}
	if _, err := strconv.Atoi(t.expect); err != nil && !slices.Contains([]string{"", "app", "file", "rule", "server", "closed"}, t.expect) {
		return fmt.Errorf("--expect: %q is none of app, file, rule, server, closed, nor a status", t.expect)
	}
	return nil
}

// tryRoute does what "uwsgo route" asks for and returns the exit code.
func tryRoute(args []string, out io.Writer) int {
	if len(args) == 0 || len(args) == 1 && (args[0] == "--help" || args[0] == "-h") {
		if len(args) == 0 {
			_, _ = os.Stderr.WriteString(routeUsage)
			return exitConfig
		}
		_, _ = io.WriteString(out, routeUsage)
		return exitOK
	}
	t, rest, err := parseTrial(args)
	if err != nil {
		return fail(err)
	}
	cfg, err := config.Load(rest, os.Environ(), ini.OS(os.Stdin))
	if err != nil {
		return fail(err)
	}
	switch {
	case cfg.Action != config.Run:
		return fail(errors.New("no configuration of a server is named: uwsgo route FILE --url URL"))
	case len(cfg.Emperor.Monitors) > 0:
		return fail(errors.New("an emperor answers no requests: name the file of a vassal"))
	}
	for _, w := range cfg.Warnings {
		_, _ = os.Stderr.Write(accesslog.AppendPrintable(nil, []byte("*** WARNING: "+w+" ***\n")))
	}
	if err := t.run(cfg); err != nil {
		return fail(err)
	}
	var text bytes.Buffer
	if t.json {
		err = t.writeJSON(&text)
	} else {
		t.write(&text)
	}
	if err == nil {
		written := text.Bytes()
		if !t.json {
			written = accesslog.AppendPrintable(nil, written)
		}
		_, err = out.Write(written)
	}
	if err != nil {
		return fail(err)
	}
	who, status := t.who(), strconv.Itoa(t.outcome.Status)
	if len(t.head) == 0 {
		status = ""
	}
	switch {
	case t.expect != "":
		if t.expect != who && t.expect != status {
			fail(fmt.Errorf("%s was expected, and it is %s", t.expect, strings.TrimSpace(who+" "+status)))
			return exitUnexpected
		}
		return exitOK
	case who == "app" || who == "file":
		return exitOK
	}
	return exitAnswered
}

// who tells who has answered.
func (t *trial) who() string {
	switch {
	case len(t.head) == 0:
		return "closed"
	case t.replaced() != nil:
		return "rule"
	case t.app != nil:
		return "app"
	case t.passed && t.outcome.Status < 400:
		return "file"
	case t.passed:
		return "server" // no such app or file
	}
	return "server"
}

// redirected reports whether http-to-https has answered.
func (t *trial) redirected() bool {
	return t.redirects != "" && !t.passed && len(t.Steps) == 0 && (t.outcome.Status == 301 || t.outcome.Status == 308)
}

// replaced returns the rule that answers; nil for none.
func (t *trial) replaced() *route.Step {
	for i := range slices.Backward(t.Steps) {
		s := &t.Steps[i]
		if s.Rule.Table() != "final-route" && (s.Then == route.ThenAnswer || s.Then == route.ThenRefuse) {
			return s
		}
	}
	return nil
}

// trialTime is how long a request may take that no app answers. Passwords are slow on purpose.
const trialTime = time.Minute

// run sends the request to a server with the configuration, on a socket of its own.
func (t *trial) run(cfg *config.Config) error {
	home, err := os.Getwd()
	if err != nil {
		return err
	}
	dir := home
	if cfg.Chdir != "" {
		if dir = cfg.Chdir; !filepath.IsAbs(dir) {
			dir = filepath.Join(home, dir)
		}
		if err := os.Chdir(dir); err != nil {
			return fmt.Errorf("chdir: %w", err)
		}
	}
	for _, e := range cfg.Lost {
		if option.Routes(e.Key) {
			t.left = append(t.left, e.Origin.Name(e.Key)+" = "+e.Value)
		}
	}
	logf := func(format string, args ...any) {
		t.mu.Lock()
		defer t.mu.Unlock()
		t.Log = append(t.Log, fmt.Sprintf(format, args...))
	}
	s := &site{cfg: cfg, home: home, dir: dir}
	list := newApp(s, ownPath(), logf).list()
	apps, err := wsgi.NewPreview(list, wsgi.Options{ManageScriptName: cfg.ManageScriptName, NoDefaultApp: cfg.NoDefaultApp, Logf: logf}, func(x *engine.Exchange, app int, environ []wsgi.Variable) {
		t.mu.Lock()
		t.app = &reached{list[app].String(), environ}
		t.mu.Unlock()
		resp := x.Response()
		resp.Status = t.status
		resp.Header = append(resp.Header, codec.Header{Name: []byte("Content-Type"), Value: []byte("text/html; charset=utf-8")})
		x.Reply(resp, nil)
	})
	if err != nil {
		return err
	}
	c := &chain{site: s, logf: logf}
	c.rules.Pool = engine.NewPool(1, 16, logf)
	defer c.rules.Pool.Close()
	c.rules.Paths, c.rules.Upstream = apps.Paths, told(t.status)
	c.rules.Trace = func(s route.Step) {
		t.mu.Lock()
		defer t.mu.Unlock()
		t.Steps = append(t.Steps, s)
	}
	c.passed = func(next engine.Handler) engine.Handler {
		return engine.HandlerFunc(func(x *engine.Exchange) {
			t.mu.Lock()
			t.passed = true
			t.mu.Unlock()
			next.Serve(x)
		})
	}
	return t.ask(c, apps)
}

// ask sends the request to a server with the chain c in front of apps, and reads the answer.
func (t *trial) ask(c *chain, apps engine.Handler) error {
	cfg := c.cfg
	finished := make(chan struct{})
	var once sync.Once
	every, err := everyAnswer(cfg)
	if err != nil {
		return err
	}
	server, err := engine.New(engine.Options{Loops: 1, Every: every, Limits: limitsOf(cfg), Logf: func(string, ...any) {}, OnFinish: func(_ *engine.Exchange, o engine.Outcome) {
		t.mu.Lock()
		t.outcome = o
		t.mu.Unlock()
		once.Do(func() { close(finished) })
	}})
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "uwsgo-route-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	o := engine.ListenOptions{}
	if len(t.vars) > 0 {
		o.Protocol = engine.UWSGI
	}
	socket := filepath.Join(dir, "s")
	ln, err := server.Listen(socket, o)
	if err != nil {
		return err
	}
	scheme, host, port, target, err := t.where(cfg)
	if err != nil {
		return err
	}
	c.secure.StrictTransport = cfg.StrictTransport
	if l := plainAt(cfg, port); l != nil && l.ToHTTPS && scheme == "http" && len(t.vars) == 0 {
		c.secure.Redirects = map[*engine.Listener]uint16{ln: l.HTTPSPort}
		t.redirects = l.Where
	}
	h, err := c.before(apps)
	if err != nil {
		return err
	}
	request, err := t.request(scheme, host, port, target)
	if err != nil {
		return err
	}
	served := make(chan error, 1)
	go func() {
		served <- server.Serve(engine.HandlerFunc(func(x *engine.Exchange) {
			if r := x.Request(); len(t.vars) == 0 { // else the packet says it
				x.SetRemote(t.addr, 50000)
				r.HTTPS = scheme == "https"
				_ = r.SetVar("SERVER_PORT", port)
			}
			h.Serve(x)
		}))
	}()
	err = t.talk(socket, request)
	if err == nil && len(t.head) > 0 { // the last rules run when the answer has gone
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		select {
		case <-finished:
		case <-ctx.Done(): // a refused request has no end
		}
	}
	_ = server.Close()
	if e := <-served; err == nil && !errors.Is(e, engine.ErrServerClosed) {
		err = e
	}
	// The rule that answers comes after the rules for its answer.
	tables := []string{"route", "error-route", "response-route", "final-route"}
	slices.SortStableFunc(t.Steps, func(a, b route.Step) int {
		return cmp.Compare(slices.Index(tables, a.Rule.Table()), slices.Index(tables, b.Rule.Table()))
	})
	return err
}

// plainAt returns the address that takes HTTP without encryption at a port; nil for none.
func plainAt(cfg *config.Config, port string) *config.Listen {
	i := slices.IndexFunc(cfg.Listens, func(l config.Listen) bool {
		_, p, err := net.SplitHostPort(l.Addr)
		return err == nil && p == port && l.Protocol == config.HTTP && l.TLS == nil
	})
	if i < 0 {
		return nil
	}
	return &cfg.Listens[i]
}

// where takes the URL apart. Without a host it is the target, as it stands.
func (t *trial) where(cfg *config.Config) (scheme, host, port, target string, err error) {
	scheme, host, target = "http", "localhost", t.url
	if s, rest, ok := strings.Cut(t.url, "://"); ok && (s == "http" || s == "https") {
		scheme, target = s, "/"
		host = rest
		if i := strings.IndexAny(rest, "/?#"); i >= 0 {
			host, target = rest[:i], rest[i:]
		}
		if !strings.HasPrefix(target, "/") {
			target = "/" + target
		}
		target, _, _ = strings.Cut(target, "#")
		u, err := url.Parse(s + "://" + host)
		if err != nil {
			return "", "", "", "", fmt.Errorf("--url: %w", err)
		}
		port = u.Port()
	}
	usual := map[string]string{"http": "80", "https": "443"}
	switch {
	case port != "":
	case target == t.url: // no scheme either: an address where requests come to the app
		scheme, port = usualAddress(cfg)
	case scheme == "http" && plainAt(cfg, usual[scheme]) == nil:
		for _, l := range cfg.Listens {
			if _, p, err := net.SplitHostPort(l.Addr); err == nil && port == "" && l.Protocol == config.HTTP && l.TLS == nil {
				port = p
			}
		}
	}
	return scheme, host, cmp.Or(port, usual[scheme]), target, nil
}

// usualAddress returns scheme and port of the first address that takes HTTP and does not send it
// elsewhere. port is empty for none.
func usualAddress(cfg *config.Config) (scheme, port string) {
	scheme = "http"
	for _, l := range cfg.Listens {
		_, p, err := net.SplitHostPort(l.Addr)
		switch {
		case err != nil || l.ToHTTPS || l.Protocol != config.HTTP:
		case l.TLS == nil:
			return "http", p
		case port == "":
			scheme, port = "https", p
		}
	}
	return scheme, port
}

// request returns the bytes of the request.
func (t *trial) request(scheme, host, port, target string) ([]byte, error) {
	hasHost := slices.ContainsFunc(t.headers, func(h string) bool {
		name, _, _ := strings.Cut(h, ":")
		return strings.EqualFold(name, "Host")
	})
	if len(t.vars) == 0 {
		lines := []string{t.method + " " + target + " HTTP/1.1"}
		if !hasHost {
			lines = append(lines, "Host: "+host)
		}
		lines = append(lines, t.headers...)
		if t.data != "" {
			lines = append(lines, "Content-Length: "+strconv.Itoa(len(t.data)))
		}
		return []byte(strings.Join(append(lines, "Connection: close"), "\r\n") + "\r\n\r\n" + t.data), nil
	}
	// What nginx sends by its uwsgi_params.
	path, query, _ := strings.Cut(target, "?")
	decoded, err := url.PathUnescape(path)
	if err != nil {
		return nil, fmt.Errorf("--url: %w", err)
	}
	vars := [][2]string{
		{"QUERY_STRING", query},
		{"REQUEST_METHOD", t.method},
		{"CONTENT_TYPE", ""},
		{"CONTENT_LENGTH", strconv.Itoa(len(t.data))},
		{"REQUEST_URI", target},
		{"PATH_INFO", decoded},
		{"SERVER_PROTOCOL", "HTTP/1.1"},
		{"REQUEST_SCHEME", scheme},
		{"REMOTE_ADDR", t.addr},
		{"REMOTE_PORT", "50000"},
		{"SERVER_PORT", port},
		{"SERVER_NAME", host},
	}
	if scheme == "https" {
		vars = append(vars, [2]string{"HTTPS", "on"})
	}
	if !hasHost {
		vars = append(vars, [2]string{"HTTP_HOST", host})
	}
	set := func(name, value string) {
		if i := slices.IndexFunc(vars, func(v [2]string) bool { return v[0] == name }); i >= 0 {
			vars = slices.Delete(vars, i, i+1)
		}
		vars = append(vars, [2]string{name, value})
	}
	for _, h := range t.headers {
		name, value, _ := strings.Cut(h, ":")
		key := "HTTP_" + strings.ToUpper(strings.ReplaceAll(name, "-", "_"))
		if key == "HTTP_CONTENT_TYPE" {
			key = "CONTENT_TYPE"
		}
		set(key, strings.TrimSpace(value))
	}
	for _, v := range t.vars {
		name, value, _ := strings.Cut(v, "=")
		set(name, value)
	}
	var list []uwsgi.Var
	for _, v := range vars {
		list = append(list, uwsgi.Var{Name: v[0], Value: v[1]})
	}
	packet, err := uwsgi.AppendPacket(nil, 0, 0, list)
	return append(packet, t.data...), err
}

// talk sends the request and reads the answer.
func (t *trial) talk(socket string, request []byte) error {
	c, err := net.Dial("unix", socket)
	if err != nil {
		return err
	}
	defer c.Close()
	if err := c.SetDeadline(time.Now().Add(trialTime)); err != nil {
		return err
	}
	sent := make(chan struct{})
	go func() { // the server may answer, and close, before it has everything
		defer close(sent)
		_, _ = c.Write(request)
	}()
	var raw bytes.Buffer
	_, err = io.Copy(&raw, io.LimitReader(c, 64<<20))
	_ = c.Close()
	<-sent
	if raw.Len() == 0 {
		if ne, ok := errors.AsType[net.Error](err); ok && ne.Timeout() {
			return fmt.Errorf("there was no answer within %v", trialTime)
		}
		return nil
	}
	head, _, _ := strings.Cut(raw.String(), "\r\n\r\n")
	t.head = strings.Split(head, "\r\n")
	resp, err := http.ReadResponse(bufio.NewReader(&raw), &http.Request{Method: t.method})
	if err != nil {
		return err
	}
	t.mu.Lock()
	t.outcome.Status = resp.StatusCode
	t.mu.Unlock()
	t.body, _ = io.ReadAll(resp.Body)
	return nil
}

// shown returns the lines of the answer's head, except those about the connection.
func (t *trial) shown() []string {
	return slices.DeleteFunc(slices.Clone(t.head), func(line string) bool {
		name, _, _ := strings.Cut(line, ":")
		return strings.EqualFold(name, "Connection") || strings.EqualFold(name, "Date")
	})
}

// mostBody is how much of a body the report shows.
const mostBody = 2 << 10

func (t *trial) write(w *bytes.Buffer) {
	for _, rule := range t.left {
		fmt.Fprintf(w, "%s\n    is left out: uwsgo has no such action\n", rule)
	}
	switch {
	case t.redirected():
		w.WriteString("no rule is asked\n")
	case len(t.Steps) == 0:
		w.WriteString("no rule matches\n")
	}
	for _, s := range t.Steps {
		fmt.Fprintf(w, "%s = %s\n", s.Rule.Where, s.Rule)
		for _, c := range s.Changes {
			fmt.Fprintf(w, "    %s\n", c)
		}
		switch s.Then {
		case route.ThenLast:
			w.WriteString("    no more rules of this table\n")
		case route.ThenAnswer:
			w.WriteString("    answers\n")
		case route.ThenRefuse:
			fmt.Fprintf(w, "    the request is refused: %v\n", s.Err)
		}
	}
	if t.app != nil {
		fmt.Fprintf(w, "\nthe app %s gets\n", t.app.Name)
		for _, v := range t.app.Environ {
			fmt.Fprintf(w, "    %s = %s\n", v.Name, v.Value)
		}
	}
	switch who := t.who(); who {
	case "closed":
		w.WriteString("\nthe connection is closed without an answer\n")
	case "rule":
		fmt.Fprintf(w, "\n%s answers\n", t.replaced().Rule.Where)
	case "file":
		w.WriteString("\na file answers\n")
	default:
		if t.redirected() {
			fmt.Fprintf(w, "\n%s answers\n", t.redirects)
			break
		}
		fmt.Fprintf(w, "\nthe %s answers\n", who)
	}
	for _, line := range t.shown() {
		fmt.Fprintf(w, "    %s\n", line)
	}
	if text := t.text(); text != "" {
		fmt.Fprintf(w, "\n    %s\n", strings.ReplaceAll(strings.TrimRight(text, "\n"), "\n", "\n    "))
	}
	if len(t.Log) > 0 {
		w.WriteString("\nthe log has\n")
		for _, line := range t.Log {
			fmt.Fprintf(w, "    %s\n", line)
		}
	}
}

// text returns the part of the body that the report shows.
func (t *trial) text() string {
	text := strings.ToValidUTF8(string(t.body[:min(len(t.body), mostBody)]), "\ufffd")
	if len(t.body) > mostBody {
		text += "..."
	}
	return text
}

func (t *trial) writeJSON(w io.Writer) error {
	type change struct {
		Name string  `json:"name"`
		From *string `json:"from"`
		To   *string `json:"to"`
	}
	type step struct {
		Where   string     `json:"where"`
		Table   string     `json:"table"`
		Rule    string     `json:"rule"`
		Changes []change   `json:"changes"`
		Then    route.Then `json:"then"`
		Error   string     `json:"error,omitempty"`
	}
	type response struct {
		Status  int         `json:"status"`
		Reason  string      `json:"reason"`
		Headers [][2]string `json:"headers"`
		Body    string      `json:"body"`
	}
	type app struct {
		Name    string            `json:"name"`
		Environ map[string]string `json:"environ"`
	}
	v := struct {
		Rules      []step    `json:"rules"`
		LeftOut    []string  `json:"left_out"`
		AnsweredBy string    `json:"answered_by"`
		Rule       string    `json:"rule,omitempty"`
		App        *app      `json:"app"`
		Response   *response `json:"response"`
		Log        []string  `json:"log"`
	}{Rules: []step{}, LeftOut: append([]string{}, t.left...), AnsweredBy: t.who(), Log: append([]string{}, t.Log...)}
	for _, s := range t.Steps {
		one := step{Where: s.Rule.Where, Table: s.Rule.Table(), Rule: s.Rule.String(), Changes: []change{}, Then: s.Then}
		for _, c := range s.Changes {
			one.Changes = append(one.Changes, change(c))
		}
		if s.Err != nil {
			one.Error = s.Err.Error()
		}
		v.Rules = append(v.Rules, one)
	}
	if s := t.replaced(); s != nil && v.AnsweredBy == "rule" {
		v.Rule = s.Rule.Where
	}
	if t.app != nil {
		v.App = &app{t.app.Name, map[string]string{}}
		for _, e := range t.app.Environ {
			v.App.Environ[e.Name] = e.Value
		}
	}
	if lines := t.shown(); len(lines) > 0 {
		v.Response = &response{Status: t.outcome.Status, Body: t.text(), Headers: [][2]string{}}
		if parts := strings.SplitN(lines[0], " ", 3); len(parts) == 3 {
			v.Response.Reason = parts[2]
		}
		for _, line := range lines[1:] {
			name, value, _ := strings.Cut(line, ":")
			v.Response.Headers = append(v.Response.Headers, [2]string{name, strings.TrimSpace(value)})
		}
	}
	enc := json.NewEncoder(w)
	enc.SetIndent("", "  ")
	enc.SetEscapeHTML(false)
	return enc.Encode(v)
}
