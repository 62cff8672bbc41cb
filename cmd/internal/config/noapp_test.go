package config

import (
	"strings"
	"testing"
)

func TestNoApp(t *testing.T) {
	const add = "there is no app to run: add wsgi-file = app.py or module = package.module, or static-map for files alone"
	for _, tt := range []struct{ name, ini, want string }{
		{"module", "module = shop", ""},
		{"file", "wsgi-file = app.py", ""},
		{"mount", "mount = /x=shop", ""},
		{"files", "static-map = /x=/srv", ""},
		{"files_2", "static-map2 = /x=/srv", ""},
		{"checked_files", "check-static = /srv", ""},
		{"address_alone", "http = :8000", add},
		{"index_alone", "http = :8000\nstatic-index = index.html", add},
		{"master_alone", "master = true", add},
		{"stats_alone", "stats = :1717", add},
		{"paste", "paste = config:/srv/production.ini", ""},
		{"pecan", "pecan = config.py", ""},
		{"eval", "eval = application = 1", ""},
		{"import_alone", "import = shop", add},
		{"pypy", "pypy-wsgi = shop", ""},
		{"daemon", "attach-daemon = redis-server", "app.ini:2: attach-daemon: it runs commands beside an app"},
		{"smart_daemon", "smart-attach-daemon = /x.pid redis-server", "app.ini:2: smart-attach-daemon: "},
		{"cron", "cron = -1 -1 -1 -1 -1 date", "app.ini:2: cron: it runs commands beside an app"},
		{"mules", "mules = 2", ""},
		{"php", "http = :80\nphp-docroot = /srv", "app.ini:3: php-docroot: uwsgo runs apps in Python alone"},
		{"perl", "psgi = app.pl", "app.ini:2: psgi: uwsgo runs apps in Python alone"},
		{"zerg", "zerg-server = /run/z", "app.ini:2: zerg-server: uwsgo passes requests on by http-to and by rules alone"},
		{"http_to", "http = :80\nhttp-to = 10.0.0.1:3031", ""},
		{"rule_that_passes_on", "http = :80\nroute = .* http:10.0.0.1:80", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			enter(t, map[string]string{"app.ini": "[uwsgi]\n" + tt.ini + "\n"})
			c, err := load([]string{"app.ini"}, nil)
			if err != nil {
				t.Fatal(err)
			}
			got := c.NoApp()
			if (got == "") != (tt.want == "") || !strings.HasPrefix(got, tt.want) || got != "" && !strings.HasSuffix(got, add) || strings.Contains(got, "\n") {
				t.Errorf("got  %q\nwant %q", got, tt.want)
			}
			if c.Action != Run || !c.NeedApp {
				t.Errorf("action %v, need-app %v: it is not refused", c.Action, c.NeedApp)
			}
		})
	}
	for _, group := range instead {
		for name := range strings.FieldsSeq(group.names) {
			if Options.Lookup(name) == nil {
				t.Errorf("%s is no option", name)
			}
		}
	}
}

// Words that are no files are told from values that stand in the wrong place.
func TestMisplacedValues(t *testing.T) {
	for _, tt := range []struct{ name, args, want string }{
		{"number", "--http-keepalive 2", "--http-keepalive 2: the value has to be in the same word: --http-keepalive=2"},
		{"prefix", "--http-keep 75", "--http-keep 75: the value has to be in the same word: --http-keep=75"},
		{"word", "--http-keepalive true", "--http-keepalive true: the value has to be in the same word: --http-keepalive=true"},
		{"mode", "--chmod-socket 660", "--chmod-socket 660: the value has to be in the same word: --chmod-socket=660"},
		{"letter", "-C 660", "-C 660: the value has to be in the same word: -C660"},
		{"letters", "-MC 660", "-C 660: the value has to be in the same word: -C660"},
		{"flag_with_a_value", "--need-app false", "--need-app false: the value has to be in the same word: --need-app=false"},
		{"own_flag", "--lanes off", "--lanes off: the value has to be in the same word: --lanes=off"},
		{"not_supported_here", "--log-date %H", "--log-date %H: the value has to be in the same word: --log-date=%H"},
		{"flag", "--master true", `--master takes no value: leave out "true"`},
		{"flag_and_number", "--vacuum 1", `--vacuum takes no value: leave out "1"`},
		{"letter_of_a_flag", "-M 1", `-M takes no value: leave out "1"`},
		{"word_behind_a_flag", "--master start", "command line: unable to load configuration from start"},
		{"behind_a_value", "--processes 4 2", "command line: unable to load configuration from 2"},
		{"not_behind_it", "--http-keepalive --master 2", `--master takes no value: leave out "2"`},
		{"value_that_is_missing", "--emperor", "--emperor needs a value: --emperor=DIR"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			enter(t, nil)
			_, err := load(append(strings.Fields(tt.args), "--module", "shop"), nil)
			if tt.name == "value_that_is_missing" {
				_, err = load([]string{"--module", "shop", "--emperor"}, nil)
			}
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got  %v\nwant %s", err, tt.want)
			}
		})
	}
	t.Run("file_behind_it", func(t *testing.T) {
		enter(t, map[string]string{"app.ini": "[uwsgi]\nmodule = shop\n"})
		if c, err := load([]string{"--http-keepalive", "app.ini"}, nil); err != nil || c.Module != "shop" {
			t.Errorf("%v", err)
		}
	})
}
