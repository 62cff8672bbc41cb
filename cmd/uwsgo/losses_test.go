package main

import "testing"

// The command that tells more can be pasted, and names no option that may hold a secret.
func TestCheckCommand(t *testing.T) {
	for _, tt := range []struct {
		name string
		args []string
		want string
	}{
		{"file", []string{"/usr/bin/uwsgo", "app.ini"}, "uwsgo check app.ini"},
		{"option", []string{"uwsgo", "--ini", "app.ini", "--http", ":80"}, "uwsgo check --ini app.ini"},
		{"space", []string{"uwsgo", "my site.ini"}, "uwsgo check 'my site.ini'"},
		{"space_behind_an_option", []string{"uwsgo", "--yaml=my (new).yml"}, "uwsgo check --yaml 'my (new).yml'"},
		{"no_file", []string{"uwsgo", "--http", ":80"}, "uwsgo check with the same options"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := checkCommand(tt.args); got != tt.want {
				t.Errorf("got %s, want %s", got, tt.want)
			}
		})
	}
}
