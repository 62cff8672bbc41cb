package config

import (
	"fmt"
	"strings"
	"testing"
)

func TestUpstreams(t *testing.T) {
	for _, tt := range []struct{ name, ini, want string }{
		{"to_others", "http = :80\nhttp-to = 10.0.0.1:3031\nhttp-to = /run/b.sock", "to [uwsgi://10.0.0.1:3031 uwsgi:///run/b.sock] passes=true"},
		{"to_others_by_http", "http = :80\nhttp-to = 10.0.0.1:3031\nhttp-backend-http = true", "to [http://10.0.0.1:3031] passes=true"},
		{"to_one_by_http", "http = :80\nhttp-to = http://10.0.0.1", "to [http://10.0.0.1] passes=true"},
		{"to_itself", "http = :80\nsocket = :3031\nhttp-to = 127.0.0.1:3031", "to [] passes=false"},
		{"to_nobody", "http = :80\nhttp-to =", "app.ini:3: http-to: it needs an address"},
		{"to_no_address", "http = :80\nhttp-to = 10.0.0.1", "app.ini:3: http-to: upstream \"uwsgi://10.0.0.1\": the port is missing"},
		{"group", "upstream = api=10.0.0.1:80 weight=2,10.0.0.2:80 balance=least read-timeout=5\nroute = ^/api http:api", "to [] passes=true api [{10.0.0.1:80 2} {10.0.0.2:80 0}] balance=1 read=5s"},
		{"hash", "upstream = api=10.0.0.1:80, 10.0.0.2:80 hash=cookie:sid", "to [] passes=false api [{10.0.0.1:80 0} {10.0.0.2:80 0}] balance=3 read=0s"},
		{"health_and_names", "upstream = api=srv:_http._tcp.api.svc health=/up health-interval=2 slow-start=10 nameserver=10.0.0.53 proxy-protocol=2", "api [{srv:_http._tcp.api.svc 0}]"},
		{"health_without_path", "upstream = api=10.0.0.1:80 health=up", "is no path to ask for"},
		{"proxy_protocol_3", "upstream = api=10.0.0.1:80 proxy-protocol=3", "versions 1 and 2"},
		{"group_twice", "upstream = api=10.0.0.1:80\nupstream = api=10.0.0.1:80", "app.ini:3: upstream: there is an upstream api already"},
		{"group_without_name", "upstream = 10.0.0.1:80", "is not of the form NAME=ADDR"},
		{"group_without_commas", "upstream = api=10.0.0.1:80 10.0.0.2:80", "addresses are separated by commas"},
		{"group_with_unknown_key", "upstream = api=10.0.0.1:80 wait=2", "app.ini:2: upstream: wait=2: there is no such key"},
		{"group_with_bad_weight", "upstream = api=10.0.0.1:80 weight=0", "a weight is a number from 1 to 1000"},
		{"group_with_bad_hash", "upstream = api=10.0.0.1:80 hash=url", "none of address, header:NAME and cookie:NAME"},
		{"rule_without_group", "route = ^/api http:api", "app.ini:2: route: there is no upstream api"},
		{"rule_with_address", "route = ^/api http:127.0.0.1:8080", "to [] passes=true"},
		{"rule_with_modifiers", "route = ^/api uwsgi:127.0.0.1:3031,0,0", "to [] passes=true"},
		{"rule_with_bad_modifiers", "route = ^/api uwsgi:127.0.0.1:3031,0", "is not of the form ADDRESS,MODIFIER1,MODIFIER2"},
		{"rule_with_bad_host", "route = ^/api http:127.0.0.1:80,a b", "app.ini:2: route: "},
	} {
		t.Run(tt.name, func(t *testing.T) {
			enter(t, map[string]string{"app.ini": "[uwsgi]\n" + tt.ini + "\n"})
			c, err := load([]string{"app.ini"}, nil)
			got := fmt.Sprint(err)
			if err == nil {
				got = fmt.Sprintf("to %v passes=%t", c.HTTPTo, c.PassesOn())
				for _, u := range c.Upstreams {
					got += fmt.Sprintf(" %s %v balance=%d read=%v", u.Name, u.Config.Servers, u.Config.Balance, u.Config.ReadTimeout)
				}
			}
			if !strings.Contains(got, tt.want) {
				t.Errorf("got  %s\nwant %s", got, tt.want)
			}
		})
	}
}
