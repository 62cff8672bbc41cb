package config

import (
	"strings"
	"testing"
)

// An emperor that gives up root can only become the owner of each file with the rights for
// that.
func TestEmperorRights(t *testing.T) {
	for _, tt := range []struct {
		name, ini string
		keep      bool
		want      string // in the error
	}{
		{"fedora", "uid = 1\ngid = 1\nemperor-tyrant = true\ncap = setgid,setuid", true, ""},
		{"full_names", "uid = 1\nemperor-tyrant = true\ncap = CAP_SETUID, cap_setgid", true, ""},
		{"numbers", "uid = 1\nemperor-tyrant = true\ncap = 6,7", true, ""},
		{"in_two_lines_with_more", "uid = 1\nemperor-tyrant = true\ncap = setuid\ncap = setgid,chown", true, ""},
		{"root", "emperor-tyrant = true\ncap = setgid,setuid", false, ""},
		{"no_tyrant", "uid = 1\ncap = setgid,setuid", false, ""},
		{"none", "uid = 1\nemperor-tyrant = true", false, "emperor-tyrant: with uid the emperor is not root any more"},
		{"one_of_both", "uid = 1\nemperor-tyrant = true\ncap = setuid", false, "add cap = setgid,setuid"},
		{"others", "uid = 1\nemperor-tyrant = true\ncap = setgid,net_bind_service", false, "add cap = setgid,setuid"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			enter(t, map[string]string{"emperor.ini": "[uwsgi]\nemperor = vassals\n" + tt.ini + "\n"})
			c, err := load([]string{"emperor.ini"}, nil)
			if tt.want != "" {
				if err == nil || !strings.Contains(err.Error(), tt.want) {
					t.Fatalf("%v, want %q", err, tt.want)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if c.Emperor.KeepRights != tt.keep {
				t.Errorf("it keeps rights: %v", c.Emperor.KeepRights)
			}
		})
	}
}
