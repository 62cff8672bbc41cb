package config

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/uwsgo/uwsgo/cmd/internal/hook"
	"github.com/uwsgo/uwsgo/cmd/internal/ini"
	"github.com/uwsgo/uwsgo/engine/worker"
)

// enter makes a folder with these files the current one.
func enter(t *testing.T, files map[string]string) {
	t.Helper()
	t.Chdir(t.TempDir())
	for name, text := range files {
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

func load(args, environ []string) (*Config, error) {
	return Load(args, environ, ini.OS(strings.NewReader("[uwsgi]\nthreads = 3\n")))
}

var samePattern = cmp.Comparer(func(a, b *regexp.Regexp) bool {
	return a == nil && b == nil || a != nil && b != nil && a.String() == b.String()
})

func TestLoad(t *testing.T) {
	for _, tt := range []struct {
		name    string
		args    []string
		env     []string
		ini     string             // app.ini, without its section line
		want    func(want *Config) // what differs from the defaults
		warning string             // part of the only warning; none when empty
	}{
		{
			name: "long_options", args: []string{"--http", ":8080", "--processes=4", "--threads", "2", "--master"},
			want: func(c *Config) {
				c.Listens = []Listen{{Addr: ":8080", Protocol: HTTP, Option: "http", Where: "--http"}}
				c.Processes, c.Threads = 4, 2
			},
		},
		{
			name: "prefixes", args: []string{"--proces", "4", "--manage", "--http-ti=5", "--mod", "shop"},
			want: func(c *Config) {
				c.Processes, c.ManageScriptName, c.HTTPTimeout, c.Module = 4, true, 5*time.Second, "shop"
			},
		},
		{
			name: "bundled_flags", args: []string{"-LMp4", "-s", ":3031", "-wshop.wsgi", "-iT"},
			want: func(c *Config) {
				c.LogFilter.All, c.Processes = false, 4
				c.Listens = []Listen{{Addr: ":3031", Protocol: Uwsgi, Option: "socket", Where: "--socket"}}
				c.Module = "shop.wsgi"
			},
		},
		{
			name: "optional_values", args: []string{"-C", "--need-app=false", "-w", "shop"},
			want: func(c *Config) { c.ChmodSocket, c.NeedApp, c.Module = 0o666, false, "shop" },
		},
		{
			name: "optional_value_in_the_same_word", args: []string{"-C660", "--http-keepalive", "-w", "shop"},
			want: func(c *Config) { c.ChmodSocket, c.Module = 0o660, "shop" },
		},
		{
			name: "every_kind_of_listener", ini: "http = :1\nhttp-socket = :2\nhttp11-socket = :3\nsocket = /s\nuwsgi-socket = @a\nprotocol = http\n",
			args: []string{"app.ini"},
			want: func(c *Config) {
				c.Protocol = HTTP
				c.Listens = []Listen{
					{Addr: ":1", Protocol: HTTP, Option: "http", Where: "app.ini:2: http"},
					{Addr: ":2", Protocol: HTTP, Option: "http-socket", Where: "app.ini:3: http-socket"},
					{Addr: ":3", Protocol: HTTP, Option: "http11-socket", Where: "app.ini:4: http11-socket"},
					{Addr: "/s", Protocol: HTTP, Option: "socket", Where: "app.ini:5: socket"},
					{Addr: "@a", Protocol: Uwsgi, Option: "uwsgi-socket", Where: "app.ini:6: uwsgi-socket"},
				}
			},
		},
		{
			name: "hooks_stand_before_commands", args: []string{"app.ini"},
			ini: "module = shop\nexec-as-user = date\nhook-as-user = exec:echo a:b\nhook-asap = safeexec:true\nhook-master-start = unix_signal:15 gracefully_kill_them_all\n",
			want: func(c *Config) {
				c.Module = "shop"
				c.Hooks = []Hook{
					{"as-user", hook.Action{Text: "exec:echo a:b", Line: "echo a:b"}, "app.ini:4: hook-as-user"},
					{"asap", hook.Action{Text: "safeexec:true", Line: "true", Safe: true}, "app.ini:5: hook-asap"},
					{
						"master-start",
						hook.Action{Text: "unix_signal:15 gracefully_kill_them_all", Kind: hook.Signal, Name: hook.Stop, Number: 15},
						"app.ini:6: hook-master-start",
					},
					{"as-user", hook.Action{Text: "date", Line: "date"}, "app.ini:3: exec-as-user"},
				}
			},
		},
		{
			name: "socket_and_stats_on_one_path", args: []string{"app.ini"}, ini: "http = :80\nsocket = x.sock\nstats = x.sock\n",
			want: func(c *Config) {
				c.Listens = []Listen{{Addr: ":80", Protocol: HTTP, Option: "http", Where: "app.ini:2: http"}}
				c.Stats = "x.sock"
			},
			warning: "x.sock is also the path of a socket",
		},
		{
			name: "comments_behind_addresses", args: []string{"app.ini"}, ini: "http = 127.0.0.1:80; web\nsocket = [::1]:81 # x\nuwsgi-socket = :82;\nstats = 127.0.0.1:83 ; x\nhttp-socket = /run/a:1; b\n",
			want: func(c *Config) {
				c.Listens = []Listen{
					{Addr: "127.0.0.1:80", Protocol: HTTP, Option: "http", Where: "app.ini:2: http"},
					{Addr: "[::1]:81", Protocol: Uwsgi, Option: "socket", Where: "app.ini:3: socket"},
					{Addr: ":82", Protocol: Uwsgi, Option: "uwsgi-socket", Where: "app.ini:4: uwsgi-socket"},
					{Addr: "/run/a:1; b", Protocol: HTTP, Option: "http-socket", Where: "app.ini:6: http-socket"},
				}
				c.Stats = "127.0.0.1:83"
			},
		},
		{
			name: "lines_of_a_file", args: []string{"app.ini"}, ini: "for-readline = app.ini\nenv = %(_)\nendfor =\n",
			want: func(c *Config) {
				c.Env = []Env{{Name: "[uwsgi]", Unset: true}, {Name: "for-readline ", Value: " app.ini"}, {Name: "env ", Value: " %(_)"}, {Name: "endfor "}}
			},
			warning: "it takes the variable away",
		},
		{
			name: "immediate_options_are_filled_in", args: []string{"app.ini"}, ini: "backlog = 77\nlisten = %(backlog)\n",
			want: func(c *Config) { c.Backlog = 77 },
		},
		{
			name: "file_by_position_comes_last", args: []string{"app.ini", "--threads", "2"}, ini: "threads = 8\nwsgi-file = app.py\n",
			want: func(c *Config) { c.Threads, c.WSGIFile = 8, "app.py" },
		},
		{
			name: "file_by_option_comes_in_its_place", args: []string{"--ini", "app.ini", "--threads", "2"}, ini: "threads = 8\nfile = app.py\n",
			want: func(c *Config) { c.Threads, c.WSGIFile = 2, "app.py" },
		},
		{
			name: "standard_input", args: []string{"--ini", "-", "-w", "shop"},
			want: func(c *Config) { c.Threads, c.Module = 3, "shop" },
		},
		{
			name: "environment_comes_first", env: []string{"PATH=/bin", "UWSGI_THREADS=8", "UWSGI_PROCESSES=3", "UWSGI_RELOADS=1", "UWSGI_WSGI_FILE=app.py"},
			args: []string{"--threads", "2"},
			want: func(c *Config) { c.Threads, c.Processes, c.WSGIFile = 2, 3, "app.py" },
		},
		{
			name: "environment_names_a_file", env: []string{"UWSGI_INI=app.ini"}, ini: "module = shop\n",
			want: func(c *Config) { c.Module = "shop" },
		},
		{
			name: "comments_behind_values", args: []string{"app.ini"}, ini: "module = shop\nprocesses = 4 ; workers\nmaster = true   # really\nharakiri = 30s\n",
			want: func(c *Config) {
				c.Module, c.Processes, c.Harakiri = "shop", 4, 30*time.Second
			},
		},
		{
			name: "queue", args: []string{"app.ini"}, ini: "module = shop\nqueue-size = 64\nqueue-timeout = 2.25 ; seconds\nlanes = false\n",
			want: func(c *Config) {
				c.Module, c.QueueSize, c.QueueTimeout, c.Lanes = "shop", 64, 2250*time.Millisecond, false
			},
		},
		{
			name: "fractions_and_whole_seconds", args: []string{"--queue-timeout", ".5", "--queue-timeout", "3s", "--queue-size", "0", "-w", "shop"},
			want: func(c *Config) { c.Module, c.QueueSize, c.QueueTimeout = "shop", 0, 3*time.Second },
		},
		{
			name: "comment_behind_false", args: []string{"app.ini"}, ini: "module = shop\nvacuum = false ; x\n",
			want:    func(c *Config) { c.Module, c.Vacuum = "shop", true },
			warning: `app.ini:3: vacuum: "false ; x" counts as true`,
		},
		{
			name: "flags", args: []string{"app.ini"}, ini: "module = shop\nmaster\nvacuum =\nlazy-apps = FALSE\ndisable-logging = no\nstrict = 1\ncompress = true\nhttp-auto-gzip = on\n",
			want: func(c *Config) {
				c.Module, c.Vacuum, c.Compress, c.HTTPGzip, c.ImportOnce = "shop", true, true, true, true
			},
		},
		{
			name: "keepalive_true", args: []string{"app.ini"}, ini: "module = shop\nhttp-keepalive = 9\nhttp-keepalive = true\npost-buffering = true\n",
			want: func(c *Config) { c.Module, c.PostBuffering = "shop", 1 },
		},
		{
			name: "keepalive_seconds", args: []string{"app.ini"}, ini: "module = shop\nhttp-keepalive = 9\npost-buffering = 8192\n",
			want: func(c *Config) { c.Module, c.KeepAlive, c.PostBuffering = "shop", 9*time.Second, 8192 },
		},
		{
			name: "keepalive_off", args: []string{"app.ini"}, ini: "module = shop\nhttp-keepalive = 0\npost-buffering = false\n",
			want: func(c *Config) { c.Module, c.KeepAlive = "shop", 0 },
		},
		{
			name: "buffer_size_is_at_least_32_KiB", args: []string{"-w", "shop", "-b", "4096"},
			want: func(c *Config) { c.Module = "shop" },
		},
		{
			name: "buffer_size_larger_than_64_KiB", args: []string{"-w", "shop", "-b", "100000"},
			want: func(c *Config) { c.Module, c.BufferSize = "shop", 100000 },
		},
		{
			name: "buffer_size_too_large", args: []string{"-w", "shop", "-b", "2000000000"},
			want:    func(c *Config) { c.Module, c.BufferSize = "shop", 1<<20 },
			warning: "buffer-size: 2000000000 is too much: it is 1048576",
		},
		{
			name: "lists", args: []string{"app.ini"},
			ini: "mount = /a=a:app\nworker-mount = /b=b.py\nstatic-map = /s=/srv/s\nstatic-map = /f=x=y\ncheck-static = /srv\nstatic-check = /www\nstatic-index = a.html\nenv = A=1\nenv = B=x=y\npp = none\npythonpath = li*\n",
			want: func(c *Config) {
				c.Mounts = []Mount{{"/a", "a:app", "app.ini:2: mount"}, {"/b", "b.py", "app.ini:3: worker-mount"}}
				c.StaticMaps = []StaticMap{{"/s", "/srv/s", false}, {"/f", "x=y", false}}
				c.CheckStatic, c.StaticIndex = []string{"/srv", "/www"}, []string{"a.html"}
				c.Env = []Env{{"A", "1", false}, {"B", "x=y", false}}
				c.PythonPath = []string{"none", "lib1", "lib2"}
			},
		},
		{
			name: "texts", args: []string{"app.ini"},
			ini: "module = shop\ncallable = app\nvenv = /v\nchdir = /srv\npyargv = a b\npidfile = /run/p\nlogformat = %(uri)\nlogto = /log\nstats = :1717\nchown-socket = www:www\nprofile = cpu\nlisten = 512\nlimit-post = 1000\nsocket-timeout = 7\n",
			want: func(c *Config) {
				c.Module, c.Callable, c.Virtualenv, c.Chdir, c.PyArgv = "shop", "app", "/v", "/srv", "a b"
				c.PidFile, c.LogFormat, c.LogTo, c.Stats = "/run/p", "%(uri)", "/log", ":1717"
				c.ChownSocket, c.Profile, c.Backlog, c.LimitPost = "www:www", "cpu", 512, 1000
				c.SocketTimeout = 7 * time.Second
			},
		},
		{
			name: "placeholder_of_own_name", args: []string{"app.ini"}, ini: "set-ph = profile=dev\nmodule = shop_%(profile)\n",
			want: func(c *Config) { c.Module = "shop_dev" },
		},
		{
			name: "inherit_comes_last", args: []string{"app.ini"}, ini: "inherit = sub/base.ini\nmodule = shop\nthreads = 2\n",
			want: func(c *Config) { c.Module, c.Threads = "shop", 5 },
		},
		{
			name: "custom_variable", args: []string{"app.ini"}, ini: "base = /srv\nmodule = shop\nchdir = %(base)/app\n",
			want: func(c *Config) { c.Module, c.Chdir = "shop", "/srv/app" },
		},
		{
			name: "unknown_key", args: []string{"app.ini"}, ini: "module = shop\nproceses = 4\n",
			want:    func(c *Config) { c.Module = "shop" },
			warning: `app.ini:3: proceses: unknown option; did you mean "processes"?`,
		},
		{
			name: "unknown_variable", env: []string{"UWSGI_TREADS=4"}, args: []string{"-w", "shop"},
			want:    func(c *Config) { c.Module = "shop" },
			warning: `UWSGI_TREADS: unknown option; did you mean "threads"?`,
		},
		{
			name: "reload_options", args: []string{"-w", "shop", "--worker-reload-mercy", "5", "--reload-mercy", "9", "--touch-reload", "a", "--touch-reload", "b", "--touch-chain-reload", "c", "--python-autoreload=1", "--py-auto-reload-ignore", "shop.settings"},
			want: func(c *Config) {
				c.Module, c.Mercy, c.AutoReload = "shop", 5*time.Second, true
				c.TouchReload, c.TouchChainReload, c.AutoReloadIgnore = []string{"a", "b"}, []string{"c"}, []string{"shop.settings"}
			},
		},
		{
			name: "reload_mercy_alone", args: []string{"-w", "shop", "--reload-mercy", "9", "--py-autoreload", "0"},
			want: func(c *Config) { c.Module, c.Mercy = "shop", 9*time.Second },
		},
		{
			name: "stop", args: []string{"--stop", "app.pid"},
			want: func(c *Config) { c.Action, c.Signal, c.Target = Signal, "stop", "app.pid" },
		},
		{
			name: "reload", args: []string{"--reload=app.pid"},
			want: func(c *Config) { c.Action, c.Signal, c.Target = Signal, "reload", "app.pid" },
		},
		{
			name: "recycling", args: []string{"-w", "shop", "--harakiri-verbose", "--harakiri-graceful-timeout", "3", "-R", "100", "--max-requests-delta", "5", "--max-worker-lifetime", "60", "--min-worker-lifetime", "0", "--reload-on-rss", "200", "--evil-reload-on-as", "3"},
			want: func(c *Config) {
				c.HarakiriVerbose, c.HarakiriMercy = true, 3*time.Second
				c.Module, c.MaxRequests, c.MaxRequestsDelta = "shop", 100, 5
				c.MaxLifetime, c.MinLifetime, c.ReloadOnRSS, c.EvilAS = time.Minute, 0, 200<<20, 3<<20
			},
		},
		{
			name: "signal_before_the_kill", args: []string{"-w", "shop", "--harakiri-graceful-signal", "10", "--harakiri-graceful-timeout", "5"},
			want: func(c *Config) {
				c.Module, c.HarakiriSignal, c.HarakiriMercy = "shop", syscall.Signal(10), 5*time.Second
			},
		},
		{
			name: "signal_without_time", args: []string{"-w", "shop", "--harakiri-graceful-signal", "10"},
			want:    func(c *Config) { c.Module = "shop" },
			warning: "harakiri-graceful-signal: no signal is sent without harakiri-graceful-timeout",
		},
		{
			name: "cheaper", args: []string{"app.ini"},
			ini: "module = shop\nprocesses = 8\ncheaper = 2\ncheaper-initial = 4\ncheaper-step = 2\ncheaper-overload = 5\n" +
				"cheaper-algo = busyness\ncheaper-busyness-max = 70\ncheaper-busyness-min = 20\ncheaper-busyness-multiplier = 20\n" +
				"cheaper-busyness-penalty = 3\ncheaper-busyness-backlog-alert = 16\ncheaper-busyness-backlog-step = 2\n" +
				"cheaper-busyness-backlog-multiplier = 4\ncheaper-busyness-backlog-nonzero = 30\ncheaper-busyness-verbose = true\n",
			want: func(c *Config) {
				c.Module, c.Processes = "shop", 8
				c.Cheaper = worker.Cheaper{
					Min: 2, Initial: 4, Step: 2, Overload: 5, Algorithm: worker.CheaperBusyness,
					Busyness: worker.Busyness{
						Max: 70, Min: 20, Multiplier: 20, Penalty: 3, BacklogAlert: 16, BacklogStep: 2, BacklogMultiplier: 4,
						BacklogNonzero: 30 * time.Second, Verbose: true,
					},
				}
			},
		},
		{
			name: "cheaper_initial_too_low", args: []string{"-w", "shop", "-p", "4", "--cheaper", "2", "--cheaper-initial", "1"},
			want: func(c *Config) {
				c.Module, c.Processes, c.Cheaper = "shop", 4, worker.Cheaper{Min: 2, Initial: 2}
			},
			warning: "cheaper-initial: 1 is lower than cheaper, so 2 workers are started",
		},
		{
			name: "cheaper_initial_too_high", args: []string{"-w", "shop", "-p", "4", "--cheaper", "2", "--cheaper-initial", "9"},
			want: func(c *Config) {
				c.Module, c.Processes, c.Cheaper = "shop", 4, worker.Cheaper{Min: 2, Initial: 4}
			},
			warning: "cheaper-initial: 9 is more than processes, so 4 workers are started",
		},
		{
			name: "cheaper_in_no_known_way", args: []string{"-w", "shop", "-p", "4", "--cheaper", "2", "--cheaper-algo", "spare2"},
			want: func(c *Config) {
				c.Module, c.Processes, c.Cheaper = "shop", 4, worker.Cheaper{Min: 2}
			},
			warning: `--cheaper-algo: there is no algorithm "spare2", so spare is taken; there are backlog, busyness, manual, spare`,
		},
		{
			name: "lost", args: []string{"-w", "shop", "--profiler", "a", "--profiler", "b", "--thunder-lock", "--lazy", "--legion", "a", "--legion-node", "b"},
			want: func(c *Config) {
				c.Module = "shop"
				c.Losses = Losses{Function: []string{"profiler", "legion", "legion-node"}, Changed: []string{"lazy"}, Harmless: []string{"thunder-lock"}}
			},
		},
		{
			name: "plugins", args: []string{"-w", "shop", "--plugins", "python3,http, lua"},
			want: func(c *Config) {
				c.Module, c.Plugins = "shop", []string{"python3", "http", "lua"}
				c.Losses.Function = []string{"plugin lua"}
			},
		},
		{
			name: "no_processes", args: []string{"-w", "shop", "-p", "0"},
			want:    func(c *Config) { c.Module = "shop" },
			warning: "processes: 0 is too few",
		},
		{
			name: "notes_in_the_command_line", args: []string{"-w", "shop", "[production]"},
			want: func(c *Config) { c.Module = "shop" },
		},
		{
			name: "end_of_options", args: []string{"-w", "shop", "--", "app.ini"}, ini: "threads = 2\n",
			want: func(c *Config) { c.Module, c.Threads = "shop", 2 },
		},
		{
			name: "conditions_on_the_command_line", env: []string{}, args: []string{"-w", "shop", "--if-env", "NO_SUCH_VARIABLE", "--threads", "2", "--endif", "-p", "2"},
			want: func(c *Config) { c.Module, c.Processes = "shop", 2 },
		},
		{name: "nothing_to_do", want: func(c *Config) { c.Action = Usage }},
		{name: "help_ends_reading", args: []string{"--help", "--nonsense"}, want: func(c *Config) { c.Action = Help }},
		{name: "usage_is_help", args: []string{"-h"}, want: func(c *Config) { c.Action = Help }},
		{name: "help_by_the_environment", env: []string{"UWSGI_HELP="}, want: func(c *Config) { c.Action = Help }},
		{name: "version", args: []string{"--version"}, want: func(c *Config) { c.Action = Version }},
		{name: "show_config", args: []string{"--show-config"}, want: func(c *Config) { c.Show = true }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			enter(t, map[string]string{
				"app.ini": "[uwsgi]\n" + tt.ini, "sub/base.ini": "[uwsgi]\nthreads = 5\n", "lib1/x": "", "lib2/x": "",
			})
			got, err := load(tt.args, tt.env)
			if err != nil {
				t.Fatal(err)
			}
			want := defaults()
			tt.want(want)
			if diff := cmp.Diff(want, got, cmpopts.IgnoreFields(Config{}, "Warnings", "Entries", "Lost"), cmpopts.IgnoreUnexported(worker.Cheaper{}), samePattern); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
			switch {
			case tt.warning == "" && len(got.Warnings) > 0:
				t.Errorf("warnings: %q", got.Warnings)
			case tt.warning != "" && (len(got.Warnings) != 1 || !strings.Contains(got.Warnings[0], tt.warning)):
				t.Errorf("warnings: %q\nwant one with %s", got.Warnings, tt.warning)
			}
		})
	}
}

func TestErrors(t *testing.T) {
	for _, tt := range []struct {
		name string
		args string
		env  []string
		ini  string
		want string
	}{
		{name: "unknown_option", args: "--proceses 4", want: "--proceses: unknown option; did you mean --processes?"},
		{name: "unknown_option_like_nothing", args: "--entirely-else", want: "--entirely-else: unknown option; --help lists the options"},
		{name: "unknown_flag", args: "-MZ", want: `-Z: unknown option in "-MZ"; --help lists the options`},
		{name: "ambiguous", args: "--static-s x", want: "--static-s: the option is ambiguous, it could be --static-safe, --static-skip-ext"},
		{name: "ambiguous_and_more", args: "--emperor- x", want: " more"},
		{name: "no_name", args: "--=x", want: "--: unknown option"},
		{name: "value_of_a_flag", args: "--master=true", want: `--master takes no value: leave out "=true"`},
		{name: "value_of_a_shortened_flag", args: "--vacu=1", want: "--vacuum takes no value"},
		{name: "missing_value", args: "--processes", want: "--processes needs a value: --processes=N"},
		{name: "missing_value_of_a_letter", args: "-Mp", want: "-p (--processes) needs a value: -p N"},

		{name: "not_a_number", args: "--processes four", want: `--processes: "four" is not a number`},
		{name: "not_a_number_in_a_file", args: "app.ini", ini: "\nprocesses = four", want: `app.ini:3: processes: "four" is not a number`},
		{name: "not_a_number_in_the_environment", env: []string{"UWSGI_WORKERS=four"}, want: `UWSGI_WORKERS: "four" is not a number`},
		{name: "fraction_of_what", args: "app.ini", ini: "queue-timeout = 1.x", want: `app.ini:2: queue-timeout: "1.x" is not a number of seconds such as 2 or 0.5`},
		{name: "negative_fraction", args: "app.ini", ini: "queue-timeout = -1.5", want: `app.ini:2: queue-timeout: "-1.5" is not a number of seconds such as 2 or 0.5`},
		{name: "exponent", args: "app.ini", ini: "queue-timeout = 1.5e9", want: `app.ini:2: queue-timeout: "1.5e9" is not a number of seconds such as 2 or 0.5`},
		{name: "too_long", args: "app.ini", ini: "queue-timeout = 99999999999.5", want: `app.ini:2: queue-timeout: 99999999999 is too large: at most 1000000000`},
		{name: "long_queue", args: "app.ini", ini: "queue-size = 100000", want: `app.ini:2: queue-size: 100000 is too large: at most 60000`},
		{name: "negative", args: "app.ini", ini: "harakiri = -1", want: `app.ini:2: harakiri: "-1" is negative`},
		{name: "requests_with_an_exponent", args: "--max-requests=1e30", want: `--max-requests: "1e30" is not a whole number such as 1000`},
		{name: "requests_that_overflow", args: "--max-requests=1000000000000000000000000000000", want: "--max-requests: 9223372036854775807 is too large: at most 1000000000000"},
		{name: "seconds_with_a_fraction", args: "--harakiri 0.5", want: `--harakiri: "0.5" is not a whole number`},
		{name: "separators", args: "--buffer-size 65,536", want: `--buffer-size: "65,536" is not a whole number`},
		{name: "hexadecimal", args: "--limit-post 0x100000", want: `--limit-post: "0x100000" is not a whole number`},
		{name: "signed_exponent", args: "--queue-timeout=1e-3", want: `--queue-timeout: "1e-3" is not a number of seconds such as 2 or 0.5`},
		{name: "time_with_an_exponent", args: "--queue-timeout=1e400", want: `--queue-timeout: "1e400" is not a number of seconds such as 2 or 0.5`},
		{name: "size_that_overflows", args: "--limit-post=99999999999999999999", want: "--limit-post: 9223372036854775807 is too large: at most 1125899906842624"},
		{name: "size_in_megabytes", args: "--reload-on-rss=9999999999", want: "--reload-on-rss: 9999999999 is too large: at most 1073741824"},
		{name: "size_of_memory", args: "--post-buffering=9999999999999999", want: "--post-buffering: 9999999999999999 is too large: at most 1125899906842624"},
		{name: "owner_of_nothing", args: "--chown-socket=:", want: `--chown-socket: ":" is not of the form USER, USER:GROUP or :GROUP`},
		{name: "owner_with_colons", args: "--chown-socket=::", want: `--chown-socket: "::" is not of the form USER, USER:GROUP or :GROUP`},
		{name: "owner_without_group", args: "--chown-socket=www-data:", want: `--chown-socket: "www-data:" is not of the form USER, USER:GROUP or :GROUP`},
		{name: "too_many", args: "-p 1000000", want: "--processes: 1000000 is too large: at most 10000"},
		{name: "keepalive", args: "--http-keepalive=always", want: `--http-keepalive: "always" is not a number`},
		{name: "mode", args: "app.ini", ini: "chmod-socket = 0660", want: `app.ini:2: chmod-socket: "0660" is not three octal digits such as 660`},
		{name: "mode_with_a_comment", args: "app.ini", ini: "chmod = 660 ; x", want: `app.ini:2: chmod: "660 ; x" is not three octal digits`},
		{name: "mode_not_octal", args: "-C669", want: `--chmod-socket: "669" is not three octal digits`},
		{name: "protocol", args: "--protocol fastcgi", want: "--protocol: protocol fastcgi is not supported yet: use uwsgi or http"},
		{name: "no_protocol", args: "--protocol gopher", want: `--protocol: "gopher" is none of uwsgi, http, http11`},
		{name: "profile", args: "--profile all", want: `--profile: "all" is none of cpu, mem, `},
		{name: "route_without_an_action", args: "app.ini", ini: "route = ^/reports", want: `app.ini:2: route: "^/reports" is not of the form REGEX ACTION:ARGUMENTS`},
		{name: "route_without_a_colon", args: "app.ini", ini: "route = ^/reports harakiri", want: `app.ini:2: route: "^/reports harakiri" is not of the form REGEX ACTION:ARGUMENTS`},
		{name: "route_without_seconds", args: "app.ini", ini: "route = ^/reports harakiri:", want: `app.ini:2: route: harakiri needs seconds`},
		{name: "route_without_a_number", args: "app.ini", ini: "route = ^/ harakiri:long", want: `app.ini:2: route: "long" is not a number`},
		{name: "route_negative", args: "app.ini", ini: "route-uri = ^/ harakiri:-5", want: `app.ini:2: route-uri: "-5" is negative`},
		{name: "route_with_a_look_ahead", args: "app.ini", ini: "route = ^/.*(?!static) harakiri:5", want: "app.ini:2: route: error parsing regexp: invalid or unsupported Perl syntax: `(?!` in \"^/.*(?!static)\""},
		{name: "route_if_without_a_condition", args: "app.ini", ini: "route-if = isempty:${X} break:403", want: `app.ini:2: route-if: "isempty" is not a condition`},
		{name: "route_with_a_variable_that_nobody_sends", args: "app.ini", ini: "http = :80\nroute-if = equal:${REMOTE_ADR};1.2.3.4 break:403", want: "app.ini:3: route-if: ${REMOTE_ADR}: requests over HTTP have no such variable"},
		{name: "route_with_a_back_reference", args: "app.ini", ini: `route = ^/(a)\1 harakiri:5`, want: "invalid escape sequence: `\\1`"},
		{name: "cheaper_as_many_as_processes", args: "-p 2 --cheaper 2", want: "cheaper: 2 must be lower than processes, which is 2"},
		{name: "cheaper_too_large", args: "--cheaper 100001", want: "--cheaper: 100001 is too large: at most 100000"},
		{name: "signal", args: "--harakiri-graceful-signal 65", want: "--harakiri-graceful-signal: 65 is too large: at most 64"},
		{name: "mount", args: "--mount shop", want: `--mount: "shop" is not of the form /prefix=module:callable`},
		{name: "mount_without_app", args: "--mount /shop=", want: `--mount: "/shop=" names no app for the path`},
		{name: "mount_without_slash", args: "--mount shop=shop:app", want: `--mount: the path "shop" must begin with a slash`},
		{name: "static_map", args: "--static-map /srv", want: `--static-map: "/srv" is not of the form /prefix=directory`},
		{name: "static_map_without_directory", args: "--static-map /srv=", want: `--static-map: "/srv=" names no directory for the path`},
		{name: "env", args: "--env =B", want: "--env: \"=B\" is not of the form NAME=VALUE"},
		{name: "address", args: "app.ini", ini: "http =", want: "app.ini:2: http: it needs an address such as :8080"},
		{name: "needed_plugin", args: "--need-plugin lua", want: "--need-plugin: uwsgo has nothing that does what the plugin lua does"},

		{name: "strict", args: "app.ini", ini: "proceses = 4\nstrict = 1", want: `app.ini:2: proceses: [strict-mode] unknown config directive: proceses; did you mean "processes"?`},
		{name: "strict_and_the_environment", args: "--strict", env: []string{"UWSGI_TREADS=4"}, want: `UWSGI_TREADS: [strict-mode] unknown config directive: treads; did you mean "threads"?`},
		{name: "missing_file", args: "none.ini", want: `command line: cannot read "none.ini": no such file or directory`},
		{name: "missing_file_by_option", args: "--ini none.ini", want: `--ini: cannot read "none.ini": no such file or directory`},
		{name: "missing_file_in_a_file", args: "app.ini", ini: "inherit = none.ini", want: `app.ini:2: inherit: cannot read "none.ini": no such file or directory`},
		{name: "yaml", args: "app.yaml", want: `command line: cannot read "app.yaml"`},
		{name: "xml_by_option", args: "-x app.xml", want: `--xml: cannot read "app.xml"`},
		{name: "conf", args: "app.conf", want: "the name of a configuration file ends in .ini, .yaml, .json, .xml or .toml; if it is one, write --ini app.conf"},
		{name: "section", args: "app.ini:prod", want: "for one section of it, write --ini app.ini:prod"},
		{name: "module", args: "shop-2.wsgi:app", want: "to run it as an app, write --module shop-2.wsgi:app"},
		{name: "address_by_position", args: ":8080", want: "to listen there, write --http :8080"},
		{name: "word", args: "start", want: "command line: unable to load configuration from start: the name of a configuration file ends in .ini"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			enter(t, map[string]string{"app.ini": "[uwsgi]\n" + tt.ini + "\n"})
			c, err := load(strings.Fields(tt.args), tt.env)
			if err == nil {
				t.Fatalf("no error, but %+v", c)
			}
			if !strings.Contains(err.Error(), tt.want) || strings.Contains(err.Error(), "\n") {
				t.Errorf("got  %v\nwant %s", err, tt.want)
			}
		})
	}
}

func TestShowConfig(t *testing.T) {
	enter(t, map[string]string{"app.ini": "[uwsgi]\nbase = shop\nmodule = %(base).wsgi\n"})
	c, err := load([]string{"-M", "--show-config", "app.ini"}, []string{"UWSGI_THREADS=2"})
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	if err := c.ShowConfig(&b); err != nil {
		t.Fatal(err)
	}
	want := `
;uWSGI instance configuration
[uwsgi]
threads = 2
master = true
show-config = true
base = shop
module = shop.wsgi
;end of configuration

`
	if diff := cmp.Diff(want, b.String()); diff != "" {
		t.Error(diff)
	}
}

func TestVersionLine(t *testing.T) {
	for program, want := range map[string]string{
		"uwsgo":                 "uwsgo 1.2.3 (options and ini files of uWSGI 2.0.31)\n",
		"/usr/local/bin/uwsgo":  "uwsgo 1.2.3 (options and ini files of uWSGI 2.0.31)\n",
		"/usr/bin/uwsgi":        "2.0.31\n",
		"uwsgi_python3":         "2.0.31\n",
		"/opt/uwsgi-home/uwsgo": "uwsgo 1.2.3 (options and ini files of uWSGI 2.0.31)\n",
	} {
		if got := VersionLine(program, "1.2.3"); got != want {
			t.Errorf("%s: %q, want %q", program, got, want)
		}
	}
}

func TestUsageFitsATerminal(t *testing.T) {
	for line := range strings.Lines(UsageText) {
		if len(line) > 81 {
			t.Errorf("%d columns: %s", len(line)-1, line)
		}
	}
}

// Each row that package ini does not obey has something that reads it.
func TestEveryRowIsRead(t *testing.T) {
	directives := map[string]bool{}
	for _, o := range ini.Directives() {
		directives[o.Name] = true
	}
	for _, table := range tables {
		for _, row := range table.rows {
			if row.set == nil && !directives[row.Name] {
				t.Errorf("%s: nothing reads its value", row.Name)
			}
		}
	}
}

func FuzzArgs(f *testing.F) {
	f.Add("-Mp4\n--http\n:8080")
	f.Add("--proc=four\n--\nx")
	f.Add("--set\na=x%(a)\n--env\nA=%(a)")
	f.Add("-C\n-C666\n--chmod=1\n--http-keepalive=true")
	f.Fuzz(func(t *testing.T, args string) {
		w := ini.OS(strings.NewReader(""))
		// The fuzzer must not read files or run commands.
		w.Read = func(string) ([]byte, error) { return []byte("[uwsgi]\nthreads = 2\n"), nil }
		w.Glob = func(string) ([]string, error) { return nil, nil }
		c, err := Load(strings.Split(args, "\n"), nil, w)
		if err == nil && (c.Processes < 1 || c.Threads < 1 || c.BufferSize < minBufferSize || c.BufferSize > maxBufferSize || c.KeepAlive < 0) {
			t.Errorf("out of bounds: %+v", c)
		}
	})
}
