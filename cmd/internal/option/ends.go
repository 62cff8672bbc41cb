package option

// ends says what to do in place of options that protect something, or that say what else is in
// force. uwsgo does not do what they ask for, and without it a server would be open where its owner
// has closed it. So they end the start.
var ends = []group{
	// Who may send a request, and what becomes of it.
	{
		"sslrouter sslrouter2 sslrouter-session-context",
		"TLS is not passed on to other servers: https = ADDR,CERT,KEY serves the app by TLS",
	},
	{"ssl-option", "flags of OpenSSL mean nothing to another library: TLS 1.2 and 1.3 are spoken, with strong ciphers, without compression and renegotiation, so leave it out if that is enough"},
	{"log-drain log-filter", "lines that are to be left out, of secrets perhaps, would be logged: filter the log where it goes, or leave out lines of requests with disable-logging, or with route and donotlog"},
	{"http-path-info-no-decode-slashes", "PATH_INFO is decoded as a whole: refuse encoded slashes in the web server in front"},
	{"tuntap-router-firewall-in tuntap-router-firewall-out tuntap-device-rule tuntap-use-credentials", "there is no tuntap router: use the system's firewall"},
	{
		"subscriptions-sign-check subscriptions-sign-check-tolerance subscriptions-sign-skip-uid subscriptions-credentials-check subscriptions-use-credentials subscription-vassal-required",
		"there is no subscription server: have the web server in front name its upstreams",
	},

	// What the processes may do.
	{"cap emperor-cap vassal-cap vassals-cap", "capabilities are not changed, except for an emperor in tyrant mode: set them for the service, with CapabilityBoundingSet= and AmbientCapabilities= in its systemd unit"},
	{"cgroup cgroup-opt", "processes are put into no control group: set limits for the service, with MemoryMax=, CPUQuota= and their kin in its systemd unit"},
	{"limit-nproc", "the number of processes is not limited: set it for the service, with LimitNPROC= in its systemd unit or ulimit -u"},
	{
		"namespace ns namespace-keep-mount namespace-net ns-net unshare unshare2 setns setns-socket setns-socket-skip setns-skip setns-preopen emperor-use-clone hook-as-emperor-setns pivot-root pivot_root",
		"processes get no namespaces of their own: set them for the service, with PrivateNetwork=, PrivateTmp=, RootDirectory= and their kin in its systemd unit, or run it in a container",
	},
	{"jail jail2 jail-attach jail-ip4 jail-ip6 jailed libjail", "processes are put into no jail: start uwsgo inside of one"},
	{
		"mount-asap mount-pre-jail mount-post-jail mount-in-jail mount-as-root mount-as-vassal mount-as-emperor umount-asap umount-pre-jail umount-post-jail umount-in-jail umount-as-root umount-as-vassal umount-as-emperor",
		"file systems are neither mounted nor unmounted: do it before the start, or with exec-pre-jail",
	},
	{"http-uid http-gid fastrouter-uid fastrouter-gid", "no process of its own takes the requests: the whole server becomes the user of uid and gid, so give those"},
	{"emperor-wait-for-command emperor-wait-for-command-ignore emperor-command-socket", "there is no socket for commands to the emperor, and vassals would start unasked: put a file into its directory to start one, touch it to reload, remove it to stop"},
	{"emperor-proxy-socket", "vassals are children of their emperor: leave it out"},
	{"pam pam-user", "no PAM session is opened: have the service manager do it, with PAMName= in the systemd unit"},
	{"flock flock2 flock-wait flock-wait2", "no file is locked, so two servers could run: start it by flock(1), as in flock -n FILE uwsgo ..."},
	{"log-zeromq", "lines are not sent to ZeroMQ: have a log shipper, vector or fluent-bit for one, read what logger = file:/path gets"},

	// How an app is run: one that waits for others would have to wait for itself.
	{"asyncio", "apps with coroutines need an ASGI server, uvicorn for one; a WSGI app is run by gevent = N or threads = N"},
	{"greenlet ugreen tornado stackless coroae goroutines", "this loop engine is not there: give gevent = N, or threads = N"},

	// What else is in force.
	{"inject-before inject-after", "the options of that file would be missing: include = FILE reads an ini file in its place"},
	{"ienv early-envdir", "variables would be missing where $(NAME) asks for them: set them before the start, with EnvironmentFile= in the systemd unit for one, or read them with envdir"},
	{"resolve", "the placeholder would be missing: write the address itself"},
	{"sqlite sqlite3 ldap", "its options would be missing: write them into an ini file"},
	{"blacklist end-blacklist whitelist end-whitelist", "options are not restricted: leave out those that are not to be used"},
	{
		"check-mount check-mountpoint mount-check mountpoint-check wait-for-mountpoint",
		"the mount is not looked at, and the app would write below its bare folder: use RequiresMountsFor= in the systemd unit, or exec-pre-jail with mountpoint -q",
	},
	{"never-swap", "memory is not locked, so secrets may be swapped: set MemorySwapMax=0 in the systemd unit"},
	{
		"pyrun py python worker-exec worker-exec2 python-worker-override",
		"the program would not run, and the app would be served in its place: run it by the service manager, or beside the app with attach-daemon",
	},
	{"exit no-server", "the configuration says that the server is not to start"},
	{"test", "the server is not to start: uwsgo check FILE imports the app, and says whether it would"},
	{"get", "the server is not to start: uwsgo config FILE prints the values of options"},
	{"build-plugin cflags config-py dot-h print-sym print-symbol python-version", "the server is not to start: it prints or makes parts of uWSGI's"},
	{"privileged-binary-patch privileged-binary-patch-arg unprivileged-binary-patch unprivileged-binary-patch-arg", "another program would have to take the place of this one: start that by the service manager"},
	{"python-raw raw-socket", "raw connections are not given to Python, and the app would not be reached: have a program of its own listen, with attach-daemon or as a service"},
	{"fastcgi-socket fastcgi-nph-socket scgi-socket scgi-nph-socket puwsgi-socket zeromq zmq zeromq-socket zmq-socket mongrel2", "nobody would listen there: have the web server in front speak HTTP or uwsgi, and listen with http or socket"},
	{"http-use-base http-use-pattern http-use-cache http-use-code-string http-use-socket http-subscription-server http-zerg fastrouter rawrouter forkptyrouter forkpty-router forkptyurouter forkpty-urouter", "requests would reach nobody, or the app here in place of another server: have a web server pass them on, nginx with proxy_pass or uwsgi_pass for one"},
}

// changed says how uwsgo does what an option asks for.
var changed = []group{
	{"cheap", "workers are started at once; idle has them end"},
	{"lazy", "apps are loaded as with lazy-apps; a reload takes new workers beside the old"},
	{"drop-after-init drop-after-apps master-as-root", "the server becomes the user of uid once the addresses are bound, before the apps are loaded"},
	{"refork refork-as-root refork-post-jail re-fork re-fork-as-root re-fork-post-jail fork-server fork-socket", "workers are forked of one Python process that has loaded the apps"},
	{"http-headers-timeout so-send-timeout so-write-timeout socket-send-timeout socket-write-timeout chunked-input-timeout http-harakiri", "http-timeout and socket-timeout hold"},
	{"http-manage-expect", "Expect is always answered; limit-post bounds bodies"},
	{"http-post-buffering http-post-buffering-dir fastrouter-post-buffering-dir", "bodies are always buffered, large ones in files below TMPDIR"},
	{"max-vars", "a request may have 100 header fields"},
	{"response-headers-limit", "a response head may have 1 MiB"},
	{"harakiri-queue-threshold harakiri-no-arh no-harakiri-arh no-harakiri-after-req-hook", "harakiri holds for each request while it runs"},
	{"disable-sendfile file-serve-mode fileserve-mode", "files are sent by sendfile(2)"},
	{"no-site py-executable py-sys-executable py-program-name py-programname", "the Python of virtualenv runs as it is"},
	{"reload-os-env start_response-nodelay", "environ and responses are as PEP 3333 has them"},
	{"skip-atexit skip-atexit-teardown no-threads-wait", "workers end as Python processes do"},
	{"binsh", "commands are run by /bin/sh"},
	{"emperor-use-fork-server emperor-fork-server-attr vassal-fork-base", "each vassal is a program of its own"},
	{"thread-stack-size thread-stacksize threads-stack-size threads-stacksize", "threads have Python's stack size"},
	{"forkbomb-delay check-interval mem-collector-freq", "workers are looked at twice a second, and a pause before a respawn grows by itself"},
	{"http-server-name-as-http-host", "SERVER_NAME is the host of the request"},
}
