package stats

import (
	"io"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestWhoMayAsk(t *testing.T) {
	machine, err := os.Hostname()
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name, head string // lines between the request line and the end
		want       bool
	}{
		{"address", "Host: 127.0.0.1:1717", true},
		{"address_without_port", "Host: 10.1.2.3", true},
		{"ipv6", "Host: [::1]:1717", true},
		{"ipv6_without_port", "Host: [fe80::1]", true},
		{"localhost", "Host: localhost:1717", true},
		{"localhost_without_port", "Host: LocalHost", true},
		{"localhost_with_a_dot", "Host: localhost.:1717", true},
		{"machine", "Host: " + machine + ":1717", true},
		{"configured", "Host: Stats.Example.com:1717", true},
		{"typed_by_a_person", "Host: localhost\r\nSec-Fetch-Site: none", true},
		{"own_page", "Host: localhost:1717\r\nSec-Fetch-Site: same-origin\r\nOrigin: http://localhost:1717", true},
		{"empty_host", "Host: ", true},

		{"rebound_name", "Host: evil.example:1717", false},
		{"rebound_name_without_port", "Host: evil.example", false},
		{"name_like_localhost", "Host: localhost.evil.example", false},
		{"name_in_localhost", "Host: evil.localhost", false},
		{"name_like_an_address", "Host: 127.0.0.1.evil.example", false},
		{"name_like_the_configured", "Host: stats.example.com.evil.example", false},
		{"single_word", "Host: evil", false},
		{"cross_site", "Host: 127.0.0.1:1717\r\nSec-Fetch-Site: cross-site", false},
		{"same_site", "Host: localhost:1717\r\nSec-Fetch-Site: same-site", false},
		{"unknown_site", "Host: localhost:1717\r\nSec-Fetch-Site: x", false},
		{"two_sites", "Host: localhost:1717\r\nSec-Fetch-Site: none\r\nSec-Fetch-Site: cross-site", false},
		{"origin_of_a_page", "Host: 127.0.0.1:1717\r\nOrigin: http://evil.example", false},
		{"origin_of_another_port", "Host: localhost:1717\r\nOrigin: http://localhost:3000", false},
		{"origin_of_a_file", "Host: 127.0.0.1:1717\r\nOrigin: null", false},
		{"rebound_and_own_origin", "Host: evil.example:1717\r\nOrigin: http://evil.example:1717\r\nSec-Fetch-Site: same-origin", false},
	} {
		for way, o := range map[string]Options{"sniffed": {peek: patient}, "stats_http": {HTTP: true}} {
			t.Run(tt.name+"/"+way, func(t *testing.T) {
				o.Hosts = []string{"stats.example.com"}
				got := exchange(t, start(t, "127.0.0.1:0", o), "GET / HTTP/1.1\r\n"+tt.head+"\r\n\r\n")
				if answered := strings.HasPrefix(got, "HTTP/1.1 200 ") && strings.Contains(got, `"workers"`); answered != tt.want {
					t.Errorf("answered: %v\n%.300s", answered, got)
				}
				if !tt.want && (!strings.HasPrefix(got, "HTTP/1.1 403 ") || !strings.Contains(got, "stats-host")) {
					t.Errorf("the refusal does not say why:\n%s", got)
				}
				if strings.Contains(got, "Access-Control-Allow-Origin") {
					t.Error("pages of other sites may read it")
				}
			})
		}
	}
	t.Run("target_with_a_host", func(t *testing.T) {
		got := exchange(t, start(t, "127.0.0.1:0", Options{peek: patient}), "GET http://evil.example/ HTTP/1.1\r\nHost: localhost\r\n\r\n")
		if !strings.HasPrefix(got, "HTTP/1.1 403 ") {
			t.Errorf("got %.100s", got)
		}
	})
	t.Run("any_name_on_a_unix_socket", func(t *testing.T) {
		s := start(t, filepath.Join(t.TempDir(), "s"), Options{peek: patient})
		if got := exchange(t, s, "GET / HTTP/1.1\r\nHost: stats\r\n\r\n"); !strings.HasPrefix(got, "HTTP/1.1 200 ") {
			t.Errorf("got %.100s", got)
		}
	})
}

// Whoever reads slowly, or asks for nothing, keeps nobody waiting.
func TestSlowReaders(t *testing.T) {
	for _, tt := range []struct {
		name, addr, says string
		options          Options
	}{
		{"half_a_request", "127.0.0.1:0", "GET / HT", Options{peek: patient}},
		{"no_request", "127.0.0.1:0", "", Options{HTTP: true}},
		{"silence", "127.0.0.1:0", "", Options{peek: patient}},
		{"unix_socket", "", "GET / HT", Options{peek: patient}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if tt.addr == "" {
				tt.addr = filepath.Join(t.TempDir(), "s")
			}
			s := start(t, tt.addr, tt.options)
			var slow []net.Conn
			for range 200 {
				c, err := net.Dial(s.Addr().Network(), s.Addr().String())
				if err != nil {
					t.Fatal(err)
				}
				defer c.Close()
				_, _ = io.WriteString(c, tt.says) // the oldest are closed by now
				slow = append(slow, c)
			}
			began := time.Now()
			for range 20 {
				if got := exchange(t, s, "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"); !strings.Contains(got, `"workers"`) {
					t.Fatalf("got %.100s", got)
				}
			}
			// 200 readers would be 50 s when sixteen at a time have 4 s each.
			if waited := time.Since(began); waited > 15*time.Second {
				t.Errorf("twenty readers waited for %v", waited)
			}
			s.mu.Lock()
			n := len(s.readers)
			s.mu.Unlock()
			if n > peerConns {
				t.Errorf("%d connections are open", n)
			}
			// The oldest have been closed; those that are left are served or end by themselves.
			if err := slow[0].SetReadDeadline(time.Now().Add(20 * time.Second)); err != nil {
				t.Fatal(err)
			}
			if _, err := io.Copy(io.Discard, slow[0]); err != nil && os.IsTimeout(err) {
				t.Errorf("the oldest is still open: %v", err)
			}
		})
	}
}

func TestRoomForOtherPeers(t *testing.T) {
	s := start(t, "127.0.0.1:0", Options{HTTP: true})
	add := func(peer string) *reader {
		mine, theirs := net.Pipe()
		t.Cleanup(func() { mine.Close(); theirs.Close() })
		r := &reader{Conn: mine, peer: peer}
		if !s.adopt(r) {
			t.Fatal("not taken")
		}
		return r
	}
	holds := func(r *reader) bool {
		s.mu.Lock()
		defer s.mu.Unlock()
		return slices.Contains(s.readers, r)
	}
	quiet := add("quiet")
	first := add("loud")
	for range peerConns - 1 {
		add("loud")
	}
	if !holds(first) || !holds(quiet) {
		t.Error("one was dropped although there is room")
	}
	add("loud")
	if holds(first) || !holds(quiet) {
		t.Error("the loud peer's oldest is not the one that went")
	}
	for range maxConns {
		add("other")
	}
	if !holds(quiet) {
		t.Error("a peer with one connection lost it to those with many")
	}
	if n := len(s.readers); n > maxConns {
		t.Errorf("%d connections", n)
	}
}
