package option

import "strings"

// lost says what to do in place of known options that are missing, by the beginning of their names;
// the first that fits counts. A test makes sure that every name without a row and another class has
// one.
var lost = []struct{ prefixes, instead string }{
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
	{"udp multicast", "no datagrams are taken: have a program of its own do it, with attach-daemon or as a service"},
	{"die-on-no-workers", "a server without workers starts them again"},
	{"command-mode", "commands are for the service manager, or for attach-daemon beside an app"},
	{"geoip", "look addresses up in the app, or in the web server in front: ngx_http_geoip2_module for one"},
	{"tuntap", "no network is tunnelled: use WireGuard or a VPN of the system's"},
	{"notfound-log", "have the app log it, or use log-4xx"},
	{"ping", "ask ready-path or stats with curl"},
	{"binary-path binary-append-data extract", "nothing is packed into the program: give files"},
	{"dlopen", "no libraries are loaded: what is supported is built in"},
	{"dumbloop ugreen-stacksize", "workers run threads: see threads"},
	{"require shared-rb shared-require shared-ruby plshell early-php", "uwsgo runs apps in Python alone: keep uWSGI for others"},
	{"pypy-eval pypy-exec", "import runs a file or a module before the app"},
	{"pypy", "give virtualenv: it may be one of PyPy"},
	{"error-page", "use error-route-status = 404 file:filename=/srv/404.html,status=404 Not Found, with the other status for 403 and 500"},
	{"daemons-honour-stdin", "give attach-daemon2 the key stdin"},
	{"emperor early-emperor vassal imperial exec-as-emperor exec-as-vassal call-as-emperor call-as-vassal hook-as-emperor hook-as-vassal hook-emperor hook-as-on", "the emperor has no such thing: give the vassal hooks of its own, or run it as a service of its own, with a systemd template unit for one"},
	{"fastrouter rawrouter sslrouter forkpty http-subscription http-backend http-fallback http-ss http-stats", "requests are passed on to other servers by http-to, and by upstream and rules: see proxy.md"},
	{"zeus", "start one server for each with the service manager"},
	{"ldap-schema", "options are not kept in LDAP: write an ini file"},
	{"lua-postfork-mule", "do it in the code of the mule, with hook-as-mule, or in a @postfork of uwsgidecorators"},
	{"cache-sync cache-udp cache2 cache add-cache load-file-in-cache check-cache", "there is no cache shared by the workers: use Redis or memcached"},
	{"sharedarea py-sharedarea queue", "workers share no memory: use Redis, or a file and the locks of the module uwsgi"},
	{"legion", "there are no legions: have the scheduler of the cluster, keepalived or a lock in a database say who leads"},
	{"alarm", "nobody is alarmed for it: watch the stats from outside, with Prometheus and Alertmanager for two"},
	{"carbon statsd nagios rrdtool zabbix", "metrics are sent to statsd alone, by stats-push: have an agent read the JSON of stats"},
	{"subscribe subscription unsubscribe", "there is no subscription server: name the upstreams in the web server in front"},
	{"zerg", "use reuse-port, or replace the binary with SIGUSR2: both keep the socket"},
	{"php cgi psgi perl early-psgi early-perl lua rack rails rb ruby gemset rvm jvm jwsgi ring clojure mono go- gccgo v8 symcall xslt webdav glusterfs gridfs rados pty- fiber", "uwsgo runs apps in Python alone: keep uWSGI for others"},
	{"pymodule-alias post-pymodule", "set sys.modules in a module that import names"},
	{"reload-on", "use max-requests, reload-on-rss or reload-on-as"},
	{"collect-header response-header-collect", "log response headers in the app"},
	{"log-", "filter or ship lines behind standard error, with vector or fluent-bit for two"},
	{"stats", "read the JSON of stats"},
	{"snmp", "read the JSON of stats"},
	{"cron", "use cron, unique-cron or cron2"},
	{"call-", "import it in the file of the app, or use exec- with a command"},
	{"after-request", "do it in a middleware of the app"},
	{"raw- fastcgi scgi puwsgi zmq zeromq mongrel2 raw-socket http-socket-modifier", "listen with http or socket"},
	{"st", "it is of a part of uWSGI's that uwsgo does not have"},
	{"exec- hook-", "use one of the hooks of docs/options.md"},
}

// insteadOf says what to do in place of a missing option; empty if unknown.
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
