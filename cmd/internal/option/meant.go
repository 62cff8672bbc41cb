package option

import "strings"

// meant maps names that people write to uWSGI's names for the same; empty where there is none. They
// come from other servers, from other programs, and from slips that letters alone would lead
// elsewhere: chown is nearer to cron than to chown-socket.
var meant = map[string]string{}

func init() {
	for _, pair := range []struct{ name, written string }{
		// How many, and how long.
		{"processes", "process proc procs worker num-workers num-processes nproc process-count worker-count worker-processes number-of-workers workers-count"},
		{"threads", "thread num-threads thread-count worker-threads blocking-threads runtime-threads"},
		{"harakiri", "timeout request-timeout worker-timeout harakiri-timeout timeout-request max-request-time request-terminate-timeout"},
		{"worker-reload-mercy", "graceful-timeout timeout-graceful-shutdown shutdown-timeout stop-timeout grace-period workers-kill-timeout"},
		{"max-requests", "max-request limit-max-requests maxrequests max-req requests max-requests-per-child"},
		{"max-requests-delta", "max-requests-jitter"},
		{"max-worker-lifetime", "workers-lifetime max-lifetime worker-lifetime"},
		{"reload-on-rss", "workers-max-rss max-rss max-memory memory-limit max-worker-memory"},
		{"limit-post", "max-body max-body-size max-request-body-size client-max-body-size max-upload max-upload-size post-limit limit-body max-post-size"},
		{"buffer-size", "buffer buffersize header-size max-header-size max-request-header-size limit-request-line limit-request-field-size large-client-header-buffers"},
		{"listen", "backlog listen-backlog listen-queue queue-length"},
		{"http-keepalive", "keepalive keep-alive timeout-keep-alive keepalive-timeout keep-alive-timeout http-keep-alive"},
		{"http-timeout", "channel-timeout client-timeout read-timeout"},
		{"cheaper", "min-workers min-processes"},
		{"enable-threads", "enable-thread threading enable-threading"},

		// Where to listen.
		{"http", "bind host port address addr http-port http-host http-address http-bind http-server"},
		{"http-socket", "http-sock httpsocket"},
		{"socket", "sock unix unix-socket sockets uds socket-file socket-path socket-name uwsgi-port"},
		{"chmod-socket", "chmod-sock socket-mode socket-chmod perm perms permissions unix-socket-perms socket-permissions"},
		{"chown-socket", "chown chown-sock socket-owner socket-chown"},

		// What to run.
		{"module", "app wsgi-app wsgi-module python-module app-module module-name wsgi-application"},
		{"wsgi-file", "script wsgi-script wsgi-path wsgi-script-file python-file py-file app-file"},
		{"callable", "application wsgi-callable callable-name factory"},
		{"mount", "root-path script-name url-prefix"},
		{"virtualenv", "virtual-env venv-path virtualenv-path python-home pythonhome venv-dir"},
		{"pythonpath", "path app-dir sys-path py-path"},
		{"chdir", "cd cwd dir directory base-dir basedir working-dir working-directory workdir work-dir project-dir"},
		{"env", "environment env-var envvar setenv environ"},
		{"lazy-apps", "lazy-app lazyapps no-preload"},
		{"need-app", "needapp require-app"},
		{"py-autoreload", "autoreload auto-reload reload-on-change py-reload python-reload reload-engine"},
		{"touch-reload", "touch touch-to-reload"},

		// The process.
		{"vacuum", "vaccum vaccuum vacum vacume vacuume vaccume cleanup"}, //nolint:misspell // they are what is misspelt
		{"uid", "user username userid user-id user-name run-as run-as-user setuid"},
		{"gid", "guid group groupname groupid group-id group-name run-as-group setgid"},
		{"pidfile", "pid pid-file pid-path"},
		{"daemonize", "daemon daemonise demonize deamonize background detach"},
		{"procname", "proc-name process-name proc name"},
		{"procname-prefix", "proc-name-prefix proc-prefix process-name-prefix"},
		{"die-on-term", "dieonterm die-on-sigterm exit-on-term"},
		{"attach-daemon", "attach-deamon"},
		{"cron", "cron-job cronjob crontab"},
		{"exec-asap", "exec-pre exec-before exec-start exec-start-pre pre-exec"},
		{"master", "master-process master-mode supervisor"},

		// Logs and files.
		{"logto", "log log-file logfile log-to log-path error-log errorlog error-logfile log-output"},
		{"log-format", "access-logformat access-log-format access-log-fmt"},
		{"disable-logging", "disable-log disable-logs no-logging no-log disable-access-log no-access-log disable-log-requests"},
		{"stats", "stat stats-socket status statistics stats-address"},
		{"static-map", "static static-path static-url static-root static-dir static-files static-path-mount static-path-route alias document-root"},
		{"https", "certfile keyfile ca-certs ssl-certfile ssl-keyfile tls ssl cert key https-bind ssl-cert ssl-key"},
		{"compress", "gzip compression http-gzip enable-compression"},

		// Nothing takes their place.
		{"", "worker-class worker-connections worker-tmp-dir accesslog access-log access-logfile log-level loglevel log-buffering " +
			"capture-output preload preload-app forwarded-allow-ips debug " +
			"interface ws server-name server project project-name domain spew check-config print-config limit-request-fields statsd-host " +
			"fd env-file proxy-headers url-scheme threads-per-worker version-string test-app"},
	} {
		for name := range strings.FieldsSeq(pair.written) {
			meant[name] = pair.name
		}
	}
}

// meaning returns what an unknown name means, apart from slips of letters. known is true if there
// is an answer, also "".
func (t *Table) meaning(name string) (option string, known bool) {
	name = strings.Trim(strings.ToLower(strings.TrimLeft(name, "-")), " \t\"'")
	dashed := strings.ReplaceAll(strings.ReplaceAll(name, "_", "-"), " ", "-")
	for _, way := range []string{name, dashed, strings.TrimPrefix(dashed, "uwsgi-")} {
		if t.byName[way] != nil {
			return way, true
		}
		if option, ok := meant[way]; ok {
			return option, true
		}
	}
	return "", false
}
