package config

import (
	"errors"
	"math"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/uwsgo/uwsgo/cmd/internal/companion"
	"github.com/uwsgo/uwsgo/cmd/internal/cron"
	"github.com/uwsgo/uwsgo/cmd/internal/ini"
	"github.com/uwsgo/uwsgo/cmd/internal/option"
)

// errNotRead tells a programmer that an option has a row and nothing that reads it.
var errNotRead = errors.New("the option is in the table, but package config does not read it")

// apply sets what one option asks for. name is the option's own name, e.Key may
// be an alias of it.
func (r *resolver) apply(name string, e ini.Entry) error {
	var err error
	set := func(to *string, what string) {
		var s string
		if s, err = text(e, what); err == nil {
			*to = s
		}
	}
	add := func(to *[]string, what string) {
		var s string
		if s, err = text(e, what); err == nil {
			*to = append(*to, s)
		}
	}
	count := func(to *int, limit int64) {
		var n int64
		if n, err = number(e, limit); err == nil {
			*to = int(n)
		}
	}
	share := func(to *int) {
		var n int64
		if n, err = percent(e, maxCheaper); err == nil {
			*to = int(n)
		}
	}
	flag := func() bool {
		var on bool
		on, err = truth(r.list, e)
		return on
	}
	switch name {
	case "http", "http-socket", "http11-socket":
		err = r.listen(e, HTTP)
	case "uwsgi-socket":
		err = r.listen(e, Uwsgi)
	case "socket":
		err = r.listen(e, "") // finish fills in what protocol says
	case "protocol":
		r.Protocol, err = protocol(e)
	case "listen":
		count(&r.Backlog, math.MaxInt32)
	case "chmod-socket":
		r.ChmodSocket, err = mode(e)
	case "chown-socket":
		r.ChownSocket, err = owner(e)

	case "module":
		set(&r.Module, "the name of a Python module")
	case "wsgi-file":
		set(&r.WSGIFile, "a file name")
	case "callable":
		set(&r.Callable, "a name")
	case "mount":
		err = r.mount(e)
	case "manage-script-name":
		r.ManageScriptName = flag()
	case "need-app":
		r.NeedApp = flag()
	case "lazy-apps":
		r.LazyApps = flag()
		r.ImportOnce = err == nil && !r.LazyApps
	case "single-interpreter":
		r.SingleInterpreter = flag()

	case "virtualenv":
		set(&r.Virtualenv, "a directory")
	case "pythonpath":
		err = r.pythonPath(e)
	case "pyargv":
		r.PyArgv = e.Value
	case "env":
		err = r.env(e)
	case "envdir":
		err = r.envDir(e)
	case "unenv":
		err = r.unenv(e)
	case "chdir":
		set(&r.Chdir, "a directory")

	case "master":
		r.Master = flag()
	case "processes":
		count(&r.Processes, maxProcesses)
	case "threads":
		count(&r.Threads, maxThreads)
	case "enable-threads":
		flag() // always on
	case "harakiri":
		r.Harakiri, err = seconds(e)
	case "harakiri-verbose":
		r.HarakiriVerbose = flag()
	case "harakiri-graceful-timeout":
		r.HarakiriMercy, err = seconds(e)
	case "cheaper":
		if !r.noCheaper(e) {
			count(&r.Cheaper.Min, maxCheaper)
		}
		r.Master = true
	case "cheaper-initial":
		count(&r.Cheaper.Initial, maxCheaper)
	case "cheaper-step":
		count(&r.Cheaper.Step, maxCheaper)
	case "cheaper-overload":
		count(&r.Cheaper.Overload, maxCheaper)
	case "cheaper-algo":
		r.algorithm(e)
	case "cheaper-busyness-max":
		share(&r.Cheaper.Busyness.Max)
	case "cheaper-busyness-min":
		share(&r.Cheaper.Busyness.Min)
	case "cheaper-busyness-multiplier":
		count(&r.Cheaper.Busyness.Multiplier, maxCheaper)
	case "cheaper-busyness-penalty":
		count(&r.Cheaper.Busyness.Penalty, maxCheaper)
	case "cheaper-busyness-backlog-alert":
		count(&r.Cheaper.Busyness.BacklogAlert, maxCheaper)
	case "cheaper-busyness-backlog-step":
		count(&r.Cheaper.Busyness.BacklogStep, maxCheaper)
	case "cheaper-busyness-backlog-multiplier":
		count(&r.Cheaper.Busyness.BacklogMultiplier, maxCheaper)
	case "cheaper-busyness-backlog-nonzero":
		r.Cheaper.Busyness.BacklogNonzero, err = seconds(e)
	case "cheaper-busyness-verbose":
		r.Cheaper.Busyness.Verbose = flag()
	case "harakiri-graceful-signal":
		var n int64
		n, err = plain(e, maxSignal)
		r.HarakiriSignal = syscall.Signal(n)
	case "route", "route-uri", "route-host", "route-qs", "route-remote-addr", "route-remote-user", "route-referer", "route-user-agent",
		"route-if", "route-if-not", "route-run", "route-label":
		err = r.route(name, e)
	case "max-requests":
		r.MaxRequests, err = number(e, maxRequests)
	case "max-requests-delta":
		r.MaxRequestsDelta, err = number(e, math.MaxInt32)
	case "max-worker-lifetime":
		r.MaxLifetime, err = seconds(e)
	case "max-worker-lifetime-delta":
		r.MaxLifetimeDelta, err = seconds(e)
	case "min-worker-lifetime":
		r.MinLifetime, err = seconds(e)
	case "reload-on-rss":
		r.ReloadOnRSS, err = megabytes(e)
	case "reload-on-as":
		r.ReloadOnAS, err = megabytes(e)
	case "evil-reload-on-rss":
		r.EvilRSS, err = megabytes(e)
		r.Master = true
	case "evil-reload-on-as":
		r.EvilAS, err = megabytes(e)
		r.Master = true
	case "limit-as":
		r.LimitAS, err = megabytes(e)
	case "worker-reload-mercy":
		r.Mercy, err = seconds(e)
		r.mercySet = true
	case "reload-mercy":
		var d time.Duration
		if d, err = seconds(e); err == nil && !r.mercySet {
			r.Mercy = d
		}
	case "touch-reload":
		add(&r.TouchReload, "a file name")
		r.Master = true
	case "touch-chain-reload":
		add(&r.TouchChainReload, "a file name")
	case "py-autoreload":
		var d time.Duration
		d, err = seconds(e)
		r.AutoReload = d > 0
		r.Master = r.Master || r.AutoReload // as in uWSGI
	case "py-auto-reload-ignore":
		add(&r.AutoReloadIgnore, "the name of a Python module")
	case "die-on-term":
		r.DieOnTerm = flag()
	case "vacuum":
		r.Vacuum = flag()
	case "drain-delay":
		r.DrainDelay, err = seconds(e)
	case "ready-path":
		if set(&r.ReadyPath, "a path"); err == nil && !strings.HasPrefix(r.ReadyPath, "/") {
			err = e.Origin.Errorf(e.Key, "%q does not begin with a slash, as /-/ready does", r.ReadyPath)
		}

	case "uid":
		r.ImmediateDrop = r.ImmediateDrop || e.Key == "immediate-uid"
		set(&r.UID, "a user, by name or number")
	case "gid":
		r.ImmediateDrop = r.ImmediateDrop || e.Key == "immediate-gid"
		set(&r.GID, "a group, by name or number")
	case "add-gid":
		add(&r.AddGID, "a group, by name or number")
	case "no-initgroups":
		r.NoInitgroups = flag()
	case "umask":
		r.Umask, err = umask(e)
	case "chroot":
		set(&r.Chroot, "a directory")
	case "pidfile":
		set(&r.PidFile, "a file name")
	case "pidfile2":
		set(&r.PidFile2, "a file name")
	case "safe-pidfile":
		set(&r.SafePidFile, "a file name")
	case "safe-pidfile2":
		set(&r.SafePidFile2, "a file name")
	case "daemonize", "daemonize2":
		r.DaemonShow = name == "daemonize2"
		set(&r.Daemonize, "a file name for the log")
	case "stop", "reload", "pause":
		r.Action, r.Signal = Signal, name
		set(&r.Target, "the name of a pid file")
	case "connect-and-read":
		r.Action = Read
		set(&r.Target, "an address")

	case "auto-procname":
		r.Procnames.Auto = flag()
	case "procname-prefix", "procname-prefix-spaced", "procname-append", "procname", "procname-master":
		err = r.procname(name, e)
	case "master-fifo":
		add(&r.Fifos, "a file name")
		r.Master = true // as in uWSGI
	case "attach-daemon":
		var command string
		if command, err = text(e, "a command"); err == nil {
			r.Companions = append(r.Companions, companion.New(command))
		}
	case "attach-daemon2":
		err = r.companion(e, companion.ParseKeys)
	case "smart-attach-daemon", "smart-attach-daemon2":
		err = r.companion(e, func(value string) (companion.Spec, error) {
			return companion.ParseSmart(value, name == "smart-attach-daemon2")
		})
	case "cron":
		err = r.cron(e, cron.Parse, false)
	case "unique-cron":
		err = r.cron(e, cron.Parse, true)
	case "cron2":
		err = r.cron(e, cron.Parse2, false)
	case "cron-harakiri":
		r.cronHarakiri, err = seconds(e)
	case "no-orphans":
		flag() // always on
	case "hook-post-fork":
		err = r.hook("post-fork", e)
	case "hook-master-start":
		err = r.hook("master-start", e)

	case "buffer-size":
		var n int64
		if n, err = size(e); err == nil {
			r.BufferSize = int(min(n, math.MaxInt32))
		}
	case "http-timeout":
		r.HTTPTimeout, err = seconds(e)
	case "socket-timeout":
		r.SocketTimeout, err = seconds(e)
	case "http-keepalive":
		err = r.keepAlive(e)
	case "queue-size":
		count(&r.QueueSize, maxQueueSize)
	case "queue-timeout":
		r.QueueTimeout, err = fraction(e)
	case "lanes":
		r.Lanes = flag()
	case "limit-post":
		r.LimitPost, err = size(e)
	case "limit-buffers":
		r.LimitBuffers, err = size(e)
	case "post-buffering":
		r.PostBuffering, err = numberOrTrue(e, sizes, maxBytes)

	case "static-map":
		err = r.staticMap(e, false)
	case "static-map2":
		err = r.staticMap(e, true)
	case "static-skip-ext":
		add(&r.StaticSkip, "the end of a name, such as .py")
	case "static-safe":
		add(&r.StaticSafe, "a directory")
	case "add-header":
		err = r.addHeader(e)
	case "rem-header":
		err = r.remHeader(e)
	case "check-static":
		add(&r.CheckStatic, "a directory")
	case "static-index":
		add(&r.StaticIndex, "a file name")
	case "compress":
		r.Compress = flag()
	case "http-auto-gzip":
		r.HTTPGzip = flag()

	case "disable-logging":
		r.LogRequests = !flag()
	case "log-format":
		set(&r.LogFormat, "a format such as %(uri) %(status)")
	case "logto":
		set(&r.LogTo, "a file name")
	case "stats":
		set(&r.Stats, "an address")
		r.Master = true // as in uWSGI, where the master serves them
	case "stats-http":
		r.StatsHTTP = flag()
	case "stats-host":
		add(&r.StatsHosts, "a host name")
	case "stats-minified":
		r.StatsMin = flag()
	case "stats-no-cores":
		r.StatsNoCores = flag()
	case "profile":
		if err = oneOf(e, Profiles); err == nil {
			r.Profile = e.Value
		}

	case "plugins":
		err = r.plugins(e)
	case "ignore-unsupported":
		err = r.giveUp(e)
	case "show-config":
		r.Show = flag()
	case "strict":
		flag()
		r.Strict = r.list.Strict()
	case "version":
		r.Action = Version
	case "help":
		r.Action = Help
	case "inherit":
		err = r.list.Inherit(e)
	default:
		stage, hook := strings.CutPrefix(name, "hook-")
		if !hook {
			stage = strings.TrimPrefix(name, "exec-")
		}
		switch {
		case !slices.Contains(option.Stages(), stage):
			err = errNotRead
		case hook:
			err = r.hook(stage, e)
		default:
			err = r.execute(stage, e)
		}
	}
	return err
}
