package main

import "testing"

func TestRelativeSocket(t *testing.T) {
	for addr, want := range map[string]bool{
		"app.sock": true, "./a:1": true, "/run/app.sock": false, "@app": false, ":8080": false, "127.0.0.1:1717": false, "[::1]:80": false, "": false,
	} {
		if got := relativeSocket(addr); got != want {
			t.Errorf("%q: %v, want %v", addr, got, want)
		}
	}
}
