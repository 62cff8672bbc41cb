package load

import (
	"net/http"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestRequestsAsTheyAreSent(t *testing.T) {
	tcp := Target{Network: "tcp", Address: "127.0.0.1:8080"}
	tests := []struct {
		name     string
		target   Target
		give     Request
		wantKeep string
		wantLast string
	}{
		{
			"get", tcp,
			Request{Path: "/a?b=c", Header: []Header{{"X-A", "b"}, {"Cookie", "c=d"}}},
			"GET /a?b=c HTTP/1.1\r\nHost: 127.0.0.1:8080\r\nX-A: b\r\nCookie: c=d\r\n\r\n",
			"GET /a?b=c HTTP/1.1\r\nHost: 127.0.0.1:8080\r\nX-A: b\r\nCookie: c=d\r\nConnection: close\r\n\r\n",
		},
		{
			"upload", tcp,
			Request{Method: http.MethodPut, Path: "/", Body: []byte("abc")},
			"PUT / HTTP/1.1\r\nHost: 127.0.0.1:8080\r\nContent-Length: 3\r\n\r\nabc",
			"PUT / HTTP/1.1\r\nHost: 127.0.0.1:8080\r\nContent-Length: 3\r\nConnection: close\r\n\r\nabc",
		},
		{
			"upload_of_nothing", tcp,
			Request{Method: http.MethodPost, Path: "/"},
			"POST / HTTP/1.1\r\nHost: 127.0.0.1:8080\r\nContent-Length: 0\r\n\r\n",
			"POST / HTTP/1.1\r\nHost: 127.0.0.1:8080\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
		},
		{
			"unix_socket",
			Target{Network: "unix", Address: "/run/s"},
			Request{Path: "/"},
			"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n",
			"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w, err := newWire(tt.target, tt.give)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff([]string{tt.wantKeep, tt.wantLast}, []string{string(w.keep), string(w.last)}); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
}
