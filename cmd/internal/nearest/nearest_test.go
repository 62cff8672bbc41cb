package nearest

import "testing"

func TestName(t *testing.T) {
	candidates := []string{"hello", "flask", "slow-readers", "slow-uploads", "uid", "gid"}
	tests := []struct {
		name, give, want string
		preferred        func(string) bool
	}{
		{"letter_missing", "helo", "hello", nil},
		{"letters_swapped", "flaks", "flask", nil},
		{"long_names_may_differ_more", "slow_reader", "slow-readers", nil},
		{"nothing_close", "upload", "", nil},
		{"first_of_equals", "vid", "uid", nil},
		{"preferred_of_equals", "vid", "gid", func(c string) bool { return c == "gid" }},
		{"empty", "", "", nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := Name(tt.give, candidates, tt.preferred); got != tt.want {
				t.Errorf("Name(%q) = %q, want %q", tt.give, got, tt.want)
			}
		})
	}
}
