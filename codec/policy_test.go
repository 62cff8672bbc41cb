package codec

import "testing"

func TestKeepField(t *testing.T) {
	tests := []struct {
		name             string
		keep             bool // by default
		keepWithUnderbar bool
	}{
		{"Host", true, true},
		{"Content-Type", true, true},
		{"X-Forwarded-For", true, true},
		{"Proxy-Authorization", true, true},
		{"Proxy2", true, true},
		{"Expect", true, true},
		{"X_User", false, true},
		{"_", false, true},
		{"Proxy", false, false},
		{"pROXY", false, false},
		{"Connection", false, false},
		{"Keep-Alive", false, false},
		{"KEEP_ALIVE", false, false},
		{"Proxy-Connection", false, false},
		{"PROXY_CONNECTION", false, false},
		{"te", false, false},
		{"Trailer", false, false},
		{"Upgrade", false, false},
		{"Transfer-Encoding", false, false},
		{"Transfer_Encoding", false, false},
		{"Content-Length", false, false},
		{"CONTENT_LENGTH", false, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := (Policy{}).KeepField([]byte(tt.name)); got != tt.keep {
				t.Errorf("default: %v, want %v", got, tt.keep)
			}
			if got := (Policy{Underscores: true}).KeepField([]byte(tt.name)); got != tt.keepWithUnderbar {
				t.Errorf("with underscores: %v, want %v", got, tt.keepWithUnderbar)
			}
		})
	}
}

func TestKeepResponseField(t *testing.T) {
	for name, want := range map[string]bool{
		"Content-Type": true, "Set-Cookie": true, "X_Y": true, "Proxy": true, "Proxy-Authenticate": true,
		"connection": false, "Keep-Alive": false, "Transfer-Encoding": false, "Content-Length": false,
		"Upgrade": false, "TE": false, "Trailer": false, "Proxy-Connection": false, "content_length": false,
	} {
		if got := KeepResponseField([]byte(name)); got != want {
			t.Errorf("%s: %v, want %v", name, got, want)
		}
	}
}

func TestKeepNominated(t *testing.T) {
	for name, want := range map[string]bool{
		"host": true, "Content-Length": true, "Content-Type": true, "content_encoding": true, "Cookie": true,
		"Authorization": true, "X-Forwarded-For": true, "x-anything": true, "X_Real_IP": true, "Forwarded": true,
		"HTTP2-Settings": false, "Foo": false, "X": false, "Content": false, "": false,
	} {
		if got := KeepNominated([]byte(name)); got != want {
			t.Errorf("%q: %v, want %v", name, got, want)
		}
	}
}

func TestEqualName(t *testing.T) {
	tests := []struct {
		a, b string
		want bool
	}{
		{"Content-Type", "content_TYPE", true},
		{"", "", true},
		{"A", "B", false},
		{"A", "AA", false},
		{"A-", "A\x0d", false}, // "-" with bit 5 cleared
		{"K", "\u212a", false}, // the Kelvin sign
		{"[", "{", false},      // differ as letters of two cases do
	}
	for _, tt := range tests {
		if got := EqualName([]byte(tt.a), []byte(tt.b)); got != tt.want {
			t.Errorf("%q, %q: %v, want %v", tt.a, tt.b, got, tt.want)
		}
	}
}

func TestAppendEnvName(t *testing.T) {
	for name, want := range map[string]string{
		"User-Agent": "HTTP_USER_AGENT", "x_y": "HTTP_X_Y", "a.b|c": "HTTP_A.B|C", "": "HTTP_",
	} {
		if got := string(AppendEnvName(nil, []byte(name))); got != want {
			t.Errorf("%q: got %q, want %q", name, got, want)
		}
	}
}

func TestParseLength(t *testing.T) {
	tests := []struct {
		give string
		want int64
		ok   bool
	}{
		{"0", 0, true},
		{"10", 10, true},
		{"0010", 10, true},
		{"9223372036854775807", 1<<63 - 1, true},
		{"00000000000000000000000000001", 1, true},
		{"9223372036854775808", 0, false},
		{"18446744073709551617", 0, false}, // 1<<64 + 1
		{"", 0, false},
		{"+1", 0, false},
		{"-1", 0, false},
		{" 1", 0, false},
		{"1 ", 0, false},
		{"1,1", 0, false},
		{"0x1", 0, false},
		{"1_0", 0, false},
		{"\xb2", 0, false},
	}
	for _, tt := range tests {
		if got, ok := ParseLength([]byte(tt.give)); got != tt.want || ok != tt.ok {
			t.Errorf("%q: got %d, %v, want %d, %v", tt.give, got, ok, tt.want, tt.ok)
		}
	}
}

func TestLimitsBodyTooLarge(t *testing.T) {
	tests := []struct {
		name  string
		limit int64
		n     int64
		want  bool
	}{
		{"default_at", 0, DefaultBody, false},
		{"default_beyond", 0, DefaultBody + 1, true},
		{"set_at", 5, 5, false},
		{"set_beyond", 5, 6, true},
		{"none", -1, 1<<63 - 1, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := (Limits{Body: tt.limit}).BodyTooLarge(tt.n); got != tt.want {
				t.Errorf("got %v, want %v", got, tt.want)
			}
		})
	}
}
