package engine_test

import (
	"bytes"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/uwsgo/uwsgo/engine"
)

func TestParseAddress(t *testing.T) {
	for _, tt := range []struct{ give, network, address, err string }{
		{":8080", "tcp", ":8080", ""},
		{"localhost:80", "tcp", "localhost:80", ""},
		{"[::1]:80", "tcp", "[::1]:80", ""},
		{"/run/a:1", "unix", "/run/a:1", ""},
		{"./a:1", "unix", "./a:1", ""},
		{"app.sock", "unix", "app.sock", ""},
		{"8080", "", "", "write \":8080\""},
		{"", "", "", "empty address"},
		{"::1:80", "", "", "in brackets"},
	} {
		t.Run(tt.give, func(t *testing.T) {
			network, address, err := engine.ParseAddress(tt.give)
			if network != tt.network || address != tt.address || (err == nil) != (tt.err == "") || err != nil && !strings.Contains(err.Error(), tt.err) {
				t.Errorf("%q %q, %v", network, address, err)
			}
		})
	}
}

// A socket serves with package net, goes on in another's hands, and has its mode from the
// moment on that its path can be seen.
func TestSocket(t *testing.T) {
	dir, err := os.MkdirTemp("", "u")
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(dir)
	for _, addr := range []string{"127.0.0.1:0", filepath.Join(dir, "s")} {
		s, err := engine.OpenSocket(addr, engine.ListenOptions{Mode: 0o600})
		if err != nil {
			t.Fatal(err)
		}
		serves := func(s *engine.Socket) {
			t.Helper()
			ln, err := s.Listener()
			if err != nil {
				t.Fatal(err)
			}
			defer ln.Close()
			network, address, err := engine.ParseAddress(s.String())
			if err != nil {
				t.Fatal(err)
			}
			c, err := net.Dial(network, address)
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			in, err := ln.Accept()
			if err != nil {
				t.Fatal(err)
			}
			_, _ = in.Write([]byte("hello"))
			_ = in.Close()
			if text, err := io.ReadAll(c); err != nil || !bytes.Equal(text, []byte("hello")) {
				t.Errorf("%s: %q, %v", s, text, err)
			}
		}
		serves(s)
		f, err := s.File()
		if err != nil {
			t.Fatal(err)
		}
		next, err := engine.AdoptSocket(f, s.String())
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
		serves(next)
		unix := strings.HasPrefix(addr, "/")
		if unix {
			if info, err := os.Stat(addr); err != nil || info.Mode().Perm() != 0o600 {
				t.Errorf("%v, %v", info, err)
			}
		}
		if removed, err := next.Unlink(); removed != unix || err != nil {
			t.Errorf("%s: removed %v, %v", addr, removed, err)
		}
		if err := next.Close(); err != nil {
			t.Error(err)
		}
	}
}

func TestAdoptSocketRefuses(t *testing.T) {
	f, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	if s, err := engine.AdoptSocket(f, "/run/s"); err == nil {
		_ = s.Close()
		t.Error("what is no socket was adopted")
	}
}
