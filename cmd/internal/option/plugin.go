package option

import (
	"path"
	"strings"
)

// builtin are plugins of uWSGI whose work uwsgo does without a plugin.
var builtin = " ping http corerouter logfile syslog rsyslog logsocket router_static router_redirect transformation_gzip transformation_chunked "

// HasPlugin reports whether uwsgo does what uWSGI's plugin of this name does.
// Any Python counts, and a path to the plugin's file counts as its name.
func HasPlugin(name string) bool {
	name = strings.TrimSpace(name)
	name = name[strings.LastIndexByte(name, ':')+1:] // "0:python" asks for a modifier
	name = strings.TrimSuffix(path.Base(name), "_plugin.so")
	if rest, ok := strings.CutPrefix(name, "python"); ok {
		return strings.Trim(rest, "0123456789.") == ""
	}
	return name != "" && !strings.Contains(name, " ") && strings.Contains(builtin, " "+name+" ")
}
