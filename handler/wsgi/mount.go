package wsgi

import (
	"bytes"
	"fmt"
	"strings"

	"github.com/uwsgo/uwsgo/engine/worker"
)

// noApp is the app of a request that no app is mounted for.
const noApp = -1

// mounts maps requests to apps. Immutable.
type mounts struct {
	prefix   [][]byte // of each app; "" for the default app
	manage   bool     // see Options.ManageScriptName
	fallback int      // the default app, or noApp
	strict   bool     // see Options.NoDefaultApp
}

func newMounts(apps []worker.App, o Options) (*mounts, error) {
	m := &mounts{manage: o.ManageScriptName, strict: o.NoDefaultApp, fallback: noApp}
	for i, app := range apps {
		if strings.Trim(app.Mount, "/") == "" && app.Mount != "" && m.fallback != noApp && apps[m.fallback].Mount == "" {
			// As in uWSGI: the app without a mountpoint answers there.
			m.prefix = append(m.prefix, nil) // find and choose reach the default app first
			continue
		}
		prefix := strings.TrimRight(app.Mount, "/")
		if prefix != "" && prefix[0] != '/' {
			return nil, fmt.Errorf("mountpoint %q must begin with a slash: /%s", app.Mount, prefix)
		}
		if m.find([]byte(prefix)) != noApp {
			if prefix == "" {
				return nil, fmt.Errorf("app %s: there is a default app already: give it another mountpoint", app)
			}
			return nil, fmt.Errorf("app %s: mountpoint %s is taken already", app, prefix)
		}
		if prefix == "" {
			m.fallback = i
		}
		m.prefix = append(m.prefix, []byte(prefix))
	}
	if m.fallback == noApp && !o.ManageScriptName && !o.NoDefaultApp && len(apps) > 0 {
		// As in uWSGI the first app is the default app. With ManageScriptName /myapp would then
		// answer /myappfoo, so such a path gets 404.
		m.fallback = 0
	}
	return m, nil
}

// find returns the app with exactly that mountpoint.
func (m *mounts) find(prefix []byte) int {
	for i, p := range m.prefix {
		if bytes.Equal(p, prefix) {
			return i
		}
	}
	return noApp
}

// choose returns the app for a request, with its SCRIPT_NAME and PATH_INFO. id is the
// UWSGI_APPID of a uwsgi request: the mountpoint that the front server selects, whatever the
// path.
func (m *mounts) choose(id, script, path []byte) (app int, newScript, newPath []byte) {
	if len(id) > 0 {
		if i := m.find(bytes.TrimRight(id, "/")); i != noApp {
			return i, script, path
		}
	}
	if m.manage {
		best, size := noApp, 0
		for i, p := range m.prefix {
			if len(p) > size && bytes.HasPrefix(path, p) && (len(path) == len(p) || path[len(p)] == '/') {
				best, size = i, len(p)
			}
		}
		if best != noApp {
			return best, path[:size], path[size:]
		}
	}
	name := bytes.TrimRight(script, "/")
	// nginx's "location /myapp" includes /myappfoo, and sends SCRIPT_NAME with it. A front
	// server that has cut off the prefix sends a path without it.
	if uncut := m.manage && bytes.HasPrefix(path, name); len(script) > 0 && !uncut {
		if i := m.find(name); i != noApp {
			return i, script, path
		}
	}
	if m.strict && len(name) > 0 && m.find(name) == noApp {
		return noApp, script, path
	}
	return m.fallback, script, path
}
