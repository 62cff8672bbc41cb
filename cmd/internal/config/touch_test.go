package config

import (
	"strings"
	"testing"
)

func TestTouchHooks(t *testing.T) {
	for _, tt := range []struct{ name, ini, path, line, err string }{
		{"command", "touch-exec = /run/deploy.touch ./collect.sh  now", "/run/deploy.touch", "./collect.sh  now", ""},
		{"action", "hook-touch = relative.touch exec:true", "relative.touch", "true", ""},
		{"file_action", "hook-touch = a.touch unlink:/tmp/b", "a.touch", "rm -- '/tmp/b'", ""},
		{"no_command", "touch-exec = /run/deploy.touch", "", "", "is not of the form FILE COMMAND"},
		{"no_action", "hook-touch = a.touch true", "", "", "a.touch true"},
		{"of_the_server", "hook-touch = a.touch chdir:/", "", "", "would change the server itself"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			enter(t, map[string]string{"app.ini": "[uwsgi]\n" + tt.ini + "\n"})
			c, err := load([]string{"app.ini"}, nil)
			if err != nil || tt.err != "" {
				if err == nil || tt.err == "" || !strings.Contains(err.Error(), tt.err) {
					t.Errorf("error %v, want %q", err, tt.err)
				}
				return
			}
			if len(c.TouchHooks) != 1 || c.TouchHooks[0].Path != tt.path || !strings.Contains(c.TouchHooks[0].Line, tt.line) {
				t.Errorf("%+v", c.TouchHooks)
			}
		})
	}
}

func TestAcceptingHooks(t *testing.T) {
	for _, tt := range []struct{ name, ini, want string }{
		{"command", "hook-accepting1-once = exec:curl -s localhost", ""},
		{"file", "hook-accepting = write:/tmp/ready yes", ""},
		{"of_a_process", "hook-accepting = chdir:/", "give it with hook-post-fork"},
		{"unknown", "hook-accepting1 = call:f", "call"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			enter(t, map[string]string{"app.ini": "[uwsgi]\n" + tt.ini + "\n"})
			c, err := load([]string{"app.ini"}, nil)
			if tt.want != "" {
				if err == nil || !strings.Contains(err.Error(), tt.want) {
					t.Errorf("error %v, want %s", err, tt.want)
				}
				return
			}
			if err != nil || len(c.Hooks) != 1 || !strings.HasPrefix(c.Hooks[0].Stage, "accepting") {
				t.Errorf("%v, %v", c, err)
			}
		})
	}
}
