package config

import (
	"fmt"
	"strings"
	"testing"
)

func TestRules(t *testing.T) {
	enter(t, map[string]string{"app.ini": "[uwsgi]\nmodule = shop\nsocket = :3031\nroute = ^/reports/\\d+$ harakiri:300 ; five minutes\nroute-host = ^b\\.  harakiri:1\n" +
		"route-uri = \\?all harakiri:0\nroute-run = harakiri:2m\nroute = ^/health donotlog:\nroute-run = alarm:a b\nroute-label = x\nroute-run = basicauth:R,a:b,c\nroute-if = equal:${my_param};1 break:403\n"})
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
	if l := fmt.Sprint(c.Losses.Function); l != "[route-run:alarm]" {
		t.Errorf("lost: %s", l)
	}
}
