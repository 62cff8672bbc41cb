package wsgi

import "testing"

func TestRoute(t *testing.T) {
	tests := []struct {
		name         string
		app          int
		method, path string
		want         string
	}{
		{"root", 0, "GET", "/", "GET/"},
		{"no_path", 0, "OPTIONS", "", "OPTIONS/"},
		{"one_segment", 0, "GET", "/users", "GET/users"},
		{"closing_slash", 0, "GET", "/users/", "GET/users/"},
		{"three_segments_count", 0, "GET", "/api/v1/users/all/of/them", "GET/api/v1/users"},
		{"ids_are_alike", 0, "GET", "/users/42/edit", "GET/users/#/edit"},
		{"tokens_are_alike", 0, "GET", "/t/0123456789abcdef0123456789abcdef", "GET/t/#"},
		{"long_names_too", 0, "GET", "/t/abcdefghijklmnopqrstuvwxyzabcdef", "GET/t/#"},
		{"not_so_long_names", 0, "GET", "/t/abcdefghijklmnopqrstuvwxyzabcde", "GET/t/abcdefghijklmnopqrstuvwxyzabcde"},
		{"empty_segments", 0, "GET", "//a", "GET//a"},
		{"star", 0, "OPTIONS", "*", "OPTIONS/*"},
		{"another_app", 0x0102, "GET", "/", "GET/"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := string(appendRoute(nil, tt.app, []byte(tt.method), []byte(tt.path)))
			if want := string([]byte{byte(tt.app), byte(tt.app >> 8)}) + tt.want; got != want {
				t.Errorf("got %q, want %q", got, want)
			}
		})
	}
}
