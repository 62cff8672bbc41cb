package config

import (
	"fmt"
	"strings"
	"testing"
)

func TestShared(t *testing.T) {
	for _, tt := range []struct{ name, ini, want string }{
		{"one", "shared-socket = :80\nhttp = =0", "[http :80]"},
		{"two", "shared-socket = :80\nshared-socket = /run/a.sock\nsocket = =1\nhttp-socket = =0", "[uwsgi /run/a.sock http :80]"},
		{"before", "socket = =0\nshared-socket = 127.0.0.1:3031\nprotocol = http", "[http 127.0.0.1:3031]"},
		{"undeferred", "undeferred-shared-socket = :80\nhttp = =0", "[http :80]"},
		{"not_named", "shared-socket = :80\nhttp = :81", "[http :81] app.ini:2: shared-socket: nothing listens there, as no http, socket or other says =0"},
		{"none", "http = =0", `app.ini:2: http: "=0" is no number of a shared-socket: there are 0`},
		{"too_large", "shared-socket = :80\nhttp = =1", `"=1" is no number of a shared-socket: there are 1`},
		{"no_number", "shared-socket = :80\nhttp = =x", `"=x" is no number of a shared-socket`},
		{"negative", "shared-socket = :80\nhttp = =-1", `"=-1" is no number of a shared-socket`},
		{"twice", "shared-socket = :80\nhttp = =0\nsocket = =0", "app.ini:4: socket: :80 has a server already"},

		{"abstract", "socket = /run/a.sock\nsocket = @b\nhttp = :80\nabstract-socket = true", "[uwsgi @/run/a.sock uwsgi @b http :80]"},
		{"upstream_is_own_file", "http = :80\nsocket = /run/a.sock\nhttp-to = /run/a.sock", "[http :80 uwsgi /run/a.sock]"},
		{"upstream_is_own_port", "http = :80\nsocket = :3031\nhttp-to = 127.0.0.1:3031", "[http :80 uwsgi :3031]"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			enter(t, map[string]string{"app.ini": "[uwsgi]\n" + tt.ini + "\n"})
			c, err := load([]string{"app.ini"}, nil)
			got := fmt.Sprint(err)
			if err == nil {
				var all []string
				for _, l := range c.Listens {
					all = append(all, string(l.Protocol)+" "+l.Addr)
				}
				got = fmt.Sprint(all) + " " + strings.Join(c.Warnings, "; ")
			}
			if !strings.Contains(got, tt.want) || err == nil && !strings.HasPrefix(got, "[") {
				t.Errorf("got  %s\nwant %s", got, tt.want)
			}
		})
	}
}
