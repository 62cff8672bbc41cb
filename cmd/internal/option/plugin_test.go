package option

import "testing"

func TestPythonPlugin(t *testing.T) {
	for name, want := range map[string]string{
		"python": "", "python3": "3", "python2": "2", "python27": "2.7", "python311": "3.11", "python3.12": "3.12",
		"0:python39": "3.9", "/usr/lib/uwsgi/plugins/python312_plugin.so": "3.12", "http": "none", "pythonette": "none",
	} {
		got, ok := PythonPlugin(name)
		if ok == (want == "none") || ok && got != want {
			t.Errorf("%s: got %q, %v; want %q", name, got, ok, want)
		}
	}
}

func TestHasPlugin(t *testing.T) {
	for _, name := range []string{"python", "python3", "python311", "python3.11", " python3", "http", "logfile", "/usr/lib/uwsgi/python3_plugin.so", "0:python", "gevent", "gevent3", "gevent_python3", "alarm_curl", "router_rewrite"} {
		if !HasPlugin(name) {
			t.Errorf("%q is built in", name)
		}
	}
	for _, name := range []string{"", "psgi", "pythonette", "sentry", "ping http", "gevent_x", "router_cache", "alarm_curl cheaper_busyness", "/opt/lua_plugin.so"} {
		if HasPlugin(name) {
			t.Errorf("%q is not there", name)
		}
	}
}
