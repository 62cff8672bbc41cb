package check

import "strings"

// advice says what to do in place of options that are not there, by the beginning of their
// names; the first that fits counts.
var advice = []struct{ prefixes, text string }{
	{"spooler spool lua-postfork-spooler", "there is no spooler: use a task queue such as Celery, RQ or Huey, its worker run by attach-daemon or as a service"},
	{"mule farm lua-postfork-mule hook-as-mule", "there are no mules: run the code as a program of its own, with attach-daemon or as a service"},
	{"cache-sync cache-udp cache2 cache add-cache load-file-in-cache check-cache", "there is no cache shared by the workers: use Redis or memcached"},
	{"sharedarea py-sharedarea queue locks", "workers share no memory: use Redis, or a file and fcntl.flock"},
	{"legion", "there are no legions: have the scheduler of the cluster, keepalived or a lock in a database say who leads"},
	{"alarm log-alarm not-log-alarm not-alarm-log lq-alarm listen-queue-alarm backlog-alarm metric-alarm", "nobody is alarmed: watch the log and the stats from outside, with Prometheus and Alertmanager for two"},
	{"enable-metrics metric carbon statsd stats-push nagios ganglia rrdtool zabbix", "no metrics are sent: have an agent read the JSON of stats"},
	{"emperor early-emperor vassal imperial exec-as-emperor exec-as-vassal call-as-emperor call-as-vassal hook-as-emperor hook-as-vassal hook-emperor hook-as-on on-emperor heartbeat", "it is of the emperor: run each file as a service of its own, with a systemd template unit for one"},
	{"fastrouter rawrouter sslrouter forkpty http-to http-use http-subscription http-backend http-fallback http-zerg http-ss http-stats", "requests are passed on to no other server: that is for a web server such as nginx"},
	{"subscribe subscription unsubscribe", "there is no subscription server: name the upstreams in the web server in front"},
	{"websocket http-websockets", "WSGI apps have no WebSockets here: serve these by an ASGI server beside it"},
	{"zerg", "use reuse-port, or replace the binary with SIGUSR2: both keep the socket"},
	{"php cgi psgi perl early-psgi early-perl lua rack rails rb ruby gemset rvm jvm jwsgi ring clojure mono go- gccgo v8 symcall xslt webdav glusterfs gridfs rados pty- asyncio-ring fiber", "uwsgo runs apps in Python alone: keep uWSGI for others"},
	{"pymodule-alias post-pymodule", "set sys.modules in a module that import names"},
	{"pypy", "give module or wsgi-file, and virtualenv with one of PyPy"},
	{"error-page", "have the app or the web server in front make pages for errors"},
	{"reload-on", "use max-requests, reload-on-rss or reload-on-as"},
	{"cheap die-on-idle idle", "the server serves as long as it runs: use socket activation of systemd to start it on demand"},
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
	{"cheaper-rss", "use reload-on-rss"},
	{"exec- hook-", "use one of the hooks of docs/options.md"},
}

// instead says what to do in place of an option that is not there.
func instead(name string) string {
	for _, a := range advice {
		for prefix := range strings.FieldsSeq(a.prefixes) {
			if strings.HasPrefix(name, prefix) {
				return a.text
			}
		}
	}
	return "nothing is done in its place: leave it out if the app works without"
}
