package option

import (
	"path"
	"strings"
)

// builtin are plugins of uWSGI whose work uwsgo does itself.
var builtin = " ping http corerouter logfile syslog rsyslog logsocket escape_json router_static router_redirect router_basicauth router_expires router_http router_rewrite router_uwsgi transformation_gzip transformation_chunked " +
	"alarm_curl cheaper_busyness gevent signal spooler stats_pusher_statsd "

// HasPlugin reports whether uwsgo does what uWSGI's plugin does. Any Python counts, and a path to
// the plugin's file counts as its name. Debian and Fedora name gevent by its Python, too.
func HasPlugin(name string) bool {
	if _, ok := PythonPlugin(name); ok {
		return true
	}
	name = pluginName(name)
	if base, ok := strings.CutPrefix(name, "gevent"); ok {
		_, ok = PythonPlugin("python" + strings.TrimPrefix(base, "_python"))
		return ok
	}
	return name != "" && !strings.Contains(name, " ") && strings.Contains(builtin, " "+name+" ")
}

// PythonPlugin returns the Python of a plugin, as "3" or "3.12", "" if the name does not say. ok is
// false for other plugins.
func PythonPlugin(name string) (version string, ok bool) {
	version, ok = strings.CutPrefix(pluginName(name), "python")
	if !ok || strings.Trim(version, "0123456789.") != "" {
		return "", false
	}
	version = strings.ReplaceAll(version, ".", "")
	if len(version) > 1 {
		version = version[:1] + "." + version[1:]
	}
	return version, true
}

func pluginName(name string) string {
	name = strings.TrimSpace(name)
	name = name[strings.LastIndexByte(name, ':')+1:] // "0:python" asks for a modifier
	return strings.TrimSuffix(path.Base(name), "_plugin.so")
}
