package config

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/uwsgo/uwsgo/cmd/internal/option"
)

func TestWhatProtectsEndsTheStart(t *testing.T) {
	for _, tt := range []struct{ name, ini, want string }{
		{"basicauth", "final-route = ^/ basicauth:Restricted,user:pw", "app.ini:3: final-route: basicauth: not supported, and it may protect something: basicauth: the answer has gone when final-route is followed"},
		{"basicauth_in_a_file", "response-route-uri = ^/admin basicauth-next:R,/etc/htpasswd", "write ignore-unsupported = response-route-uri:basicauth-next"},
		{"ldapauth", "route-run = ldapauth:R,url=ldap://x", "app.ini:3: route-run: ldapauth: not supported, and it may protect something: have the web server in front ask for the password"},
		{"radius", "route-run = radius:realm=x,server=y", "app.ini:3: route-run: radius: "},
		{"spnego", "route-run = spnego:R", "app.ini:3: route-run: spnego: "},
		{"break_without_a_status", "error-route = ^/private break:", "app.ini:3: error-route: break: not supported, and it may protect something: break: cannot take back an answer"},
		{"break_of_a_response", "response-route-status = 500 break:", "app.ini:3: response-route-status: break: "},
		{"access", "route-run = access:deny=all", "app.ini:3: route-run: access: not supported, and it may protect something: route-if-not with ipv4in"},
		{"headers_before_an_answer", "route-run = clearheaders:200 OK", "use response-route"},
		{"headers_after_the_answer", "final-route-run = addheader:X-A: b", "the answer has gone"},
		{"path_after_the_answer", "response-route-run = rewrite:/x", "the app has answered already"},
		{"path_variable_after_the_answer", "response-route-run = addvar:PATH_INFO=/x", "the app has answered already"},
		{"answer_after_the_answer", "final-route-status = 404 redirect:/x", "the answer has gone"},
		{"file_after_the_answer", "final-route-run = file:filename=/x", "the answer has gone"},
		{"no_head", "route-run = disableheaders:", "an answer always has a head"},
		{"file_without_a_head", "route-run = file:filename=/x,no_headers=1", "an answer always has a head"},
		{"pieces", "route-run = send:hello", "app.ini:3: route-run: send: not supported, and it may protect something: an answer is not put together of pieces"},
		{"lines", "route-run = send-crnl:hello", "an answer is not put together of pieces"},
		{"proxy_that_a_client_chooses", "route = ^/(.*) http:$1:80", "the address and the host are the same for all requests"},
		{"proxy_to_anywhere", "route = ^/x httpconnect:127.0.0.1:80", "CONNECT is for no server"},
		{"proxy_of_an_answer", "response-route = ^/x http:127.0.0.1:80", "the app has answered already"},
		{"fastcgi", "route = ^/x fastcgi:127.0.0.1:9000", "fastcgi_pass"},
		{"folder", "route-run = chdir:/srv", "the option chdir sets it for all"},
		{"home", "route-run = sethome:/srv/venv", "one virtualenv"},
		{"apps_of_requests", "route-run = setfile:/srv/app.py", "apps are loaded at the start"},
		{"plugin", "route-run = setmodifier1:5", "asks for a plugin"},
		{"second_plugin", "route-run = setmodifier2:1", "asks for a plugin"},
		{"rpc", "route = ^/ rpcvar:A hello", "rules do not call functions of RPC"},
		{"hash", "route = ^/ hash:items=a;b,var=X,key=k", "app.ini:3: route: hash: "},
		{"unknown_action", "route = ^/ frobnicate:", "app.ini:3: route: frobnicate: "},
		{"not_uwsgis", "route = ^/ goon:", "a rule that does not answer goes on by itself"},
		{"harakiri_where_it_is_not", "error-route-run = harakiri:5", "route, route-if and their kin can have this action"},
		{"behind_a_harmless_one", "route = ^/health donotlog:\nroute = ^/health last:\nroute = ^/ ldapauth:R,a:b", "app.ini:5: route: ldapauth: "},

		{"script", "pyrun = script.py", "app.ini:3: pyrun: not supported, and it may protect something: the program would not run, and the app would be served in its place"},
		{"script_by_short_names", "py = script.py\npython = other.py", "app.ini:3: py: not supported, and it may protect something: the program would not run, and the app would be served in its place: run it by the service manager, or beside the app with attach-daemon; likewise app.ini:4: python;"},
		{"program_as_worker", "worker-exec = /usr/bin/php-cgi", "app.ini:3: worker-exec: "},
		{"program_as_worker_after_the_hooks", "worker-exec2 = /usr/bin/php-cgi", "app.ini:3: worker-exec2: "},
		{"script_as_worker", "python-worker-override = worker.py", "app.ini:3: python-worker-override: not supported, and it may protect something: the program would not run"},

		{"cap", "cap = setgid,setuid", "app.ini:3: cap: not supported, and it may protect something: capabilities are not changed, "},
		{"namespace", "namespace = /ns", "app.ini:3: namespace: "},
		{"unshare", "unshare = pid,net", "app.ini:3: unshare: "},
		{"cgroup", "cgroup = /sys/fs/cgroup/x", "app.ini:3: cgroup: "},
		{"limit_nproc", "limit-nproc = 50", "app.ini:3: limit-nproc: "},
		{"jail", "jail = /jail", "app.ini:3: jail: "},
		{"subscriptions", "subscriptions-sign-check = SHA1:/keys", "app.ini:3: subscriptions-sign-check: "},
		{"emperor_command_socket", "emperor-command-socket = /run/c", "app.ini:3: emperor-command-socket: "},
		{"flock", "flock = /run/x.lock", "app.ini:3: flock: "},
		{"zeromq", "log-zeromq = tcp://127.0.0.1:1", "app.ini:3: log-zeromq: "},
		{"inject", "inject-before = common.ini", "app.ini:3: inject-before: "},
		{"own_option", "declare-option = deny=route=$1 send:A\ndeny = ^/", "app.ini:4: route: send: "},
		{"exit", "exit = 1", "app.ini:3: exit: "},
		{"taken_condition", "if-exists = .\nroute = ^/.* ldapauth:Realm,a:b\nendif =", "app.ini:4: route: ldapauth: "},
		{"variables", "ienv = A=b", "app.ini:3: ienv: "},
		{"resolved", "resolve = ip=example.com", "app.ini:3: resolve: "},
		{"several", "cap = a\nroute = ^/ send:A\nroute = ^/a send:B\ncgroup = b", "likewise app.ini:4: route: send, app.ini:5: route: send, app.ini:6: cgroup; to start without that, write ignore-unsupported = cap,route:send,cgroup"},
		{"one_of_two_given_up", "cap = a\ncgroup = b\nignore-unsupported = cap", "app.ini:4: cgroup: "},
		{"one_action_given_up", "route = ^/ send:A=b\nroute = ^/ ldapauth:R,a:b\nignore-unsupported = route:send", "app.ini:4: route: ldapauth: "},
		{"condition", "route-if = incache:key=down break:503", "app.ini:3: route-if: break: not supported, and it may protect something: condition incache asks a cache, and there is none: refuse the request in the web server in front"},
		{"condition_of_a_goto", "route-if = incache:banned goto:deny\nroute-run = last:\nroute-label = deny\nroute-run = break:403", "app.ini:3: route-if: goto: "},
		{"another_condition_works", "route-if = equal:a;b break:503\nroute-if-not = incache:key=up redirect:/down", "app.ini:4: route-if-not: redirect: "},
	} {
		t.Run(tt.name, func(t *testing.T) {
			enter(t, map[string]string{"app.ini": "[uwsgi]\nmodule = shop\n" + tt.ini + "\n"})
			c, err := load([]string{"app.ini", "--http", ":8000"}, nil)
			if err == nil {
				t.Fatalf("it starts: %+v", c.Losses)
			}
			if !strings.Contains(err.Error(), tt.want) || strings.Contains(err.Error(), "\n") || !strings.Contains(err.Error(), "ignore-unsupported = ") {
				t.Errorf("got  %v\nwant %s", err, tt.want)
			}
			// What the message says to write is what starts it.
			_, names, _ := strings.Cut(err.Error(), "ignore-unsupported = ")
			if c, err = load([]string{"app.ini", "--http", ":8000", "--ignore-unsupported", names}, nil); err != nil {
				t.Fatal(err)
			}
			if got := c.Losses.Unprotected; len(got) == 0 || !strings.Contains(strings.Join(got, ","), names) {
				t.Errorf("%q are given up, and the log is to name %q", names, got)
			}
		})
	}
}

// Every name of that class does it, alone, however it is given.
func TestEveryNameThatProtects(t *testing.T) {
	enter(t, nil)
	n := 0
	for _, name := range Options.Names() {
		if Options.Lookup(name).Status != option.Ends {
			continue
		}
		n++
		variable := "UWSGI_" + strings.ToUpper(strings.ReplaceAll(name, "-", "_"))
		if strings.Contains(name, "_") {
			variable = "" // pivot_root cannot be told from pivot-root there
		}
		for _, tt := range []struct {
			args, env []string
			where     string
		}{
			{args: []string{"-w", "shop", "--set", name + "=x"}, where: "--" + name + ": "},
			{args: []string{"-w", "shop"}, env: []string{variable + "=x"}, where: variable + ": "},
		} {
			if tt.where == ": " {
				continue
			}
			if _, err := load(tt.args, tt.env); err == nil || !strings.HasPrefix(err.Error(), tt.where) {
				t.Errorf("%v %v: %v", tt.args, tt.env, err)
			}
		}
		for _, off := range []string{"false", "off", "no", "0"} { // as templates leave it
			if _, err := load([]string{"-w", "shop", "--set", name + "=" + off}, nil); err != nil {
				t.Errorf("%s=%s: %v", name, off, err)
			}
		}
	}
	if n < 90 {
		t.Errorf("%d names", n)
	}
}

func TestWhatIsHarmlessStarts(t *testing.T) {
	for _, tt := range []struct {
		name, ini string
		want      Losses
	}{
		{"nothing", "master = true", Losses{}},
		{"levels", "thunder-lock = true\nlazy = true\nlegion = a\nemperor-broodlord = b\nlegion = c\nthunder-lock = 1", Losses{
			Function: []string{"legion", "emperor-broodlord"}, Changed: []string{"lazy"}, Harmless: []string{"thunder-lock"},
		}},
		{"switched_off", "thunder-lock = false\nlazy = no\nmule = 0\nfastrouter = false\nlegion =", Losses{}},
		{"condition_that_is_not_taken", "if-env = NO_SUCH_VARIABLE\nroute = ^/.* ldapauth:Realm,%(_)\nendif =", Losses{}},
		{"placeholders_of_such_names", "set-ph = realm=x\nresolved = y\nmodule = %(realm)%(resolved)", Losses{}},
		{"routes_that_only_log", "route = ^/health donotlog:\nroute-run = log:x\nroute-if = equal:a;b memcached-store:a\nroute-uri = ^/ continue:\nfinal-route-run = log:x\nerror-route = ^/ last:\nfinal-route-run = cachestore:x\nerror-route = ^/ tofile:x", Losses{
			Function: []string{"route-if:memcached-store", "final-route-run:cachestore", "error-route:tofile"},
		}},
		{"routes_that_compress", "route-if = contains:${HTTP_ACCEPT_ENCODING};gzip goto:_gzip\nroute-run = last:\nroute-label = _gzip\nroute-run = gzip:\nroute-run = tofile:x\nroute-run = chunked:\nroute-run = last:", Losses{
			Function: []string{"route-run:tofile"},
		}},
		{"routes_that_cache", "route = ^/ cache:key=x\nroute-run = cachestore:key=x", Losses{Function: []string{"route:cache", "route-run:cachestore"}}},
		{"given_up", "cap = a\nroute = ^/ send:A=b\nroute-run = ldapauth:A,b\nignore-unsupported = cap route:send,\nignore-unsupported = --route-run:ldapauth:", Losses{
			Unprotected: []string{"cap", "route:send", "route-run:ldapauth"},
		}},
		{"plugin", "plugins = python3,gevent_python3,router_basicauth,lua,rack", Losses{Function: []string{"plugin lua", "plugin rack"}}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			enter(t, map[string]string{"app.ini": "[uwsgi]\nmodule = shop\n" + tt.ini + "\n"})
			c, err := load([]string{"app.ini"}, nil)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, c.Losses); diff != "" {
				t.Error(diff)
			}
			if len(c.Warnings) > 0 {
				t.Errorf("warnings: %q", c.Warnings)
			}
		})
	}
}

func TestGivingUp(t *testing.T) {
	for _, tt := range []struct{ name, value, want string }{
		{"nothing", "", "it needs names of options"},
		{"commas", " , ", "it needs names of options"},
		{"misspelt", "cgropu", `"cgropu" is no option; did you mean "cgroup"?`},
		{"no_option", "basicauth", `"basicauth" is no option`},
		{"whole_table", "route", "name the action that is to be left out, too: route:basicauth for one"},
		{"action_of_no_route", "cap:x", "cap has no actions: write the name alone"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			enter(t, map[string]string{"app.ini": "[uwsgi]\nmodule = shop\nignore-unsupported = " + tt.value + "\n"})
			if _, err := load([]string{"app.ini"}, nil); err == nil || !strings.HasPrefix(err.Error(), "app.ini:3: ignore-unsupported: "+tt.want) {
				t.Errorf("got %v, want %s", err, tt.want)
			}
		})
	}
	t.Run("not_needed", func(t *testing.T) {
		c, err := load([]string{"-w", "shop", "--ignore-unsupported=cap"}, nil)
		if err != nil || len(c.Warnings) != 1 || c.Warnings[0] != "--ignore-unsupported: cap is not needed: nothing that uses it would end the start" {
			t.Errorf("%v, warnings %q", err, c.Warnings)
		}
	})
}

func TestOtherActionsDoNotMind(t *testing.T) {
	for _, args := range []string{"--stop=x.pid", "--reload=x.pid", "--connect-and-read=x", "--version", "--help"} {
		if _, err := load([]string{args}, []string{"UWSGI_CAP=setuid", "UWSGI_ROUTE=^/ basicauth:R,a:b"}); err != nil {
			t.Errorf("%s: %v", args, err)
		}
	}
}

func TestEnvDir(t *testing.T) {
	enter(t, map[string]string{
		"app.ini": "[uwsgi]\nenvdir = vars\nenv = LAST=3\n", "vars/A": "one \ntwo\n", "vars/B": "x=y", "vars/EMPTY": "", "vars/LINES": "a\x00b\n", "vars/.hidden": "h", "vars/sub/C": "c",
		"none.ini": "[uwsgi]\nenvdir = absent\n",
	})
	c, err := load([]string{"app.ini"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	want := []Env{{"A", "one", false}, {"B", "x=y", false}, {"EMPTY", "", true}, {"LINES", "a\nb", false}, {"LAST", "3", false}}
	if diff := cmp.Diff(want, c.Env); diff != "" {
		t.Error(diff)
	}
	if _, err := load([]string{"none.ini"}, nil); err == nil || !strings.HasPrefix(err.Error(), `none.ini:2: envdir: "absent" is no directory`) {
		t.Error(err)
	}
}

// What is special in a pattern may be in the name of the directory.
func TestEnvDirOfOddName(t *testing.T) {
	for _, dir := range []string{"v[a]", "v*", "v?", `v\x`, "v[", "v a"} {
		enter(t, map[string]string{"app.ini": "[uwsgi]\nenvdir = " + dir + "\n", dir + "/ODD": "1", "va/OTHER": "2"})
		c, err := load([]string{"app.ini"}, nil)
		if err != nil {
			t.Errorf("%s: %v", dir, err)
			continue
		}
		if diff := cmp.Diff([]Env{{"ODD", "1", false}}, c.Env); diff != "" {
			t.Errorf("%s: %s", dir, diff)
		}
	}
}

func TestHeadersAndFiles(t *testing.T) {
	enter(t, map[string]string{"app.ini": "[uwsgi]\nmodule = shop\nadd-header = X-Frame-Options: DENY\nadd-header = A:b\nrem-header = X-Powered-By:\ndel-header = Server\n" +
		"static-map2 = /s=/srv\nstatic-skip-ext = .py\nstatic-safe = /srv/safe\nunenv = SECRET\nstats-http = true\nstats-min = 1\nstats-no-cores = yes\n"})
	c, err := load([]string{"app.ini"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	got := fmt.Sprintf("%q %q %v %q %q %v %v %v %v", c.AddHeader, c.RemHeader, c.StaticMaps, c.StaticSkip, c.StaticSafe, c.Env, c.StatsHTTP, c.StatsMin, c.StatsNoCores)
	if want := `["X-Frame-Options: DENY" "A:b"] ["X-Powered-By" "Server"] [{/s /srv true}] [".py"] ["/srv/safe"] [{SECRET  true}] true true true`; got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	for _, ini := range []string{"add-header = X-Frame-Options", "add-header = X Y: z", "add-header =", "add-header = Content-Length: 5", "rem-header = X Y", "rem-header =", "unenv = A=b", "static-skip-ext =", "static-map2 = /s"} {
		enter(t, map[string]string{"app.ini": "[uwsgi]\n" + ini + "\n"})
		name, _, _ := strings.Cut(ini, " ")
		if _, err := load([]string{"app.ini"}, nil); err == nil || !strings.HasPrefix(err.Error(), "app.ini:2: "+name+": ") {
			t.Errorf("%s: %v", ini, err)
		}
	}
}

// Where uWSGI starts though an alarm is not there, so does uwsgo, and says what is lost.
func TestAlarmsThatAreNotThere(t *testing.T) {
	const none = `there is no alarm named "x"`
	for _, tt := range []struct {
		name, ini string
		lost      string // options, or
		err       string
	}{
		{"none_at_all", "alarm-backlog = x\nalarm-segfault = x\nalarm-log = x HARAKIRI\nnot-log-alarm = x a\nalarm-fd = x 0 a", "alarm-backlog alarm-segfault alarm-log not-log-alarm alarm-fd", ""},
		{"none_and_mistakes", "log-alarm = x a(\nlog-alarm = x\nalarm-fd = x", "log-alarm log-alarm alarm-fd", ""},
		{"other_names", "lq-alarm = x\nsegfault-alarm = x\nmetric = m\nmetric-threshold = key=m,value=1,alarm=x\nalarm = a log:", "lq-alarm segfault-alarm metric-threshold", ""},
		{"another_for_lines", "alarm = a log:\nlog-alarm = a,x b", "", "app.ini:4: log-alarm: " + none},
		{"another_for_no_lines", "alarm = a log:\nnot-alarm-log = x b", "", "app.ini:4: not-alarm-log: " + none},
		{"another_for_a_descriptor", "alarm = a log:\nalarm-fd = x 0 b", "", "app.ini:4: alarm-fd: " + none},
		{"kind_that_is_not_there", "alarm = x sentry:dsn=y", "", "app.ini:3: alarm: no kind of alarm named sentry is there"},
		{"kind_of_a_missing_plugin", "alarm = x sentry:dsn=y\nplugin = sentry\nalarm-backlog = x\nlog-alarm = x b", "plugin sentry alarm alarm-backlog log-alarm", ""},
		{"kind_of_a_missing_plugin_beside_another", "plugin = alarm_xmpp\nalarm = x xmpp:a\nalarm = a log:\nlog-alarm = a,x b\nalarm-fd = x 0 b", "plugin alarm_xmpp alarm log-alarm alarm-fd", ""},
		{"all_there", "alarm-backlog = a\nlog-alarm = a b\nalarm = a log:\nalarm-fd = a 9 b\nplugin = python3", "", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			enter(t, map[string]string{"app.ini": "[uwsgi]\nmodule = shop\n" + tt.ini + "\n"})
			c, err := load([]string{"app.ini"}, nil)
			if err != nil || tt.err != "" {
				if tt.err == "" || err == nil || !strings.HasPrefix(err.Error(), tt.err) {
					t.Errorf("%v, want %q", err, tt.err)
				}
				return
			}
			var lost []string
			for _, l := range c.Lost {
				lost = append(lost, l.Name)
				if l.Key != "plugin" && !strings.Contains(l.Instead, none) && !strings.Contains(l.Instead, "cmd") {
					t.Errorf("%s: %s", l.Name, l.Instead)
				}
				if !slices.Contains(c.Losses.Function, l.Name) {
					t.Errorf("%s is not counted: %v", l.Name, c.Losses.Function)
				}
			}
			if got := strings.Join(lost, " "); got != tt.lost {
				t.Errorf("lost %q, want %q", got, tt.lost)
			}
			for _, raised := range slices.Concat(c.Alarm.Backlog, c.Alarm.Segfault) {
				if !c.Alarm.Has(raised) {
					t.Errorf("%s is raised", raised)
				}
			}
		})
	}
}

// No option is lost without a word on what to do, or why it is not needed.
func TestEveryNameSaysWhatToDo(t *testing.T) {
	for _, name := range Options.Names() {
		if o := Options.Lookup(name); !o.Status.Supported() && o.Note == "" {
			t.Errorf("%s (%s): nothing is said", name, o.Status)
		}
	}
}
