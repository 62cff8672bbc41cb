package grammar

import (
	"math/rand/v2"
	"testing"
)

func TestClasses(t *testing.T) {
	tests := []struct {
		name  string
		class Class
		in    string
		out   string
	}{
		{"token", Token, "AZaz09!#$%&'*+-.^_`|~", "\x00\t\r\n \x7f\"(),/:;<=>?@[\\]{}\x80\xff"},
		{"value", Value, "\t !~\"\x80\xff", "\x00\x01\x08\r\n\x1f\x7f"},
		{"target", Target, "/?:%\"|\\\x80\xff", "# \t\r\n\x00\x1f\x7f"},
		{"host", Host, "az09-._~!$&'()*+;=", " ,%:@/?#[]\"\x00\x7f\x80\xff"},
		{"hex", Hex, "09afAF", "gG/:@`"},
		{"digit", Digit, "0123456789", "/:aA\xb2"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			for i := range len(tt.in) {
				if Of[tt.in[i]]&tt.class == 0 {
					t.Errorf("%q is not in it", tt.in[i])
				}
			}
			for i := range len(tt.out) {
				if Of[tt.out[i]]&tt.class != 0 {
					t.Errorf("%q is in it", tt.out[i])
				}
			}
		})
	}
}

// The quick way through values must stop exactly where the table says.
func TestSkipValueIsSkip(t *testing.T) {
	check := func(s []byte) {
		for i := range len(s) + 1 {
			if got, want := SkipValue(s, i), Skip(Value, s, i); got != want {
				t.Fatalf("%q from %d: got %d, want %d", s, i, got, want)
			}
		}
	}
	for c := range 256 {
		for at := range 17 {
			for _, around := range []byte{'a', '\t', ' ', 0x80, 0xff} {
				s := make([]byte, 17)
				for i := range s {
					s[i] = around
				}
				s[at] = byte(c)
				check(s)
			}
		}
	}
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	rng := rand.New(rand.NewPCG(seed, 0))
	for range 2000 {
		s := make([]byte, rng.IntN(40))
		for i := range s {
			s[i] = byte(rng.IntN(256))
			if rng.IntN(4) > 0 {
				s[i] |= 0x20
			}
		}
		check(s)
	}
}

func TestUnhex(t *testing.T) {
	for i, c := range []byte("0123456789abcdef") {
		if Unhex(c) != byte(i) {
			t.Errorf("%q: %d", c, Unhex(c))
		}
	}
	for i, c := range []byte("ABCDEF") {
		if Unhex(c) != byte(10+i) {
			t.Errorf("%q: %d", c, Unhex(c))
		}
	}
}

func BenchmarkSkipValue(b *testing.B) {
	s := []byte("Mozilla/5.0 (X11; Linux x86_64) Engine/537.36 (like so many) Browser/130.0.0.0 Other/537.36")
	b.ReportAllocs()
	b.SetBytes(int64(len(s)))
	for b.Loop() {
		if SkipValue(s, 0) != len(s) {
			b.Fatal("stopped early")
		}
	}
}
