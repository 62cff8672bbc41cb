package quickstart

import (
	"fmt"
	"net"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// setting is a setting of gunicorn's: its name in configuration files, its options on the command
// line, and a comment if convert does not handle it.
type setting struct {
	name    string
	options string
	flag    bool
	note    string // what happens to it
	ends    string // why no ini file can have it
}

const (
	noTLS     = "leave the options of TLS out here, and write https = ADDRESS,CERT,KEY in place of the http line of what comes out"
	notNeeded = "not needed"
	pasteApp  = "PasteDeploy: write a file app.py that says from paste.deploy import loadapp; application = loadapp(\"config:/path/of/the.ini\"), and give gunicorn's command with app:application"
)

// settings are those of gunicorn 19 to 27.
var settings = []setting{
	{name: "config", options: "-c --config"},
	{name: "wsgi_app"},
	{name: "bind", options: "-b --bind"},
	{name: "backlog", options: "--backlog"},
	{name: "workers", options: "-w --workers"},
	{name: "worker_class", options: "-k --worker-class"},
	{name: "threads", options: "--threads"},
	{name: "worker_connections", options: "--worker-connections"},
	{name: "max_requests", options: "--max-requests"},
	{name: "max_requests_jitter", options: "--max-requests-jitter", note: "uwsgo adds up to a tenth to max-requests at random, and replaces one worker at a time"},
	{name: "timeout", options: "-t --timeout"},
	{name: "graceful_timeout", options: "--graceful-timeout"},
	{name: "keepalive", options: "--keep-alive"},
	{name: "limit_request_line", options: "--limit-request-line"},
	{name: "limit_request_fields", options: "--limit-request-fields", note: "a request may have 100 fields"},
	{name: "limit_request_field_size", options: "--limit-request-field_size --limit-request-field-size"},
	{name: "reload", options: "--reload", flag: true},
	{name: "reload_engine", options: "--reload-engine", note: notNeeded},
	{name: "reload_extra_files", options: "--reload-extra-file"},
	{name: "spew", options: "--spew", flag: true, note: "there is no trace of each line"},
	{name: "check_config", options: "--check-config", flag: true, note: "uwsgo --show-config shows what an ini file says"},
	{name: "print_config", options: "--print-config", flag: true, note: "uwsgo --show-config shows what an ini file says"},
	{name: "preload_app", options: "--preload", flag: true},
	{name: "sendfile", options: "--no-sendfile", flag: true, note: notNeeded},
	{name: "reuse_port", options: "--reuse-port", flag: true, note: "one process accepts for all workers"},
	{name: "chdir", options: "--chdir"},
	{name: "daemon", options: "-D --daemon", flag: true},
	{name: "raw_env", options: "-e --env"},
	{name: "pidfile", options: "-p --pid"},
	{name: "worker_tmp_dir", options: "--worker-tmp-dir", note: "workers need no files to show that they are alive"},
	{name: "user", options: "-u --user"},
	{name: "group", options: "-g --group"},
	{name: "umask", options: "-m --umask"},
	{name: "initgroups", options: "--initgroups", flag: true, note: "always so; no-initgroups turns it off"},
	{name: "tmp_upload_dir", options: "", note: "request bodies go to files in TMPDIR"},
	{name: "secure_scheme_headers", options: "", note: "trusted-proxy-headers names the headers that count, with trusted-proxy"},
	{name: "forwarded_allow_ips", options: "--forwarded-allow-ips"},
	{name: "accesslog", options: "--access-logfile"},
	{name: "disable_redirect_access_to_syslog", options: "--disable-redirect-access-to-syslog", flag: true, note: notNeeded},
	{name: "access_log_format", options: "--access-logformat"},
	{name: "errorlog", options: "--error-logfile --log-file"},
	{name: "loglevel", options: "--log-level", note: "the server's own log has one level"},
	{name: "capture_output", options: "--capture-output", flag: true, note: "always so: what the app prints is in the log"},
	{name: "logger_class", options: "--logger-class", note: "the server's log is not Python's: log-format sets the form of its lines"},
	{name: "logconfig", options: "--log-config", note: "the server's log is not Python's: the app configures its own logging"},
	{name: "logconfig_dict", options: "", note: "the server's log is not Python's: the app configures its own logging"},
	{name: "logconfig_json", options: "--log-config-json", note: "the server's log is not Python's: the app configures its own logging"},
	{name: "syslog_addr", options: "--log-syslog-to", note: "the log goes to standard error or a file; under systemd it is in the journal"},
	{name: "syslog", options: "--log-syslog", flag: true, note: "the log goes to standard error or a file; under systemd it is in the journal"},
	{name: "syslog_prefix", options: "--log-syslog-prefix", note: "see log-syslog"},
	{name: "syslog_facility", options: "--log-syslog-facility", note: "see log-syslog"},
	{name: "enable_stdio_inheritance", options: "-R --enable-stdio-inheritance", flag: true, note: notNeeded},
	{name: "statsd_host", options: "--statsd-host", note: "stats-push = statsd:HOST:PORT sends metrics under uWSGI's names; stats = 127.0.0.1:9191 serves uWSGI's JSON for uwsgitop and exporters for Prometheus"},
	{name: "dogstatsd_tags", options: "--dogstatsd-tags", note: "see statsd-host"},
	{name: "statsd_prefix", options: "--statsd-prefix", note: "see statsd-host"},
	{name: "proc_name", options: "-n --name"},
	{name: "default_proc_name", options: "", note: notNeeded},
	{name: "pythonpath", options: "--pythonpath"},
	{name: "paste", options: "--paste --paster", ends: pasteApp},
	{name: "raw_paste_global_conf", options: "--paste-global", ends: pasteApp},
	{name: "proxy_protocol", options: "--proxy-protocol", flag: true, ends: "leave this out here, and add enable-proxy-protocol = true and proxy-protocol-from = NETWORKS, who may send it"},
	{name: "proxy_allow_ips", options: "--proxy-allow-from", note: "see proxy-protocol"},
	{name: "keyfile", options: "--keyfile", ends: noTLS},
	{name: "certfile", options: "--certfile", ends: noTLS},
	{name: "ssl_version", options: "--ssl-version", ends: noTLS},
	{name: "cert_reqs", options: "--cert-reqs", ends: noTLS},
	{name: "ca_certs", options: "--ca-certs", ends: noTLS},
	{name: "suppress_ragged_eofs", options: "--suppress-ragged-eofs", flag: true, note: notNeeded},
	{name: "do_handshake_on_connect", options: "--do-handshake-on-connect", flag: true, note: notNeeded},
	{name: "ciphers", options: "--ciphers", ends: noTLS},
	{name: "permit_obsolete_folding", options: "--permit-obsolete-folding", flag: true, note: "folded lines are refused"},
	{name: "strip_header_spaces", options: "--strip-header-spaces", flag: true, note: "spaces before the colon of a header are refused"},
	{name: "permit_unconventional_http_method", options: "--permit-unconventional-http-method", flag: true, note: "every token is a method"},
	{name: "permit_unconventional_http_version", options: "--permit-unconventional-http-version", flag: true, note: "HTTP/1.0 and 1.1 are answered"},
	{name: "casefold_http_method", options: "--casefold-http-method", flag: true, note: "methods stay as they come"},
	{name: "forwarder_headers", options: "--forwarder-headers", note: "headers with an underscore are dropped"},
	{name: "protocol", options: "--protocol"},
	{name: "uwsgi_allow_ips", options: "--uwsgi-allow-from", ends: "every peer may send uwsgi requests here: bind the socket to an address or a unix socket that the web server alone reaches, and leave this out"},
	{name: "http_protocols", options: "--http-protocols", note: "HTTP/1.0 and 1.1 are answered, by https also HTTP/2"},
	{name: "http2_cleartext", options: "--http2-cleartext", note: "HTTP/1.0 and 1.1 are answered"},
	{name: "http2_max_concurrent_streams", options: "--http2-max-concurrent-streams", note: "HTTP/2 is offered by https, with bounds of its own"},
	{name: "http2_initial_window_size", options: "--http2-initial-window-size", note: "HTTP/2 is offered by https, with bounds of its own"},
	{name: "http2_max_frame_size", options: "--http2-max-frame-size", note: "HTTP/2 is offered by https, with bounds of its own"},
	{name: "http2_max_header_list_size", options: "--http2-max-header-list-size", note: "HTTP/2 is offered by https, with bounds of its own"},
	{name: "asgi_loop", options: "--asgi-loop", note: "uwsgo runs WSGI apps"},
	{name: "asgi_lifespan", options: "--asgi-lifespan", note: "uwsgo runs WSGI apps"},
	{name: "asgi_disconnect_grace_period", options: "--asgi-disconnect-grace-period", note: "uwsgo runs WSGI apps"},
	{name: "websocket_max_message_size", options: "--websocket-max-message-size", note: "websocket-max-size = KIB bounds a message of uwsgi.websocket_recv"},
	{name: "http_parser", options: "--http-parser", note: notNeeded},
	{name: "root_path", options: "--root-path", note: "mount = /path=app:app with manage-script-name = true puts an app below a path"},
	{name: "enable_backlog_metric", options: "--enable-backlog-metric", flag: true, note: "see statsd-host: the stats count the requests that wait"},
	{name: "dirty_apps", options: "--dirty-app", note: "run long tasks in a spooler or a mule; attach-daemon runs any other program beside the server"},
	{name: "dirty_workers", options: "--dirty-workers", note: "see dirty-apps"},
	{name: "dirty_timeout", options: "--dirty-timeout", note: "see dirty-apps"},
	{name: "dirty_threads", options: "--dirty-threads", note: "see dirty-apps"},
	{name: "dirty_graceful_timeout", options: "--dirty-graceful-timeout", note: "see dirty-apps"},
	{name: "control_socket", options: "--control-socket", note: "master-fifo = FILE takes commands"},
	{name: "control_socket_mode", options: "--control-socket-mode", note: "see control-socket"},
	{name: "control_socket_disable", options: "--no-control-socket", flag: true, note: notNeeded},
	{name: "header_map", options: "--header-map", note: "headers with an underscore are dropped"},
}

// hookNotes say what to do in place of a function in the configuration file.
var hookNotes = map[string]string{
	"on_starting": "hook-pre-app runs a command", "when_ready": "systemd's notify tells of it", "on_exit": "exec-as-user-atexit runs a command",
	"post_fork":        "hook-post-fork runs a command in each worker; in the app, os.register_at_fork(after_in_child=…)",
	"post_worker_init": "in the app, os.register_at_fork(after_in_child=…)", "pre_request": "a WSGI middleware", "post_request": "a WSGI middleware",
	"worker_abort": "harakiri logs the Python stack of a late request by itself", "worker_exit": "atexit of Python, in the app", "child_exit": "nothing: the log has each end of a worker",
}

// convert makes the lines, in the order in which people write them.
func (c *conversion) convert(o Options) error {
	for _, s := range settings {
		if s.ends != "" && c.has(s.name) {
			return fmt.Errorf("%s: %s", s.dashed(), s.ends)
		}
	}
	class := strings.TrimSpace(c.last("worker_class"))
	threads := 1
	later := ""     // known only when the server starts
	greenlets := "" // of gevent
	if text := c.last("threads"); iniVariable.MatchString(text) {
		later = text
	} else if c.has("threads") {
		n, err := strconv.Atoi(c.last("threads"))
		if err != nil || n < 1 {
			return fmt.Errorf("threads: %q is no number of threads", c.last("threads"))
		}
		threads = n
	}
	kind := class[strings.LastIndexByte(class, '.')+1:]
	switch {
	case strings.Contains(class, "uvicorn") || strings.Contains(class, "Uvicorn") || kind == "asgi" || strings.Contains(class, "hypercorn"):
		return fmt.Errorf("worker-class %s: it runs ASGI apps, and uwsgo runs WSGI apps: name the WSGI callable of the app (Django: PROJECT.wsgi) and leave the worker class out, or stay with an ASGI server", class)
	case class == "" || class == "sync" || class == "gthread" || kind == "SyncWorker" || kind == "ThreadWorker":
	case strings.Contains(strings.ToLower(class), "gevent"):
		threads, later = 1, ""
		var err error
		if greenlets, err = c.greenlets(class); err != nil {
			return err
		}
	case strings.Contains(strings.ToLower(class), "eventlet"):
		threads = max(threads, green)
		later = ""
		c.note("%s: threads take the place of greenlets, %d for each process; raise threads if more requests wait for other servers at the same time. Slow clients hold no thread. gevent = N runs greenlets", class, threads)
	default:
		c.note("worker-class %s: processes and threads take its place", class)
	}
	if c.app == "" {
		return fmt.Errorf("there is no app in it, such as app:app")
	}
	if err := c.convertApp(); err != nil {
		return err
	}
	if err := c.convertBind(o); err != nil {
		return err
	}
	workers := c.last("workers")
	if workers == "" {
		workers = o.Getenv("WEB_CONCURRENCY")
	}
	if workers == "" {
		workers = "1"
	}
	c.line("processes", workers)
	switch {
	case greenlets != "":
		c.line("gevent", greenlets)
		c.line("gevent-early-monkey-patch", true)
	case later != "":
		c.line("threads", later)
	case threads > 1:
		c.line("threads", threads)
	}
	if !c.has("preload_app") {
		c.line("lazy-apps", true)
		c.note("without --preload each worker imports the app for itself, which lazy-apps says. Leave it out, and one import does for all workers: that is faster and takes less memory, if the app opens no connections while it is imported")
	}
	c.convertTimes((class == "" || class == "sync") && threads == 1 && later == "")
	c.convertProcess()
	c.convertLogs()
	if greenlets == "" && c.has("worker_connections") {
		c.note("worker-connections: connections are bounded by the open files that the system allows")
	}
	for _, s := range settings {
		if s.note != "" && s.note != notNeeded && c.has(s.name) {
			c.note("%s: %s", s.dashed(), s.note)
		}
	}
	for _, hook := range c.hooks {
		if instead, ok := hookNotes[hook]; ok {
			c.note("%s() of the configuration file is not called; in its place: %s", hook, instead)
		} else {
			c.note("%s() of the configuration file is not called", hook)
		}
	}
	return nil
}

// iniVariable matches what a variable of the shell becomes.
var iniVariable = regexp.MustCompile(`^(?:\$\(\w+\)|%k)$`)

// green is how many threads replace a worker's greenlets of eventlet.
const green = 32

// mostGreenlets is gunicorn's own worker_connections. More are rarely meant: gunicorn counts idle
// clients, too.
const mostGreenlets = 1000

// greenlets returns how many requests a worker of gevent runs at a time, and notes how that differs.
func (c *conversion) greenlets(class string) (string, error) {
	given := c.last("worker_connections")
	if !c.has("worker_connections") {
		given = strconv.Itoa(mostGreenlets)
	}
	switch n, err := strconv.Atoi(given); {
	case iniVariable.MatchString(given):
	case err != nil || n < 1:
		return "", fmt.Errorf("worker-connections: %q is no number of connections", given)
	case n > mostGreenlets:
		c.note("worker-connections %d: gevent = %d bounds the requests that a worker runs at a time. Idle clients do not count here, so that is enough for most apps; up to 10000 can be given", n, mostGreenlets)
		given = strconv.Itoa(mostGreenlets)
	}
	c.note("%s: gevent = %s lets a worker run so many requests at a time, and patches Python's library before the app is loaded, as gunicorn does. The Python of the app needs gevent. "+
		"Lower it to what the app's database takes: idle and slow clients hold none of them", class, given)
	return given, nil
}

// dashed returns the setting as the command line has it.
func (s *setting) dashed() string { return strings.ReplaceAll(s.name, "_", "-") }

var callWithArguments = regexp.MustCompile(`\([^)]+\)$`)

func (c *conversion) convertApp() error {
	if callWithArguments.MatchString(c.app) {
		module, call, _ := strings.Cut(c.app, ":")
		name, _, _ := strings.Cut(call, "(")
		return fmt.Errorf("%s: a factory gets no arguments: write a file wsgi.py that says from %s import %s; application = %s, and name wsgi:application", c.app, module, name, call)
	}
	if c.has("chdir") {
		c.line("chdir", c.last("chdir"))
	} else if c.cd != "" {
		c.line("chdir", c.cd)
	}
	for _, list := range c.set["pythonpath"] {
		for dir := range strings.SplitSeq(list, ",") {
			c.line("pythonpath", dir)
		}
	}
	for _, e := range append(c.env, c.set["raw_env"]...) {
		c.line("env", e)
	}
	if c.virtualenv != "" {
		c.line("virtualenv", c.virtualenv)
	}
	c.line("module", c.app)
	return nil
}

// convertBind makes the addresses.
func (c *conversion) convertBind(o Options) error {
	socket := "http-socket"
	switch protocol := c.last("protocol"); protocol {
	case "", "http":
	case "uwsgi":
		socket = "uwsgi-socket"
	default:
		return fmt.Errorf("protocol %s: uwsgo speaks HTTP and uwsgi", protocol)
	}
	binds := c.set["bind"]
	if len(binds) == 0 {
		binds = []string{"127.0.0.1:8000"}
		if port := o.Getenv("PORT"); slices.Contains(c.env, "PORT="+port) {
			binds = []string{"0.0.0.0:" + port}
		} else if port != "" {
			binds = []string{"0.0.0.0:$(PORT)"}
		}
	}
	unix := false
	for _, list := range binds {
		for bind := range strings.SplitSeq(list, ",") {
			bind = strings.TrimPrefix(strings.TrimSpace(bind), "tcp://")
			switch path, isUnix := strings.CutPrefix(bind, "unix:"); {
			case isUnix:
				c.line(socket, strings.TrimPrefix(path, "//"))
				unix = true
			case strings.HasPrefix(bind, "fd://"):
				c.note("%s: sockets that systemd passes are served by themselves", bind)
			case strings.HasPrefix(bind, "/") || strings.HasPrefix(bind, "./"):
				c.line(socket, bind)
				unix = true
			default:
				c.line(socket, withPort(bind))
			}
		}
	}
	if unix {
		c.line("chmod-socket", socketMode(c.last("umask")))
	}
	if c.has("backlog") {
		c.line("listen", c.last("backlog"))
	}
	return nil
}

// withPort adds gunicorn's port to an address without one.
func withPort(bind string) string {
	if strings.Contains(bind, "$(") || strings.HasPrefix(bind, ":") {
		return bind
	}
	if _, err := strconv.Atoi(bind); err == nil {
		return "0.0.0.0:" + bind
	}
	if _, _, err := net.SplitHostPort(bind); err == nil {
		return bind
	}
	return net.JoinHostPort(strings.Trim(bind, "[]"), "8000")
}

// socketMode is the mode of gunicorn's unix sockets: everybody may use them unless umask says
// otherwise.
func socketMode(umask string) string {
	mask, err := strconv.ParseInt(strings.TrimPrefix(umask, "0o"), 8, 32)
	if err != nil {
		mask = 0
	}
	return strconv.FormatInt(0o666&^mask, 8)
}

// convertTimes makes limits and times. sync says that a worker has one request at a time: only then
// is gunicorn's timeout that of a request.
func (c *conversion) convertTimes(sync bool) {
	timeout := c.last("timeout")
	switch {
	case sync && timeout == "":
		c.line("harakiri", 30)
		c.note("timeout is 30 in gunicorn where it is not given, and so is harakiri here")
	case sync && timeout != "0":
		c.line("harakiri", timeout)
	case timeout != "" && timeout != "0":
		c.note("timeout %s: with threads gunicorn ends a worker that is stuck as a whole, and no request; harakiri = %s would end each request that takes longer", timeout, timeout)
	}
	if graceful := c.last("graceful_timeout"); graceful == "" {
		c.line("worker-reload-mercy", 30)
	} else {
		c.line("worker-reload-mercy", graceful)
	}
	if c.has("keepalive") {
		c.line("http-keepalive", c.last("keepalive"))
		c.note("keep-alive: a kept connection holds no worker here, so leave http-keepalive out for 125 seconds")
	}
	if c.has("max_requests") && c.last("max_requests") != "0" {
		c.line("max-requests", c.last("max_requests"))
	}
	const least = 32 << 10 // of buffer-size
	head := 0
	for _, name := range []string{"limit_request_line", "limit_request_field_size"} {
		if n, _ := strconv.Atoi(c.last(name)); n > head {
			head = n
		}
		if c.last(name) == "0" {
			head = 1 << 20
		}
	}
	if head > least {
		c.line("buffer-size", head)
	} else if head > 0 {
		c.note("limit-request-line and limit-request-field-size: the whole head of a request may have 32 KiB (buffer-size)")
	}
}

// convertProcess makes user, files and the like.
func (c *conversion) convertProcess() {
	for _, pair := range []struct{ from, to string }{{"user", "uid"}, {"group", "gid"}, {"umask", "umask"}, {"pidfile", "pidfile"}} {
		if c.has(pair.from) {
			c.line(pair.to, c.last(pair.from))
		}
	}
	if c.has("proc_name") {
		c.line("auto-procname", true)
		c.line("procname-prefix-spaced", c.last("proc_name"))
	}
	if c.has("reload") {
		c.line("py-autoreload", 1)
	}
	for _, file := range c.set["reload_extra_files"] {
		c.line("touch-reload", file)
	}
	if allowed := c.last("forwarded_allow_ips"); c.has("forwarded_allow_ips") {
		c.note("forwarded-allow-ips %s: write trusted-proxy = with the networks of your front servers (not *): then X-Forwarded-For and X-Forwarded-Proto count", allowed)
	}
}

// convertLogs makes the logs.
func (c *conversion) convertLogs() {
	errors := c.last("errorlog")
	access := c.last("accesslog")
	if c.has("daemon") {
		log := errors
		if log == "" || log == "-" {
			log = "/dev/null"
		}
		c.line("daemonize", log)
	} else if errors != "" && errors != "-" {
		c.line("logto", errors)
	}
	switch {
	case access == "" || access == "None":
		c.line("disable-logging", true)
		return
	case access != "-" && access != errors:
		c.line("req-logger", "file:"+access)
	}
	if format := c.last("access_log_format"); format != "" {
		converted, lost := logFormat(format)
		c.line("log-format", converted)
		for _, atom := range lost {
			c.note("access-logformat: there is nothing for %s", atom)
		}
	} else {
		c.line("log-format", combined)
	}
}

// combined is gunicorn's own format, in uWSGI's terms.
const combined = `%(addr) - %(user) [%(ltime)] "%(method) %(uri) %(proto)" %(status) %(rsize) "%(referer)" "%(uagent)"`

var atom = regexp.MustCompile(`%\(([^)]+)\)[sdf]|%%`)

// logAtoms maps gunicorn's atoms to uWSGI's variables.
var logAtoms = map[string]string{
	"h": "%(addr)", "l": "-", "u": "%(user)", "t": "[%(ltime)]", "r": "%(method) %(uri) %(proto)", "m": "%(method)",
	"U": "%(var.PATH_INFO)", "q": "%(var.QUERY_STRING)", "H": "%(proto)", "s": "%(status)", "B": "%(rsize)", "b": "%(rsize)",
	"f": "%(referer)", "a": "%(uagent)", "T": "%(secs)", "D": "%(micros)", "M": "%(msecs)", "p": "%(pid)",
}

// logFormat translates the format of an access log.
func logFormat(format string) (converted string, lost []string) {
	converted = atom.ReplaceAllStringFunc(format, func(text string) string {
		if text == "%%" {
			return "%"
		}
		name := atom.FindStringSubmatch(text)[1]
		if to, ok := logAtoms[name]; ok {
			return to
		}
		if inner, isVar := strings.CutPrefix(name, "{"); isVar {
			key, what, _ := strings.Cut(inner, "}")
			switch what {
			case "i":
				return "%(var.HTTP_" + strings.ToUpper(strings.ReplaceAll(key, "-", "_")) + ")"
			case "e":
				return "%(var." + key + ")"
			}
		}
		if !slices.Contains(lost, text) {
			lost = append(lost, text)
		}
		return "-"
	})
	return converted, lost
}
