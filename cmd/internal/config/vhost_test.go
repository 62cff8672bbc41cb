package config

import (
	"fmt"
	"strings"
	"testing"
)

// vhost is accepted where it cannot give one host the app of another.
func TestVhost(t *testing.T) {
	for _, tt := range []struct {
		name, ini string
		ends      bool
	}{
		{"one_app", "module = shop\nvhost = true", false},
		{"one_mounted_app", "mount = /=shop\nvhost = true", false},
		{"off", "mount = /a=shop\nmount = /b=blog\nvhost = false", false},
		{"off_again", "mount = /a=shop\nmount = /b=blog\nvhost = true\nvhost = false", false},
		{"two_mounts", "mount = /a=shop\nmount = /b=blog\nvhost = true", true},
		{"app_and_mount", "vhost-host = true\nwsgi-file = app.py\nmount = /b=blog", true},
		{"given_up", "mount = /a=shop\nmount = /b=blog\nvhost = true\nignore-unsupported = vhost", false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			enter(t, map[string]string{"app.ini": "[uwsgi]\n" + tt.ini + "\n"})
			_, err := load([]string{"app.ini"}, nil)
			if strings.Contains(fmt.Sprint(err), "each host would get the app of every other") != tt.ends || !tt.ends && err != nil {
				t.Errorf("%v", err)
			}
		})
	}
}
