package nearest

import "testing"

func TestName(t *testing.T) {
	candidates := []string{"hello", "flask", "slow-readers", "slow-uploads", "uid", "gid"}
	tests := []struct {
		name, give, want string
	}{
		{"letter_missing", "helo", "hello"},
		{"letters_swapped", "flaks", "flask"},
		{"long_names_may_differ_more", "slow_reader", "slow-readers"},
		{"nothing_close", "upload", ""},
		{"first_of_equals", "vid", "uid"},
		{"empty", "", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := Name(tt.give, candidates); got != tt.want {
				t.Errorf("Name(%q) = %q, want %q", tt.give, got, tt.want)
			}
		})
	}
}
