package wsgi

import (
	"bytes"
	"fmt"
	"strings"
)

// Mounts says which of several apps answers which paths. The order of apps is
// that of the pool's configuration.
type Mounts struct {
	// Prefix holds the mountpoint of each app: "" or "/" for the default app,
	// otherwise "/name" without a final slash.
	Prefix []string
	// ManageScriptName moves a mountpoint from PATH_INFO to SCRIPT_NAME: the app
	// with the longest one that PATH_INFO begins with, whole segments compared,
	// answers, whatever SCRIPT_NAME the front server sent. Without it an app is
	// found by the SCRIPT_NAME of a uwsgi request alone, and PATH_INFO stays as it is.
	ManageScriptName bool
}

// noApp is where a request goes that no app is mounted for.
const noApp = -1

// mounts is Mounts prepared for look-ups. Immutable.
type mounts struct {
	prefix   [][]byte
	manage   bool
	fallback int // the default app, or noApp
}

func newMounts(m Mounts) (*mounts, error) {
	p := &mounts{manage: m.ManageScriptName, fallback: noApp}
	for i, prefix := range m.Prefix {
		prefix = strings.TrimRight(prefix, "/")
		if prefix != "" && prefix[0] != '/' {
			return nil, fmt.Errorf("mountpoint %q: must begin with a slash, as in /myapp", prefix)
		}
		for _, other := range p.prefix {
			if string(other) == prefix {
				return nil, fmt.Errorf("mountpoint %q is given twice", "/"+strings.TrimLeft(prefix, "/"))
			}
		}
		if prefix == "" {
			p.fallback = i
		}
		p.prefix = append(p.prefix, []byte(prefix))
	}
	if p.fallback == noApp && !p.manage {
		// As in uWSGI: the first app answers what is meant for no other. With
		// ManageScriptName that would hand /myappfoo to /myapp, so there it gets 404.
		p.fallback = 0
	}
	return p, nil
}

// choose returns the app for a request and its SCRIPT_NAME and PATH_INFO.
func (m *mounts) choose(script, path []byte) (app int, newScript, newPath []byte) {
	if m.manage {
		best, size := noApp, 0
		for i, prefix := range m.prefix {
			if len(prefix) > size && bytes.HasPrefix(path, prefix) && (len(path) == len(prefix) || path[len(prefix)] == '/') {
				best, size = i, len(prefix)
			}
		}
		if best != noApp {
			return best, path[:size], path[size:]
		}
	}
	if len(script) > 0 {
		name := bytes.TrimRight(script, "/")
		for i, prefix := range m.prefix {
			if bytes.Equal(name, prefix) {
				return i, script, path
			}
		}
	}
	return m.fallback, script, path
}
