package option

import "strings"

// lost says what to do in place of options that are known and not there, by the beginning of
// their names; the first that fits counts. Together they fit every name that has no row and no
// other class: a test holds it.
var lost = []struct{ prefixes, instead string }{
	{"pypy-paste pypy-ini-paste pypy-eval pypy-wsgi pypy-pp pypy-python", "give paste, ini-paste, eval, module, wsgi-file or pythonpath, and virtualenv with a PyPy"},
	{"web3 pump wsgi-lite", "apps of this interface are not run: WSGI apps are, by module and wsgi-file"},
	{"touch-signal fs-signal signal timer rbtimer", "have the app ask for it: @timer, @rbtimer, @cron, @filemon and @signal of uwsgidecorators"},
	{"hook-as-gateway", "there are no gateways of their own: use hook-as-user"},
	{"http-var", "give it to the app by route-run = addvar:NAME=VALUE, or by env"},
	{"http-modifier http-socket-modifier https-socket-modifier remap-modifier fastcgi-modifier scgi-modifier raw-modifier", "requests go to apps in Python, whatever the modifier"},
	{"http-manage-source http-manage-rtsp http-stud-prefix", "HTTP alone is understood: use the PROXY protocol, by enable-proxy-protocol, for the address of the client"},
	{"curl-cron unique-legion-cron unique-cron-legion", "use cron with curl, or unique-cron"},
	{"py-tracebacker", "harakiri logs the Python stack of a late request; py-spy dump --pid N shows that of any"},
	{"profiler", "profile the app: cProfile, or py-spy record --pid N"},
	{"pyshell", "run python in the folder of the app, or breakpoint() with honour-stdin"},
	{"touch-mules-reload", "there are no mules"},
	{"touch-spoolers-reload", "there is no spooler"},
	{"exception-handler", "have the app tell of exceptions: the log has a traceback of each"},
	{"cheaper-idle", "use cheaper-algo = spare, which counts by cheaper-overload"},
	{"prio", "set Nice= in the systemd unit, or start it by nice"},
	{"freebind", "start it when the address is there: After=network-online.target in the systemd unit"},
	{"wait-for-interface wait-for-iface wait-interface wait-iface", "start it when the interface is up: After=network-online.target, or BindsTo=sys-subsystem-net-devices-eth0.device, in the systemd unit"},
	{"wait-for-fs-timeout wait-for-socket-timeout", "it is waited for 60 seconds"},
	{"fallback-config", "have the service manager start another: OnFailure= in the systemd unit"},
	{"file-write", "use hook-as-root = write:FILE TEXT"},
	{"fd-safe safe-fd", "descriptors that the program inherits are not handed on to the app: have it open what it needs"},
	{"brutal-reload-on-fd", "use touch-reload, or SIGHUP"},
	{"ignore-script-name", "have the web server in front leave SCRIPT_NAME out"},
	{"upload-progress", "bodies are complete before the app gets the request: have the web server or the browser show how far an upload is"},
	{"notify-socket", "use notify of systemd, or ready-path"},
	{"segfault-alarm", "nobody is alarmed: watch the log and the stats from outside, with Prometheus and Alertmanager for two"},
	{"udp multicast", "no datagrams are taken: have a program of its own do it, with attach-daemon or as a service"},
	{"die-on-no-workers", "a server without workers starts them again"},
	{"command-mode", "commands are for the service manager, or for attach-daemon beside an app"},
	{"geoip", "look addresses up in the app, or in the web server in front: ngx_http_geoip2_module for one"},
	{"tuntap", "no network is tunnelled: use WireGuard or a VPN of the system's"},
	{"notfound-log", "have the app log it, or use log-4xx"},
	{"ping", "ask ready-path or stats with curl"},
	{"binary-path binary-append-data extract", "nothing is packed into the program: give files"},
	{"http-enable-proxy", "use enable-proxy-protocol"},
	{"http-chunk", "chunks are always understood"},
	{"dlopen", "no libraries are loaded: what is supported is built in"},
	{"dumbloop ugreen-stacksize", "workers run threads: see threads"},
	{"require shared-rb shared-require shared-ruby plshell early-php", "uwsgo runs apps in Python alone: keep uWSGI for others"},
	{"zeus st", "it is of a part of uWSGI's that uwsgo does not have: leave it out"},
	{"ldap-schema", "options are not kept in LDAP: write an ini file"},
	{"spooler spool lua-postfork-spooler", "there is no spooler: use a task queue such as Celery, RQ or Huey, its worker run by attach-daemon or as a service"},
	{"mule farm lua-postfork-mule hook-as-mule", "there are no mules: run the code as a program of its own, with attach-daemon or as a service"},
	{"cache-sync cache-udp cache2 cache add-cache load-file-in-cache check-cache", "there is no cache shared by the workers: use Redis or memcached"},
	{"sharedarea py-sharedarea queue", "workers share no memory: use Redis, or a file and the locks of the module uwsgi"},
	{"legion", "there are no legions: have the scheduler of the cluster, keepalived or a lock in a database say who leads"},
	{"alarm log-alarm not-log-alarm not-alarm-log lq-alarm listen-queue-alarm backlog-alarm metric-alarm", "nobody is alarmed: watch the log and the stats from outside, with Prometheus and Alertmanager for two"},
	{"enable-metrics metric carbon statsd stats-push nagios rrdtool zabbix", "no metrics are sent: have an agent read the JSON of stats"},
	{"emperor early-emperor vassal imperial exec-as-emperor exec-as-vassal call-as-emperor call-as-vassal hook-as-emperor hook-as-vassal hook-emperor hook-as-on heartbeat", "it is of the emperor: run each file as a service of its own, with a systemd template unit for one"},
	{"fastrouter rawrouter sslrouter forkpty http-to http-use http-subscription http-backend http-fallback http-zerg http-ss http-stats", "requests are passed on to no other server: that is for a web server such as nginx"},
	{"subscribe subscription unsubscribe", "there is no subscription server: name the upstreams in the web server in front"},
	{"websocket http-websockets", "WSGI apps have no WebSockets here: serve these by an ASGI server beside it"},
	{"zerg", "use reuse-port, or replace the binary with SIGUSR2: both keep the socket"},
	{"php cgi psgi perl early-psgi early-perl lua rack rails rb ruby gemset rvm jvm jwsgi ring clojure mono go- gccgo v8 symcall xslt webdav glusterfs gridfs rados pty- fiber", "uwsgo runs apps in Python alone: keep uWSGI for others"},
	{"pymodule-alias post-pymodule", "set sys.modules in a module that import names"},
	{"pypy", "give module or wsgi-file, and virtualenv with one of PyPy"},
	{"error-page", "have the app or the web server in front make pages for errors"},
	{"reload-on", "use max-requests, reload-on-rss or reload-on-as"},
	{"honour-stdin daemons-honour-stdin", "for a debugger use breakpoint() with a remote one, or the server of the framework"},
	{"collect-header response-header-collect", "log response headers in the app"},
	{"log-", "filter or ship lines behind standard error, with vector or fluent-bit for two"},
	{"chdir2 force-cwd", "use chdir"},
	{"stats", "read the JSON of stats"},
	{"plugin-list plugins-list loop-list loops-list clock-list clocks-list cheaper-algo-list cheaper-list cheaper-algos-list", "uwsgo --help lists what there is"},
	{"snmp", "read the JSON of stats"},
	{"cron", "use cron, unique-cron or cron2"},
	{"call-", "import it in the file of the app, or use exec- with a command"},
	{"after-request", "do it in a middleware of the app"},
	{"ssl https sni", "have a web server in front do TLS"},
	{"raw- fastcgi scgi puwsgi zmq zeromq mongrel2 raw-socket http-socket-modifier", "listen with http or socket"},
	{"exec- hook-", "use one of the hooks of docs/options.md"},
}

// insteadOf says what to do in place of an option that is not there; empty where nothing is
// known.
func insteadOf(name string) string {
	for _, l := range lost {
		for prefix := range strings.FieldsSeq(l.prefixes) {
			if strings.HasPrefix(name, prefix) {
				return l.instead
			}
		}
	}
	return ""
}
