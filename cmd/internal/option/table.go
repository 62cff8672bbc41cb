package option

// table is the one list of what uwsgo understands. Help is what --help says;
// Note is what docs/options.md adds for people who come from uWSGI.
var table = []Option{
	// Where to listen.
	{
		Name: "http", Aliases: []string{"httprouter"}, Kind: List, Arg: "ADDR", Section: Listening, Status: Differs,
		Help: "listen for HTTP on this address: :8080, 127.0.0.1:8080, [::1]:8080, a path for a unix socket, @name for an abstract one",
		Note: "The same listener as http-socket and http11-socket: no router process in between. `:8080` listens on IPv4 and IPv6.",
	},
	{
		Name: "http-socket", Kind: List, Arg: "ADDR", Section: Listening, Status: Differs,
		Help: "listen for HTTP, the same as --http",
		Note: "uWSGI answers one request a connection here; uwsgo keeps connections alive.",
	},
	{
		Name: "http11-socket", Kind: List, Arg: "ADDR", Section: Listening, Status: Differs,
		Help: "listen for HTTP, the same as --http",
		Note: "Pipelined requests and unread bodies no longer end the connection.",
	},
	{
		Name: "socket", Short: 's', Kind: List, Arg: "ADDR", Section: Listening, Status: Differs,
		Help: "listen on this address, for the uwsgi protocol unless --protocol says otherwise",
		Note: "`:3031` listens on IPv4 and IPv6. HTTP sent here by mistake is answered with an error that says so.",
	},
	{
		Name: "uwsgi-socket", Kind: List, Arg: "ADDR", Section: Listening, Status: Differs,
		Help: "listen for the uwsgi protocol, whatever --protocol says",
		Note: "As for `socket`.",
	},
	{
		Name: "protocol", Aliases: []string{"socket-protocol"}, Kind: Text, Arg: "NAME", Default: "uwsgi", Section: Listening, Status: Differs,
		Help: "what --socket addresses speak: uwsgi, http or http11",
		Note: "fastcgi, scgi, suwsgi, puwsgi, https and raw are not supported yet and end the start.",
	},
	{
		Name: "listen", Short: 'l', Kind: Int, Arg: "N", Immediate: true, Default: "what the kernel allows", Section: Listening, Status: Differs,
		Help: "let this many connections wait to be accepted, per address",
		Note: "uWSGI's default is 100, and it does not start when N is above the kernel's limit; here the limit holds.",
	},
	{
		Name: "chmod-socket", Aliases: []string{"chmod"}, Short: 'C', Kind: Text, Arg: "MODE", Optional: true, Section: Listening, Status: Same,
		Help: "give unix sockets this mode, three octal digits; without a value or with 1: 666",
	},
	{
		Name: "chown-socket", Kind: Text, Arg: "USER[:GROUP]", Section: Listening, Status: Same,
		Help: "give unix sockets to this user and group, by name or number",
	},

	// What to run.
	{
		Name: "module", Aliases: []string{"wsgi"}, Short: 'w', Kind: Text, Arg: "MODULE[:CALLABLE]", Section: Application, Status: Same,
		Help: "run the WSGI app of this Python module; a callable that ends in () is called to make the app",
	},
	{
		Name: "wsgi-file", Aliases: []string{"file"}, Kind: Text, Arg: "FILE", Section: Application, Status: Same,
		Help: "run the WSGI app in this Python file, relative to --chdir",
	},
	{
		Name: "callable", Kind: Text, Arg: "NAME", Default: "application", Section: Application, Status: Same,
		Help: "the name of the WSGI app in its module or file",
	},
	{
		Name: "mount", Aliases: []string{"worker-mount"}, Kind: List, Arg: "/PREFIX=APP", Section: Application, Status: Differs,
		Help: "run an app (module:callable or a file) below a path",
		Note: "With manage-script-name, a path that no mount covers is answered with 404 unless module or wsgi-file names the app for it; in uWSGI the first mount gets it, as here without manage-script-name.",
	},
	{
		Name: "manage-script-name", Kind: Flag, Section: Application, Status: Same,
		Help: "move the mount's path from PATH_INFO to SCRIPT_NAME",
	},
	{
		Name: "need-app", Kind: Flag, Arg: "BOOL", Optional: true, Default: "true", Section: Application, Status: Differs,
		Help: "end the start with exit code 22 when an app does not load",
		Note: "Off by default in uWSGI 2.0, which then answers every request with 500.",
	},
	{
		Name: "lazy-apps", Kind: Flag, Arg: "BOOL", Optional: true, Section: Application, Status: Differs,
		Help: "load the app in each worker instead of once before they are forked",
		Note: "Without it an app that starts threads while it is imported is loaded in each worker, too, with a warning. false loads it once whatever it starts, as uWSGI does: its threads run in the process that forks the workers, and in no worker.",
	},
	{
		Name: "single-interpreter", Short: 'i', Kind: Flag, Section: Application, Status: Differs,
		Help: "load all mounted apps into one interpreter",
		Note: "Always so here: uwsgo uses no sub-interpreters.",
	},

	// Python.
	{
		Name: "virtualenv", Aliases: []string{"home", "venv", "pyhome"}, Short: 'H', Kind: Text, Arg: "DIR", Section: Python, Status: Same,
		Help: "use the Python and the packages of this virtual environment",
	},
	{
		Name: "pythonpath", Aliases: []string{"python-path", "pp"}, Kind: List, Arg: "DIR", Section: Python, Status: Same,
		Help: "put this directory, or those that match a glob pattern, in front of sys.path",
	},
	{
		Name: "pyargv", Kind: Text, Arg: "WORDS", Section: Python, Status: Same,
		Help: "give the app these words as sys.argv",
	},
	{
		Name: "env", Kind: List, Arg: "NAME=VALUE", Section: Python, Status: Same,
		Help: "set an environment variable for the app",
	},
	{
		Name: "envdir", Kind: List, Arg: "DIR", Section: Python, Status: Same,
		Help: "set environment variables for the app from the files of this directory: the name is the variable, the first line its value; an empty file takes it out",
	},
	{
		Name: "unenv", Kind: List, Arg: "NAME", Section: Python, Status: Same,
		Help: "take a variable out of the app's environment",
	},
	{
		Name: "chdir", Kind: Text, Arg: "DIR", Section: Python, Status: Same,
		Help: "change to this directory before the app is loaded",
	},

	// Processes.
	{
		Name: "master", Short: 'M', Kind: Flag, Section: Processes, Status: Differs,
		Help: "supervise the workers",
		Note: "Always so here, in one process; the flag only decides what the app is told.",
	},
	{
		Name: "processes", Aliases: []string{"workers"}, Short: 'p', Kind: Int, Arg: "N", Default: "1", Section: Processes, Status: Same,
		Help: "run this many worker processes",
	},
	{
		Name: "threads", Kind: Int, Arg: "N", Default: "1", Section: Processes, Status: Same,
		Help: "run requests in this many threads of each worker",
	},
	{
		Name: "cheaper", Kind: Int, Arg: "N", Section: Processes, Status: Same,
		Help: "run as many workers as the load needs, between N and --processes",
		Note: "Must be lower than processes. Workers that go finish their requests; their status is cheap.",
	},
	{
		Name: "cheaper-initial", Kind: Int, Arg: "N", Section: Processes, Status: Same,
		Help: "start with N workers instead of those of --cheaper",
	},
	{
		Name: "cheaper-step", Kind: Int, Arg: "N", Default: "1", Section: Processes, Status: Same,
		Help: "start N workers at a time when there are too few",
	},
	{
		Name: "cheaper-overload", Kind: Int, Arg: "N", Default: "3", Section: Processes, Status: Same,
		Help: "change the number of workers after N seconds of too much or too little to do; for backlog, when more or fewer than N requests wait",
	},
	{
		Name: "cheaper-algo", Kind: Text, Arg: "NAME", Default: "spare", Section: Processes, Status: Differs,
		Help: "decide on the number of workers in this way: spare, backlog, busyness or manual",
		Note: "A worker counts as busy for each so many requests as it has threads; in uWSGI it does with one. backlog counts the requests that wait for a worker. manual leaves it to + and - of master-fifo.",
	},
	{
		Name: "cheaper-busyness-max", Kind: Percent, Arg: "PERCENT", Default: "50", Section: Processes, Status: Same,
		Help: "busyness: start workers when those that run are busy for more of their time",
	},
	{
		Name: "cheaper-busyness-min", Kind: Percent, Arg: "PERCENT", Default: "25", Section: Processes, Status: Same,
		Help: "busyness: end a worker when they are busy for less",
	},
	{
		Name: "cheaper-busyness-multiplier", Kind: Int, Arg: "N", Default: "10", Section: Processes, Status: Same,
		Help: "busyness: end none before N times --cheaper-overload seconds have passed",
	},
	{
		Name: "cheaper-busyness-penalty", Kind: Int, Arg: "N", Default: "2", Section: Processes, Status: Same,
		Help: "busyness: add N to the multiplier when a worker has had to be started again within that time",
	},
	{
		Name: "cheaper-busyness-backlog-alert", Kind: Int, Arg: "N", Default: "33", Section: Processes, Status: Same,
		Help: "busyness: start emergency workers at once when more than N requests wait",
	},
	{
		Name: "cheaper-busyness-backlog-step", Kind: Int, Arg: "N", Default: "1", Section: Processes, Status: Same,
		Help: "busyness: start N emergency workers at a time",
	},
	{
		Name: "cheaper-busyness-backlog-multiplier", Kind: Int, Arg: "N", Default: "3", Section: Processes, Status: Same,
		Help: "busyness: the multiplier while there are emergency workers",
	},
	{
		Name: "cheaper-busyness-backlog-nonzero", Kind: Seconds, Arg: "SECONDS", Default: "60", Section: Processes, Status: Same,
		Help: "busyness: start an emergency worker when some request has waited at each look for so long",
	},
	{
		Name: "cheaper-busyness-verbose", Kind: Flag, Section: Processes, Status: Same,
		Help: "busyness: log each measurement",
	},
	{
		Name: "enable-threads", Short: 'T', Kind: Flag, Default: "true", Section: Processes, Status: Differs,
		Help: "let the app start threads of its own",
		Note: "Always so, as in uWSGI since 2.0.27.",
	},
	{
		Name: "harakiri", Short: 't', Kind: Seconds, Arg: "SECONDS", Section: Processes, Status: Differs,
		Help: "end a request that takes longer, and replace its worker",
		Note: "The client gets 504. The time is each request's own, also with threads: those of other threads finish. The log has the request, its age and the Python stack of its thread.",
	},
	{
		Name: "harakiri-verbose", Kind: Flag, Section: Processes, Status: Same,
		Help: "log the system call, too, that a request is in when --harakiri ends it",
	},
	{
		Name: "harakiri-graceful-timeout", Kind: Seconds, Arg: "SECONDS", Default: "worker-reload-mercy", Section: Processes, Status: Differs,
		Help: "let the other requests of a worker finish for so long after --harakiri",
		Note: "In uWSGI the time between a first signal and SIGKILL; no signal is sent here unless --harakiri-graceful-signal asks for one.",
	},
	{
		Name: "harakiri-graceful-signal", Kind: Plain, Arg: "N", Section: Processes, Status: Differs,
		Help: "send this signal to the worker of a late request, and let that request, too, end within --harakiri-graceful-timeout",
		Note: "Not sent unless given (uWSGI: 15), nor without --harakiri-graceful-timeout. An app that does not handle it is ended by it, but for 1, 2, 3, 15 and 20, which workers ignore.",
	},
	{
		Name: "max-requests", Short: 'R', Kind: Int, Arg: "N", Section: Processes, Status: Differs,
		Help: "replace a worker after so many requests",
		Note: "Up to a tenth more at random, one worker at a time, and the new one is ready first. Looked at twice a second.",
	},
	{
		Name: "max-requests-delta", Kind: Int, Arg: "N", Section: Processes, Status: Same,
		Help: "add so many to --max-requests for worker 2, twice as many for worker 3, and so on",
	},
	{
		Name: "max-worker-lifetime", Kind: Seconds, Arg: "SECONDS", Section: Processes, Status: Differs,
		Help: "replace a worker that has run for so long",
		Note: "As for max-requests.",
	},
	{
		Name: "max-worker-lifetime-delta", Kind: Seconds, Arg: "SECONDS", Section: Processes, Status: Same,
		Help: "add so many to --max-worker-lifetime for worker 2, twice as many for worker 3, and so on",
	},
	{
		Name: "min-worker-lifetime", Kind: Seconds, Arg: "SECONDS", Default: "10", Section: Processes, Status: Same,
		Help: "replace no worker earlier, whatever the other limits say",
	},
	{
		Name: "reload-on-rss", Kind: Megabytes, Arg: "MB", Section: Processes, Status: Differs,
		Help: "replace a worker whose resident memory has so many megabytes",
		Note: "Looked at twice a second; the new worker is ready first.",
	},
	{
		Name: "reload-on-as", Kind: Megabytes, Arg: "MB", Section: Processes, Status: Differs,
		Help: "replace a worker whose address space has so many megabytes",
		Note: "As for reload-on-rss.",
	},
	{
		Name: "evil-reload-on-rss", Kind: Megabytes, Arg: "MB", Section: Processes, Status: Same,
		Help: "kill a worker whose resident memory has so many megabytes",
	},
	{
		Name: "evil-reload-on-as", Kind: Megabytes, Arg: "MB", Section: Processes, Status: Same,
		Help: "kill a worker whose address space has so many megabytes",
	},
	{
		Name: "limit-as", Kind: Megabytes, Arg: "MB", Section: Processes, Status: Differs,
		Help: "let each worker have an address space of so many megabytes",
		Note: "Of the Python processes; the server itself is not limited.",
	},
	{
		Name: "worker-reload-mercy", Kind: Seconds, Arg: "SECONDS", Default: "60", Section: Processes, Status: Differs,
		Help: "how long requests may go on at a reload or a stop before their worker is killed",
		Note: "Holds for a stop too, which in uWSGI cuts requests off.",
	},
	{
		Name: "reload-mercy", Kind: Seconds, Arg: "SECONDS", Section: Processes, Status: Differs,
		Help: "the same as --worker-reload-mercy, where that is not given",
		Note: "uWSGI waits so long for vassals and daemons only, whatever its name says.",
	},
	{
		Name: "touch-reload", Kind: List, Arg: "FILE", Section: Processes, Status: Differs,
		Help: "reload when this file is touched",
		Note: "Loads the app anew; options that have changed need a restart. The file may be made later.",
	},
	{
		Name: "touch-chain-reload", Kind: List, Arg: "FILE", Section: Processes, Status: Same,
		Help: "replace the workers one by one when this file is touched; needs --lazy-apps",
	},
	{
		Name: "py-autoreload", Aliases: []string{"py-auto-reload", "python-autoreload", "python-auto-reload"}, Kind: Seconds, Arg: "SECONDS", Section: Python, Status: Differs,
		Help: "reload when a file of the app's Python code changes; for development",
		Note: "Any number but 0 does: the system tells of changes at once. Every .py file beside an imported one counts; the standard library and site-packages do not.",
	},
	{
		Name: "py-auto-reload-ignore", Kind: List, Arg: "MODULE", Section: Python, Status: Same,
		Help: "do not watch the file of this module",
	},
	{
		Name: "die-on-term", Kind: Flag, Default: "true", Section: Processes, Status: Differs,
		Help: "stop on SIGTERM",
		Note: "Always so here, and gracefully: requests in flight are finished.",
	},
	{
		Name: "vacuum", Kind: Flag, Section: Processes, Status: Same,
		Help: "remove the unix sockets and the pid files at the end",
	},
	{
		Name: "drain-delay", Kind: Seconds, Arg: "SECONDS", Section: Processes, Status: Own,
		Help: "go on serving as usual for so long after a signal to stop, until a load balancer has noticed",
		Note: "A second signal ends it.",
	},
	{
		Name: "ready-path", Kind: Text, Arg: "PATH", Section: Processes, Status: Own,
		Help: "answer at this path, such as /-/ready, whether requests should be sent here: 200, or 503 and why not",
		Note: "For the health checks of a load balancer, without a worker. 503 says `stopping` from the signal to stop on, `no worker` while none serves.",
	},

	// User, daemon, service manager.
	{
		Name: "uid", Aliases: []string{"immediate-uid"}, Kind: Text, Arg: "USER", Section: System, Status: Differs,
		Help: "run as this user, a name or a number, from when the addresses are bound; the app is loaded as that user",
		Note: "uWSGI drops root before it binds, unless `chown-socket` is given. Unix sockets belong to the user unless `chown-socket` says otherwise. `immediate-uid` drops root before anything else. Without `gid` the user's own group is taken; uWSGI keeps root's.",
	},
	{
		Name: "gid", Aliases: []string{"immediate-gid"}, Kind: Text, Arg: "GROUP", Section: System, Status: Same,
		Help: "run as this group, a name or a number",
	},
	{
		Name: "add-gid", Kind: List, Arg: "GROUP", Section: System, Status: Same,
		Help: "be a member of this group too",
	},
	{
		Name: "no-initgroups", Kind: Flag, Section: System, Status: Same,
		Help: "leave out the further groups that the user of uid is a member of",
	},
	{
		Name: "umask", Kind: Text, Arg: "MODE", Immediate: true, Section: System, Status: Same,
		Help: "take these permissions, octal digits, from every file that is made",
	},
	{
		Name: "pidfile", Kind: Text, Arg: "FILE", Section: System, Status: Differs,
		Help: "write the process id to this file once the addresses are bound",
		Note: "uWSGI writes it before, over that of a server that runs.",
	},
	{
		Name: "pidfile2", Kind: Text, Arg: "FILE", Section: System, Status: Same,
		Help: "write the process id to this file as the user of uid",
	},
	{
		Name: "safe-pidfile", Kind: Text, Arg: "FILE", Section: System, Status: Same,
		Help: "write the process id to this file when the apps are loaded",
	},
	{
		Name: "safe-pidfile2", Kind: Text, Arg: "FILE", Section: System, Status: Same,
		Help: "the same as safe-pidfile, for a second file",
	},
	{
		Name: "daemonize", Short: 'd', Kind: Text, Arg: "LOG", Section: System, Status: Differs,
		Help: "run in the background and log to this file; the command returns when requests are served, or with the code of the start that failed",
		Note: "uWSGI returns at once, with 0. The umask stays; uWSGI sets it to 0.",
	},
	{
		Name: "daemonize2", Kind: Text, Arg: "LOG", Section: System, Status: Differs,
		Help: "the same, and what was logged until then is shown",
		Note: "As for `daemonize`. The log has everything, the terminal a copy.",
	},
	{
		Name: "stop", Kind: Text, Arg: "PIDFILE", Immediate: true, Section: System, Status: Same,
		Help: "send SIGINT to the process of this pid file: finish requests and stop",
	},
	{
		Name: "reload", Kind: Text, Arg: "PIDFILE", Immediate: true, Section: System, Status: Same,
		Help: "send SIGHUP to the process of this pid file: load the app anew",
	},
	{
		Name: "pause", Aliases: []string{"suspend", "resume"}, Kind: Text, Arg: "PIDFILE", Immediate: true, Section: System, Status: Same,
		Help: "send SIGTSTP to the process of this pid file: accept no more connections, or again",
	},
	{
		Name: "connect-and-read", Kind: Text, Arg: "ADDR", Immediate: true, Section: System, Status: Same,
		Help: "print what comes from this address, such as that of stats",
	},
	{
		Name: "chroot", Kind: Text, Arg: "DIR", Section: System, Status: Differs,
		Help: "make this directory the root of all paths once the addresses are bound; it must hold Python and all that it needs",
		Note: "Sockets, log and pid file are outside; `chdir` and the app are inside. In uWSGI sockets are inside.",
	},

	{
		Name: "master-fifo", Kind: List, Arg: "FILE", Section: System, Status: Differs,
		Help: "take commands from this named pipe, one letter each: q stop, Q stop at once, r or w reload, c reload the workers one by one, f replace the binary, p pause or resume, P write the pid files again, s log statistics, 0 to 9 read that pipe instead",
		Note: "Letters for what is not there yet are logged. The pipe is removed at the end; uWSGI leaves it, and who writes to it waits.",
	},
	{
		Name: "attach-daemon", Kind: List, Arg: "COMMAND", Section: System, Status: Differs,
		Help: "run this shell command beside the server: again when it dies, until the server has stopped",
		Note: "It is ended after the workers, which may need it, and goes on through a reload.",
	},
	{
		Name: "attach-daemon2", Kind: List, Arg: "KEY=VALUE,...", Section: System, Status: Differs,
		Help: "the same with keys: cmd, pidfile, daemonize, chdir, freq, max_throttle, stopsignal",
		Note: "Other keys end the start.",
	},
	{
		Name: "smart-attach-daemon", Kind: List, Arg: "PIDFILE COMMAND", Section: System, Status: Same,
		Help: "the same for a command that goes to the background and writes a pid file; one that runs already is taken over",
	},
	{
		Name: "smart-attach-daemon2", Kind: List, Arg: "PIDFILE COMMAND", Section: System, Status: Same,
		Help: "the same for a command that writes a pid file and stays in the foreground",
	},
	{
		Name: "cron", Kind: List, Arg: "MINUTE HOUR DAY MONTH WEEKDAY COMMAND", Section: System, Status: Same,
		Help: "run this shell command at these times; -1 is any, -5 every fifth",
	},
	{
		Name: "unique-cron", Kind: List, Arg: "MINUTE HOUR DAY MONTH WEEKDAY COMMAND", Section: System, Status: Same,
		Help: "the same, but not while the one before still runs",
	},
	{
		Name: "cron2", Kind: List, Arg: "KEY=NUMBER,... COMMAND", Section: System, Status: Same,
		Help: "the same with keys: minute, hour, day, month, week, unique, harakiri",
	},
	{
		Name: "cron-harakiri", Kind: Seconds, Arg: "SECONDS", Section: System, Status: Same,
		Help: "kill commands of cron that take longer",
	},
	{
		Name: "no-orphans", Kind: Flag, Default: "true", Section: System, Status: Differs,
		Help: "end the workers when the server is killed",
		Note: "Always so here, also for the commands of cron and attach-daemon (Linux).",
	},

	{
		Name: "auto-procname", Kind: Flag, Section: System, Status: Differs,
		Help: "have ps show uWSGI master, uWSGI worker 1 and so on",
		Note: "Linux. The process that imports the app and forks the workers is `uWSGI zygote`.",
	},
	{
		Name: "procname-prefix", Kind: Text, Arg: "TEXT", Section: System, Status: Same,
		Help: "the same, with this in front of each name",
	},
	{
		Name: "procname-prefix-spaced", Kind: Text, Arg: "TEXT", Section: System, Status: Same,
		Help: "the same, with this and a space in front of each name",
	},
	{
		Name: "procname-append", Kind: Text, Arg: "TEXT", Section: System, Status: Same,
		Help: "the same, with this behind each name",
	},
	{
		Name: "procname", Kind: Text, Arg: "TEXT", Section: System, Status: Same,
		Help: "have ps show this for every process",
	},
	{
		Name: "procname-master", Kind: Text, Arg: "TEXT", Section: System, Status: Same,
		Help: "have ps show this for the server itself",
	},

	// Requests and limits.
	{
		Name: "route", Kind: List, Arg: "RULE", Section: Requests, Status: Differs,
		Help: "do something with requests whose PATH_INFO matches: REGEX ACTION:ARGUMENTS",
		Note: "[routing.md](routing.md) has the actions; others [end the start](#ends-the-start), or are left out where they protect nothing. Patterns are Go's (RE2). The time of harakiri takes the place of --harakiri, so it may be longer, and 0 means none; in uWSGI the shorter one counts.",
	},
	{
		Name: "route-uri", Kind: List, Arg: "RULE", Section: Requests, Status: Differs,
		Help: "the same where REQUEST_URI matches",
		Note: "As for route.",
	},
	{
		Name: "route-qs", Kind: List, Arg: "RULE", Section: Requests, Status: Differs,
		Help: "the same where QUERY_STRING matches",
		Note: "As for route.",
	},
	{
		Name: "route-host", Kind: List, Arg: "RULE", Section: Requests, Status: Differs,
		Help: "the same where HTTP_HOST matches",
		Note: "As for route.",
	},
	{
		Name: "route-remote-addr", Kind: List, Arg: "RULE", Section: Requests, Status: Differs,
		Help: "the same where REMOTE_ADDR matches",
		Note: "As for route.",
	},
	{
		Name: "route-remote-user", Kind: List, Arg: "RULE", Section: Requests, Status: Differs,
		Help: "the same where REMOTE_USER matches",
		Note: "As for route.",
	},
	{
		Name: "route-referer", Kind: List, Arg: "RULE", Section: Requests, Status: Differs,
		Help: "the same where HTTP_REFERER matches",
		Note: "As for route.",
	},
	{
		Name: "route-user-agent", Kind: List, Arg: "RULE", Section: Requests, Status: Differs,
		Help: "the same where HTTP_USER_AGENT matches",
		Note: "As for route.",
	},
	{
		Name: "route-if", Kind: List, Arg: "RULE", Section: Requests, Status: Differs,
		Help: "the same where a condition holds: CONDITION:ARGUMENTS ACTION:ARGUMENTS",
		Note: "As for route. Conditions that ask files or a cache end the start.",
	},
	{
		Name: "route-if-not", Kind: List, Arg: "RULE", Section: Requests, Status: Differs,
		Help: "the same where a condition does not hold",
		Note: "As for route-if.",
	},
	{
		Name: "route-run", Kind: List, Arg: "ACTION", Section: Requests, Status: Differs,
		Help: "the same for every request: ACTION:ARGUMENTS",
		Note: "As for route.",
	},
	{
		Name: "route-label", Kind: List, Arg: "NAME", Section: Requests, Status: Differs,
		Help: "name a place among the rules for goto",
		Note: "A goto that leads nowhere, or back, ends the start.",
	},
	{
		Name: "buffer-size", Short: 'b', Kind: Size, Arg: "BYTES", Default: "32768", Section: Requests, Status: Differs,
		Help: "the largest request head, or uwsgi packet, that is accepted",
		Note: "uWSGI's default is 4096. Less than 32768 is raised to it; more than 65535 is allowed for HTTP, up to 1 MiB.",
	},
	{
		Name: "http-timeout", Kind: Seconds, Arg: "SECONDS", Default: "60", Section: Requests, Status: Differs,
		Help: "how long an HTTP client may be silent within a request",
		Note: "Holds for every HTTP address, and never for the time the app takes.",
	},
	{
		Name: "socket-timeout", Short: 'z', Kind: Seconds, Arg: "SECONDS", Default: "60", Section: Requests, Status: Differs,
		Help: "how long a uwsgi client may be silent within a request",
		Note: "Never for the time the app takes. uWSGI's default is 4, which cuts slow uploads and downloads off.",
	},
	{
		Name: "http-keepalive", Kind: Seconds, Arg: "SECONDS", Optional: true, Default: "125", Section: Requests, Status: Differs,
		Help: "close an HTTP connection that has been idle for so long; 0 closes after each request, 1 and true mean the default",
		Note: "Longer than front servers keep an idle connection (60 s in nginx and AWS), as one that is closed under a request costs it a 502. On by default, for every HTTP address. uWSGI reads `true` as 0, off.",
	},
	{
		Name: "queue-size", Kind: Int, Arg: "N", Default: "16384", Section: Requests, Status: Own,
		Help: "let this many requests wait for a worker, over all addresses; more are answered 503 at once; 0 lets none wait",
		Note: "The queue of uWSGI is the backlog of its sockets, see `listen`.",
	},
	{
		Name: "queue-timeout", Kind: Fraction, Arg: "SECONDS", Section: Requests, Status: Own,
		Help: "answer 503 to a request that has waited so long for a worker, and never run it; refuse those that would have to",
		Note: "Without it a request waits as long as its client does. See `harakiri` for the time that it runs.",
	},
	{
		Name: "lanes", Kind: Flag, Arg: "BOOL", Optional: true, Default: "true", Section: Requests, Status: Own,
		Help: "let routes that have proved slow hold at most three quarters of the worker threads while there are fast ones",
		Note: "Where there are two threads or more in all. A route is a method and the first three segments of a path.",
	},
	{
		Name: "limit-post", Kind: Size, Arg: "BYTES", Section: Requests, Status: Differs,
		Help: "refuse request bodies larger than this",
		Note: "With 413; uWSGI drops the connection.",
	},
	{
		Name: "post-buffering", Kind: Size, Arg: "BYTES", Section: Requests, Status: Differs,
		Help: "keep bodies up to this size in memory, larger ones in a temporary file",
		Note: "Bodies are always buffered before the app runs. `true` means 1. The file has no name and is in TMPDIR, else /tmp; " +
			"where none can be made there the body is kept in memory, within `limit-buffers`.",
	},
	{
		Name: "limit-buffers", Kind: Size, Arg: "BYTES", Section: Requests, Status: Own,
		Help: "let all connections together hold so much memory: heads, bodies, answers that clients do not read; 1 MiB at least, 0 for the default",
		Note: "From half of it on bodies go to files earlier; beyond it new requests are answered 503 with `Retry-After`. " +
			"By default an eighth of the memory that the machine or the container has, from 32 MiB to 512 MiB.",
	},

	// Files and compression.
	{
		Name: "static-map", Kind: List, Arg: "/PREFIX=DIR", Section: Files, Status: Differs,
		Help: "serve files: paths below the prefix come from this directory or file",
		Note: "The prefix matches whole path segments, so `/st` does not serve `/static`.",
	},
	{
		Name: "check-static", Aliases: []string{"static-check"}, Kind: List, Arg: "DIR", Section: Files, Status: Same,
		Help: "serve a file of this directory when the request's path names one",
	},
	{
		Name: "static-index", Kind: List, Arg: "NAME", Section: Files, Status: Same,
		Help: "serve this file for a directory",
	},
	{
		Name: "static-map2", Kind: List, Arg: "/PREFIX=DIR", Section: Files, Status: Differs,
		Help: "the same as static-map, but the prefix belongs to the file's name, too",
		Note: "As for `static-map`.",
	},
	{
		Name: "static-skip-ext", Kind: List, Arg: ".EXT", Section: Files, Status: Differs,
		Help: "serve no files whose names end so, such as .py; the app gets their requests",
		Note: "In upper and lower case; the name that is asked for counts as well as the one that a link leads to.",
	},
	{
		Name: "static-safe", Kind: List, Arg: "DIR", Section: Files, Status: Differs,
		Help: "serve what links in a directory of static files lead to, if it is in this one",
		Note: "The directory itself has to be above, not only the beginning of a name.",
	},
	{
		Name: "add-header", Kind: List, Arg: "NAME: VALUE", Section: Files, Status: Differs,
		Help: "add this header to every response, files and errors included",
		Note: "`Connection: close` closes, other values for Connection do nothing. What is no header, and one that says how long the body is, ends the start.",
	},
	{
		Name: "rem-header", Aliases: []string{"del-header"}, Kind: List, Arg: "NAME", Section: Files, Status: Same,
		Help: "leave this header out of every response, except where add-header adds it",
	},
	{
		Name: "compress", Kind: Flag, Section: Files, Status: Own,
		Help: "compress responses for clients that accept it",
		Note: "uWSGI has a log encoder of this name, but no option.",
	},
	{
		Name: "http-auto-gzip", Kind: Flag, Section: Files, Status: Same,
		Help: "compress a response when the app sends the header uWSGI-Encoding: gzip",
	},

	// Logs and statistics.
	{
		Name: "disable-logging", Short: 'L', Kind: Flag, Section: Logging, Status: Same,
		Help: "do not log requests",
	},
	{
		Name: "log-format", Aliases: []string{"logformat"}, Kind: Text, Arg: "FORMAT", Section: Logging, Status: Differs,
		Help: "log requests in this form; %(uri), %(status), %(msecs) and their like are filled in",
		Note: "Has `%(queue_msecs)` and `%(queue_micros)` too: how long a request waited to be run.",
	},
	{
		Name: "logto", Kind: Text, Arg: "FILE", Default: "standard error", Section: Logging, Status: Same,
		Help: "write the log to this file",
	},
	{
		Name: "stats", Aliases: []string{"stats-server"}, Kind: Text, Arg: "ADDR", Section: Logging, Status: Same,
		Help: "send statistics as JSON to whoever connects to this address",
	},
	{
		Name: "stats-http", Kind: Flag, Section: Logging, Status: Differs,
		Help: "wait for an HTTP request on the address of --stats before answering",
		Note: "Without it a request that comes at once is answered as well. Pages of other sites cannot read the answer: uWSGI lets them (`Access-Control-Allow-Origin: *`).",
	},
	{
		Name: "stats-host", Kind: List, Arg: "NAME", Section: Logging, Status: Own,
		Help: "answer HTTP requests to the address of --stats for this host name too, not only for addresses and localhost",
		Note: "Against web pages that have their own name lead to the server (DNS rebinding).",
	},
	{
		Name: "stats-minified", Aliases: []string{"stats-min"}, Kind: Flag, Section: Logging, Status: Same,
		Help: "send statistics without line breaks and tabs",
	},
	{
		Name: "stats-no-cores", Kind: Flag, Section: Logging, Status: Same,
		Help: "leave the cores of the workers out of the statistics",
	},
	{
		Name: "profile", Kind: Text, Arg: "WHAT", Section: Logging, Status: Own,
		Help: "write a Go profile: cpu, mem, allocs, heap, mutex, block, goroutine, threads, clock or trace",
		Note: "For work on uwsgo itself.",
	},

	// Configuration.
	{
		Name: "ini", Kind: Action, Arg: "FILE[:SECTION]", Immediate: true, Section: Configuration, Status: Same,
		Help: "read options from this ini file, - for standard input; :SECTION alone is a section of the last file",
	},
	{
		Name: "include", Kind: Action, Arg: "FILE", Immediate: true, Section: Configuration, Status: Same,
		Help: "read options from this file at once",
	},
	{
		Name: "inherit", Kind: Action, Arg: "FILE", Section: Configuration, Status: Same,
		Help: "read options from this file after all others; its placeholders are not filled in",
	},
	{
		Name: "set", Short: 'S', Kind: Action, Arg: "NAME=VALUE", Immediate: true, Section: Configuration, Status: Same,
		Help: "set an option or a placeholder",
	},
	{
		Name: "set-placeholder", Aliases: []string{"set-ph"}, Kind: Action, Arg: "NAME=VALUE", Immediate: true, Section: Configuration, Status: Same,
		Help: "set a placeholder, which %(NAME) stands for",
	},
	{
		Name: "if-env", Aliases: []string{"ifenv", "if-not-env"}, Kind: Action, Arg: "NAME[=VALUE]", Immediate: true, Section: Configuration, Status: Same,
		Help: "take the lines up to endif only if the environment variable is set, or has this value",
	},
	{
		Name: "if-opt", Aliases: []string{"if-not-opt"}, Kind: Action, Arg: "NAME[=VALUE]", Immediate: true, Section: Configuration, Status: Same,
		Help: "take the lines up to endif only if the option is set, or has this value",
	},
	{
		Name: "if-exists", Aliases: []string{"ifexists", "if-not-exists"}, Kind: Action, Arg: "PATH", Immediate: true, Section: Configuration, Status: Same,
		Help: "take the lines up to endif only if the path exists",
	},
	{
		Name: "if-file", Aliases: []string{"if-not-file"}, Kind: Action, Arg: "PATH", Immediate: true, Section: Configuration, Status: Same,
		Help: "take the lines up to endif only if the path is a regular file",
	},
	{
		Name: "if-dir", Aliases: []string{"ifdir", "if-directory", "if-not-dir"}, Kind: Action, Arg: "PATH", Immediate: true, Section: Configuration, Status: Same,
		Help: "take the lines up to endif only if the path is a directory",
	},
	{
		Name: "if-plugin", Aliases: []string{"ifplugin", "if-not-plugin"}, Kind: Action, Arg: "NAME", Immediate: true, Section: Configuration, Status: Differs,
		Help: "take the lines up to endif only if uwsgo does what the plugin does",
		Note: "The Python, http, static, log file and similar plugins count as loaded.",
	},
	{
		Name: "if-hostname", Aliases: []string{"if-not-hostname"}, Kind: Action, Arg: "NAME", Immediate: true, Section: Configuration, Status: Same,
		Help: "take the lines up to endif only on this host",
	},
	{
		Name: "if-hostname-match", Aliases: []string{"if-not-hostname-match"}, Kind: Action, Arg: "REGEXP", Immediate: true, Section: Configuration, Status: Differs,
		Help: "take the lines up to endif only on hosts whose name matches",
		Note: "The expression is RE2's, without backreferences and lookaround.",
	},
	{
		Name: "if-reload", Aliases: []string{"if-not-reload"}, Kind: Action, Immediate: true, Section: Configuration, Status: Same,
		Help: "take the lines up to endif only when the server is being reloaded",
	},
	{
		Name: "else", Kind: Action, Immediate: true, Section: Configuration, Status: Same,
		Help: "take the lines up to endif only if the ones before were not taken",
		Note: "As in uWSGI 2.1.",
	},
	{
		Name: "endif", Aliases: []string{"end-if", "endfor", "end-for", "end"}, Kind: Action, Immediate: true, Section: Configuration, Status: Same,
		Help: "end the lines of an if or a for",
	},
	{
		Name: "for", Kind: Action, Arg: "WORDS", Immediate: true, Section: Configuration, Status: Same,
		Help: "take each line up to endfor once for every word, which %(_) stands for",
	},
	{
		Name: "for-glob", Kind: Action, Arg: "PATTERN", Immediate: true, Section: Configuration, Status: Same,
		Help: "the same for every path that matches the pattern",
	},
	{
		Name: "for-times", Kind: Action, Arg: "N", Immediate: true, Section: Configuration, Status: Same,
		Help: "the same for the numbers from 1 to N",
	},
	{
		Name: "for-readline", Kind: Action, Arg: "FILE", Immediate: true, Section: Configuration, Status: Same,
		Help: "the same for every line of a file",
	},
	{
		Name: "strict", Kind: Flag, Immediate: true, Section: Configuration, Status: Same,
		Help: "end the start when a file names an option that does not exist, rather than warn",
	},
	{
		Name: "plugins", Aliases: []string{"plugin", "need-plugins", "need-plugin"}, Kind: List, Arg: "NAMES", Immediate: true, Section: Configuration, Status: Differs,
		Help: "accept uWSGI's plugin names, separated by commas",
		Note: "What is supported is built in. A name that uwsgo has nothing for is named in the log; with need-plugin it ends the start.",
	},
	{
		Name: "ignore-unsupported", Kind: List, Arg: "NAMES", Section: Configuration, Status: Own,
		Help: "start although these options, separated by commas, protect something and are not supported; route:ACTION for an action of route",
		Note: "Such an option ends the start otherwise, with the name to write here. The log names them at each start.",
	},
	{
		Name: "show-config", Kind: Flag, Section: Configuration, Status: Same,
		Help: "print the options in force, as an ini file, and go on",
	},
	{
		Name: "version", Kind: Action, Section: Configuration, Status: Differs,
		Help: "print the version and exit",
		Note: "Prints uwsgo's version and the uWSGI release it follows; started under a name that begins with `uwsgi`, only that release.",
	},
	{
		Name: "help", Aliases: []string{"usage"}, Short: 'h', Kind: Action, Section: Configuration, Status: Same,
		Help: "print the options and exit",
	},
}
