package succession

import (
	"net"
	"os"
	"testing"
)

func TestFindPredecessorRefuses(t *testing.T) {
	for _, tt := range []struct{ name, text string }{
		{"empty", ""},
		{"words", "yes"},
		{"no_descriptors", "{}"},
		{"standard_streams", `{"Ready":1,"Go":2}`},
		{"negative", `{"Ready":3,"Go":-1}`},
		{"socket_on_a_standard_stream", `{"Ready":3,"Go":4,"Sockets":[{"FD":2}]}`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Setenv(TakeoverEnv, tt.text)
			if b, err := FindPredecessor(); b != nil || err == nil {
				t.Errorf("%+v, %v", b, err)
			}
			if _, ok := os.LookupEnv(TakeoverEnv); ok {
				t.Error("the variable is left to the app")
			}
		})
	}
}

func TestSocketIsOf(t *testing.T) {
	tcp := &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 4000}
	for _, tt := range []struct {
		name, option, had string
		addr              net.Addr
		want              bool
	}{
		{"same_words", "localhost:4000", "localhost:4000", tcp, true},
		{"same_address", "127.0.0.1:4000", "localhost:4000", tcp, true},
		{"port_of_the_kernel", "127.0.0.1:0", "127.0.0.1:0", tcp, true},
		{"another_port", "127.0.0.1:4001", "localhost:4000", tcp, false},
		{"same_path", "/run/app.sock", "app.sock", &net.UnixAddr{Name: "/run/app.sock", Net: "unix"}, true},
		{"same_words_elsewhere", "app.sock", "app.sock", &net.UnixAddr{Name: "/run/app.sock", Net: "unix"}, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := (Socket{Addr: tt.addr, option: tt.had}).IsOf(tt.option); got != tt.want {
				t.Errorf("%v, want %v", got, tt.want)
			}
		})
	}
}
