package config

import (
	"fmt"
	"strings"
	"testing"
)

func TestRules(t *testing.T) {
	enter(t, map[string]string{"app.ini": "[uwsgi]\nmodule = shop\nsocket = :3031\nroute = ^/reports/\\d+$ harakiri:300 ; five minutes\nroute-host = ^b\\.  harakiri:1\n" +
		"route-uri = \\?all harakiri:0\nroute-run = harakiri:2m\nroute = ^/health donotlog:\nroute-run = tofile:b\nroute-label = x\nroute-run = basicauth:R,a:b,c\nroute-if = equal:${my_param};1 break:403\n"})
	c, err := load([]string{"app.ini"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, r := range c.Routes {
		got = append(got, fmt.Sprint(r.Where, " ", r.Harakiri()))
	}
	want := "app.ini:4: route 5m0s|app.ini:5: route-host 1s|app.ini:6: route-uri -1ns|app.ini:7: route-run 2m0s|app.ini:8: route 0s|" +
		"app.ini:9: route-run 0s|app.ini:10: route-label 0s|app.ini:11: route-run 0s|app.ini:12: route-if 0s"
	if strings.Join(got, "|") != want {
		t.Errorf("got  %s\nwant %s", strings.Join(got, "|"), want)
	}
	if l := fmt.Sprint(c.Losses.Function); l != "[route-run:tofile]" {
		t.Errorf("lost: %s", l)
	}
}

// A variable that rules or answers set is known. In an action one that nobody sets is empty.
func TestVariablesOfRules(t *testing.T) {
	for _, tt := range []struct{ name, rules, err, warning string }{
		{"addvar", "route-run = addvar:FOO=1\nroute-if = equal:${FOO};1 break:403", "", ""},
		{"collected", "collect-header = X-A OF_APP\nresponse-route-if = equal:${OF_APP};1 addheader:X-B: 1", "", ""},
		{"unknown_in_an_action", "route-run = addheader:X-A: ${SITE_DOMAIN}", "", "${SITE_DOMAIN}: requests over HTTP have no such variable"},
		{"unknown_in_a_condition", "route-if = equal:${REMOTE_ADR};1 break:403", "${REMOTE_ADR}: requests over HTTP have no such variable", ""},
		{"alarm", "alarm = ops log:\nroute-run = alarm:ops ${REQUEST_URI}\nhook-touch = x alarm:ops touched", "", ""},
		{"no_such_alarm", "route-run = alarm:ops ${REQUEST_URI}", "", "there is no alarm named \"ops\""},
		{"no_such_alarm_of_a_hook", "hook-master-start = alarm:ops it begins", "", "hook-master-start: there is no alarm named \"ops\""},
		{"no_message", "route-run = alarm:ops", "is not of the form NAME MESSAGE", ""},
		{"metric", "metric = orders\nroute-run = metricinc:orders\nfinal-route-run = metricset:orders,${uwsgi[status]}", "", ""},
		{"metric_by_the_request", "route = ^/(a) metricinc:hits.$1", "", ""},
		{"no_such_metric", "route-run = metricinc:orders", "there is no metric \"orders\" that rules can change", ""},
		{"metric_of_the_server", "metric = orders\nroute-run = metricinc:core.total_tx", "there is no metric \"core.total_tx\"", ""},
		{"no_name_of_a_metric", "route-run = metricmul:,2", "it needs the name of a metric", ""},
		{"no_header", "collect-header = X-A", "is not of the form HEADER VAR", ""},
		{"no_name", "pull-header = X-A a-b", "is not the name of a variable", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			enter(t, map[string]string{"app.ini": "[uwsgi]\nmodule = shop\nhttp = :8080\n" + tt.rules + "\n"})
			c, err := load([]string{"app.ini"}, nil)
			if tt.err != "" {
				if err == nil || !strings.Contains(err.Error(), tt.err) {
					t.Errorf("got %v, want %s", err, tt.err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if got := strings.Join(c.Warnings, "\n"); (got == "") != (tt.warning == "") || !strings.Contains(got, tt.warning) {
				t.Errorf("warnings %q, want %q", got, tt.warning)
			}
		})
	}
}
