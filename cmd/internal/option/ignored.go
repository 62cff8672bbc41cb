package option

// ignored says why options of uWSGI are accepted and need to do nothing here.
// An option whose absence someone could be hurt by (cap, flock, https) is never in this
// list: see ends.
var ignored = []group{
	{"thunder-lock thunder-lock-watchdog no-defer-accept map-socket", "one process accepts for all workers"},
	{
		"http-processes http-workers http-events http-buffer-size http-cheap http-raw-body http-chunked-input no-fd-passing force-gateway",
		"there is no separate http router",
	},
	{"http-auto-chunked", "responses without a length are always sent in chunks"},
	{"wsgi-manage-chunked-input", "chunked request bodies are always decoded"},
	{"wsgi-accept-buffer wsgi-accept-buffers", "whatever has bytes is always taken"},
	{"wsgi-env-behaviour wsgi-env-behavior", "every request gets an environ of its own"},
	{"log-master-bufsize log-master-stream log-master-req-stream threaded-logger", "the server always writes the log itself, beside its loops; messages have room for 64 KiB"},
	{"static-cache-paths static-cache-paths-name", "paths are looked up without a cache that could be stale: the kernel has what is asked for in memory"},
	{"post-buffering-bufsize", "bodies are buffered in blocks of the server's choosing"},
	{"py-call-osafterfork py-call-uwsgi-fork-hooks", "workers are forked by Python itself, which runs its hooks"},
	{"plugins-dir plugin-dir autoload", "there are no plugins to load: what is supported is built in"},
	{"close-on-exec close-on-exec2", "no descriptor of the server is inherited"},
	{"chunked-input-limit", "a chunk is stored as it comes, however large it is: limit-post bounds the body"},
	{
		"ignore-sigpipe ignore-write-errors",
		"a client that goes away is no error, and makes no line in the log",
	},
	{
		"lock-engine ftok persistent-ipcsem pcre-jit clock use-abort backtrace-depth signal-bufsize signals-bufsize",
		"it tunes a part that uwsgo does not have",
	},
	{"honour-range", "static files always honour ranges"},
	{"early-python", "Python is there before anything of the app's"},
	{"wsgi-strict", "responses always follow PEP 3333"},
	{"http-quiet http-connect-timeout http-gracetime http-resubscribe", "there is no separate http router"},
	{"reaper", "children of the app are left to the app, and orphans are reaped"},
	{"ksm tcp-nodelay tcp-fast-open tcp-fastopen tcp-fast-open-client tcp-fastopen-client socket-sndbuf socket-rcvbuf shutdown-sockets", "it tunes what works without"},
	{"print iprint", "nothing depends on it"},
	{"so-keepalive", "clients that keep silent are let go by http-timeout, socket-timeout and http-keepalive"},
	{"skip-zero disable-async-warn-on-queue-full", "descriptor 0 is no socket here, and there is no such queue"},
	{"stats-no-metrics metrics-no-cores", "there are no metrics to leave out"},
	{"spooler-quiet fastrouter-quiet rawrouter-quiet sslrouter-quiet", "there is nothing that could be loud"},
	{"allowed-modifiers", "no modifier is served but those of WSGI and ping"},
	{"cgroup-dir-mode", "it only goes with cgroup"},
	{"ssl-enable3 ssl-enable-sslv3 ssl-enable-tlsv1", "TLS 1.2 is the oldest version that is spoken: the older ones are broken, and clients have left them behind"},
	{"ssl-session-timeout ssl-sessions-timeout ssl-session-use-cache ssl-sessions-use-cache https-session-context", "sessions go on by tickets, whose keys change every twelve hours"},
	{"ssl-tmp-dir", "certificates are read from files"},
	{"propagate-touch", "workers are reloaded by the server, not by signals to each"},
	{"emperor-subreaper early-emperor imperial-monitor-list imperial-monitors-list", "vassals are children of the emperor, and it looks at directories and patterns"},
}
