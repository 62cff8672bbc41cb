package option

// ignored says why options of uWSGI are accepted and need to do nothing here.
// An option whose absence someone could be hurt by (chroot, cap, uid) is never
// in this list: it is reported as not supported.
var ignored = []struct{ names, reason string }{
	{"thunder-lock thunder-lock-watchdog no-defer-accept map-socket", "one process accepts for all workers"},
	{
		"http-processes http-workers http-events http-buffer-size http-cheap http-raw-body http-chunked-input no-fd-passing force-gateway",
		"there is no separate http router",
	},
	{"http-auto-chunked", "responses without a length are always sent in chunks"},
	{"wsgi-manage-chunked-input", "chunked request bodies are always decoded"},
	{"wsgi-env-behaviour wsgi-env-behavior", "every request gets an environ of its own"},
	{"offload-threads offload-thread", "files and slow clients never hold a worker"},
	{"log-master log-master-bufsize log-master-stream log-master-req-stream threaded-logger", "the server writes its log and that of requests itself; what apps print goes straight to the same place"},
	{"static-cache-paths static-cache-paths-name", "files are looked up without a cache"},
	{"post-buffering-bufsize", "bodies are buffered in blocks of the server's choosing"},
	{"py-call-osafterfork py-call-uwsgi-fork-hooks", "workers are forked by Python itself, which runs its hooks"},
	{"plugins-dir plugin-dir autoload", "there are no plugins to load: what is supported is built in"},
	{"close-on-exec close-on-exec2", "no descriptor of the server is inherited"},
	{
		"ignore-sigpipe ignore-write-errors disable-write-exception write-errors-exception-only write-errors-tolerance",
		"a client that goes away is no error",
	},
	{
		"lock-engine ftok persistent-ipcsem pcre-jit clock use-abort backtrace-depth signal-bufsize signals-bufsize",
		"it tunes a part that uwsgo does not have",
	},
}
