package config

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/uwsgo/uwsgo/cmd/internal/companion"
	"github.com/uwsgo/uwsgo/cmd/internal/cron"
	"github.com/uwsgo/uwsgo/cmd/internal/ini"
	"github.com/uwsgo/uwsgo/cmd/internal/option"
)

// Profiles are the kinds of profile that the profile option knows.
var Profiles = []string{"cpu", "mem", "allocs", "heap", "mutex", "block", "goroutine", "threads", "clock", "trace"}

// resolve gives the options their meaning. Options that inherit brings in are
// appended to the list and so come last.
func resolve(list *ini.List, w ini.World) (*Config, error) {
	r := &resolver{Config: defaults(), list: list, world: w, told: map[string]bool{}}
	for i := 0; i < len(list.Entries); i++ {
		e := list.Entries[i]
		o := option.Lookup(e.Key)
		if o == nil {
			if err := r.unknown(e); err != nil {
				return nil, err
			}
			continue
		}
		if e.Settled && !o.Immediate {
			continue // a placeholder that has the name of an option of ours
		}
		if !o.Status.Supported() {
			r.tell(o, e)
			continue
		}
		if o.Kind == option.Action && e.Settled {
			continue // package ini did what it says
		}
		if err := r.apply(o.Name, e); err != nil {
			return nil, err
		}
	}
	if err := r.finish(); err != nil {
		return nil, err
	}
	return r.Config, nil
}

// resolver is a configuration in the making.
type resolver struct {
	*Config
	list     *ini.List
	world    ini.World
	told     map[string]bool // options that a warning was given for
	mercySet bool            // by worker-reload-mercy
	// cronHarakiri holds for jobs without a time of their own.
	cronHarakiri time.Duration
	hooks        int // of Hooks, those of hook-STAGE, which stand first
}

// unknown handles a key that is no option: a placeholder, or a mistake.
func (r *resolver) unknown(e ini.Entry) error {
	switch {
	case e.Settled:
		return nil
	case r.list.Strict():
		return ini.Unknown(e, true)
	case !r.list.Used(e.Key) && !r.told[e.Key]:
		r.told[e.Key] = true
		r.list.Warnf("%v", ini.Unknown(e, false))
	}
	return nil
}

// tell warns, once for each name, of an option that does nothing here.
func (r *resolver) tell(o *option.Option, e ini.Entry) {
	if r.told[e.Key] {
		return
	}
	r.told[e.Key] = true
	if o.Status == option.Ignored {
		r.list.Warnf("%s: accepted: has no effect because %s", e.Origin.Name(e.Key), o.Note)
		return
	}
	r.list.Warnf("%s: option %s is known but not supported yet", e.Origin.Name(e.Key), e.Key)
}

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
		set(&r.ChownSocket, "a user, or user:group")

	case "module":
		set(&r.Module, "the name of a Python module")
	case "wsgi-file":
		set(&r.WSGIFile, "a file name")
	case "callable":
		set(&r.Callable, "a name")
	case "mount":
		err = r.mount(e)
	case "manage-script-name":
		r.ManageScriptName = truth(r.list, e)
	case "need-app":
		r.NeedApp = truth(r.list, e)
	case "lazy-apps":
		r.LazyApps = truth(r.list, e)
	case "single-interpreter":
		r.SingleInterpreter = truth(r.list, e)

	case "virtualenv":
		set(&r.Virtualenv, "a directory")
	case "pythonpath":
		err = r.pythonPath(e)
	case "pyargv":
		r.PyArgv = e.Value
	case "env":
		err = r.env(e)
	case "chdir":
		set(&r.Chdir, "a directory")

	case "master":
		r.Master = truth(r.list, e)
	case "processes":
		count(&r.Processes, maxProcesses)
	case "threads":
		count(&r.Threads, maxThreads)
	case "enable-threads":
		truth(r.list, e) // always on
	case "harakiri":
		r.Harakiri, err = seconds(e)
	case "harakiri-verbose":
		r.HarakiriVerbose = truth(r.list, e)
	case "harakiri-graceful-timeout":
		r.HarakiriMercy, err = seconds(e)
	case "max-requests":
		r.MaxRequests, err = number(e, math.MaxInt64)
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
		r.DieOnTerm = truth(r.list, e)
	case "vacuum":
		r.Vacuum = truth(r.list, e)
	case "drain-delay":
		r.DrainDelay, err = seconds(e)

	case "uid":
		r.ImmediateDrop = r.ImmediateDrop || e.Key == "immediate-uid"
		set(&r.UID, "a user, by name or number")
	case "gid":
		r.ImmediateDrop = r.ImmediateDrop || e.Key == "immediate-gid"
		set(&r.GID, "a group, by name or number")
	case "add-gid":
		add(&r.AddGID, "a group, by name or number")
	case "no-initgroups":
		r.NoInitgroups = truth(r.list, e)
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
		r.Procnames.Auto = truth(r.list, e)
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
		truth(r.list, e) // always on
	case "hook-master-start":
		err = r.hook("master-start", e)

	case "buffer-size":
		count(&r.BufferSize, math.MaxInt32)
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
		r.Lanes = truth(r.list, e)
	case "limit-post":
		r.LimitPost, err = size(e)
	case "post-buffering":
		r.PostBuffering, err = numberOrTrue(e, math.MaxInt64)

	case "static-map":
		err = r.staticMap(e)
	case "check-static":
		add(&r.CheckStatic, "a directory")
	case "static-index":
		add(&r.StaticIndex, "a file name")
	case "compress":
		r.Compress = truth(r.list, e)
	case "http-auto-gzip":
		r.HTTPGzip = truth(r.list, e)

	case "disable-logging":
		r.LogRequests = !truth(r.list, e)
	case "log-format":
		set(&r.LogFormat, "a format such as %(uri) %(status)")
	case "logto":
		set(&r.LogTo, "a file name")
	case "stats":
		set(&r.Stats, "an address")
		r.Master = true // as in uWSGI, where the master serves them
	case "profile":
		if err = oneOf(e, Profiles); err == nil {
			r.Profile = e.Value
		}

	case "plugins":
		err = r.plugins(e)
	case "show-config":
		r.Show = truth(r.list, e)
	case "strict":
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

func (r *resolver) procname(name string, e ini.Entry) error {
	s, err := text(e, "a name")
	p := &r.Procnames
	switch name {
	case "procname-prefix":
		p.Prefix = s
	case "procname-prefix-spaced":
		p.Prefix = s + " "
	case "procname-append":
		p.Append = s
	case "procname":
		p.All = s
		return err
	case "procname-master":
		p.Master = s
		return err
	}
	p.Auto = true
	return err
}

func (r *resolver) companion(e ini.Entry, parse func(string) (companion.Spec, error)) error {
	s, err := parse(e.Value)
	if err != nil {
		return e.Origin.Errorf(e.Key, "%w", err)
	}
	r.Companions = append(r.Companions, s)
	return nil
}

func (r *resolver) cron(e ini.Entry, parse func(string) (cron.Job, error), unique bool) error {
	j, err := parse(e.Value)
	if err != nil {
		return e.Origin.Errorf(e.Key, "%w", err)
	}
	j.Unique = j.Unique || unique
	r.Crons = append(r.Crons, j)
	return nil
}

// hook reads ACTION:ARGUMENT. uWSGI runs hooks before the commands of exec-STAGE.
func (r *resolver) hook(stage string, e ini.Entry) error {
	action, command, _ := strings.Cut(e.Value, ":")
	switch {
	case (action == "exec" || action == "safeexec") && command != "":
	case stage == "master-start" && e.Value == "unix_signal:15 gracefully_kill_them_all":
		return nil // what SIGTERM does here
	default:
		return e.Origin.Errorf(e.Key, "%q is not supported: exec:COMMAND and safeexec:COMMAND are", e.Value)
	}
	r.Hooks = slices.Insert(r.Hooks, r.hooks, Hook{Stage: stage, Command: command, Safe: action == "safeexec", Where: e.Origin.Name(e.Key)})
	r.hooks++
	return nil
}

func (r *resolver) execute(stage string, e ini.Entry) error {
	command, err := text(e, "a command")
	if err != nil {
		return err
	}
	r.Hooks = append(r.Hooks, Hook{Stage: stage, Command: command, Where: e.Origin.Name(e.Key)})
	return nil
}

func (r *resolver) listen(e ini.Entry, p Protocol) error {
	addr, err := text(e, "an address such as :8080")
	if err != nil {
		return err
	}
	r.Listens = append(r.Listens, Listen{Addr: addr, Protocol: p, Option: e.Key, Where: e.Origin.Name(e.Key)})
	return nil
}

func protocol(e ini.Entry) (Protocol, error) {
	switch e.Value {
	case "uwsgi":
		return Uwsgi, nil
	case "http", "http11":
		return HTTP, nil
	case "https", "fastcgi", "fastcgi-nph", "scgi", "scgi-nph", "puwsgi", "suwsgi", "raw":
		return "", e.Origin.Errorf(e.Key, "protocol %s is not supported yet: use uwsgi or http", e.Value)
	}
	return "", oneOf(e, []string{"uwsgi", "http", "http11"})
}

func oneOf(e ini.Entry, words []string) error {
	if slices.Contains(words, e.Value) {
		return nil
	}
	return e.Origin.Errorf(e.Key, "%q is none of %s", e.Value, strings.Join(words, ", "))
}

func (r *resolver) mount(e ini.Entry) error {
	prefix, app, err := pair(e, "/prefix=module:callable")
	if err != nil {
		return err
	}
	if app == "" {
		return e.Origin.Errorf(e.Key, "%q names no app for the path", e.Value)
	}
	if !strings.HasPrefix(prefix, "/") {
		return e.Origin.Errorf(e.Key, "the path %q must begin with a slash", prefix)
	}
	r.Mounts = append(r.Mounts, Mount{Prefix: prefix, App: app, Where: e.Origin.Name(e.Key)})
	return nil
}

// pythonPath adds the directories that match, or the value itself.
func (r *resolver) pythonPath(e ini.Entry) error {
	dir, err := text(e, "a directory")
	if err != nil {
		return err
	}
	found, err := r.world.Glob(dir)
	if err != nil || len(found) == 0 {
		found = []string{dir}
	}
	r.PythonPath = append(r.PythonPath, found...)
	return nil
}

func (r *resolver) env(e ini.Entry) error {
	name, value, err := pair(e, "NAME=VALUE")
	if err != nil {
		return err
	}
	r.Env = append(r.Env, Env{Name: name, Value: value})
	return nil
}

func (r *resolver) keepAlive(e ini.Entry) error {
	n, err := numberOrTrue(e, maxSeconds)
	if err != nil {
		return err
	}
	r.KeepAlive = time.Duration(n) * time.Second
	if n == 1 {
		r.KeepAlive = defaults().KeepAlive
	}
	return nil
}

func (r *resolver) staticMap(e ini.Entry) error {
	prefix, path, err := pair(e, "/prefix=directory")
	if err != nil {
		return err
	}
	if path == "" {
		return e.Origin.Errorf(e.Key, "%q names no directory for the path", e.Value)
	}
	r.StaticMaps = append(r.StaticMaps, StaticMap{Prefix: prefix, Path: path})
	return nil
}

// plugins notes the plugins that are asked for. As in uWSGI, a name that is
// needed and missing ends the start.
func (r *resolver) plugins(e ini.Entry) error {
	for name := range strings.SplitSeq(e.Value, ",") {
		name = strings.TrimSpace(name)
		if name == "" {
			continue
		}
		r.Plugins = append(r.Plugins, name)
		if option.HasPlugin(name) {
			continue
		}
		if strings.HasPrefix(e.Key, "need-") {
			return e.Origin.Errorf(e.Key, "uwsgo has nothing that does what the plugin %s does", name)
		}
		r.list.Warnf("%s: uwsgo has nothing that does what the plugin %s does", e.Origin.Name(e.Key), name)
	}
	return nil
}

// finish settles what depends on several options.
func (r *resolver) finish() error {
	for i := range r.Listens {
		if r.Listens[i].Protocol == "" {
			r.Listens[i].Protocol = r.Protocol
		}
	}
	if r.Processes == 0 {
		r.Processes = 1
		r.list.Warnf("processes: 0 is too few, so one is run")
	}
	r.Threads = max(1, r.Threads)
	if r.Mercy == 0 {
		r.Mercy = defaults().Mercy
	}
	if r.MaxLifetime > 0 && r.MaxLifetime <= r.MinLifetime {
		return fmt.Errorf("max-worker-lifetime: %d seconds must be more than min-worker-lifetime, which is %d", r.MaxLifetime/time.Second, r.MinLifetime/time.Second)
	}
	if r.BufferSize > maxBufferSize {
		r.list.Warnf("buffer-size: %d is more than can be asked for, %d holds", r.BufferSize, maxBufferSize)
	}
	r.BufferSize = min(max(r.BufferSize, minBufferSize), maxBufferSize)
	if r.Action == Run && len(r.Listens) == 0 && !r.HasApp() && !r.HasFiles() && !r.Show {
		r.Action = Usage
	}
	for i := range r.Crons {
		if r.Crons[i].Harakiri == 0 {
			r.Crons[i].Harakiri = r.cronHarakiri
		}
	}
	if r.Daemonize != "" {
		r.LogTo = r.Daemonize
	}
	r.Entries = r.list.Entries
	r.Warnings = r.list.Warnings
	return nil
}
