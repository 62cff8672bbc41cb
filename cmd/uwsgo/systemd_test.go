package main

import (
	"context"
	"net"
	"testing"
	"time"

	"github.com/uwsgo/uwsgo/engine"
)

func TestSameAddress(t *testing.T) {
	tcp := func(s string) net.Addr {
		a, err := net.ResolveTCPAddr("tcp", s)
		if err != nil {
			t.Fatal(err)
		}
		return a
	}
	for _, tt := range []struct {
		name, option string
		addr         net.Addr
		want         bool
	}{
		{"every_address", ":8080", tcp("[::]:8080"), true},
		{"every_ipv4", ":8080", tcp("0.0.0.0:8080"), true},
		{"one_address", "127.0.0.1:8080", tcp("127.0.0.1:8080"), true},
		{"ipv6", "[::1]:8080", tcp("[::1]:8080"), true},
		{"another_port", ":8081", tcp("[::]:8080"), false},
		{"another_host", "127.0.0.1:8080", tcp("[::]:8080"), false},
		{"every_address_wanted", ":8080", tcp("127.0.0.1:8080"), false},
		{"path", "/run/app.sock", &net.UnixAddr{Name: "/run/app.sock"}, true},
		{"another_path", "/run/app.sock", &net.UnixAddr{Name: "/run/other.sock"}, false},
		{"abstract", "@app", &net.UnixAddr{Name: "@app"}, true},
		{"path_for_tcp", "/run/app.sock", tcp("[::]:8080"), false},
		{"tcp_for_path", ":8080", &net.UnixAddr{Name: "/run/app.sock"}, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := sameAddress(tt.option, tt.addr); got != tt.want {
				t.Errorf("sameAddress(%q, %v) = %v", tt.option, tt.addr, got)
			}
		})
	}
}

// The watchdog is told nothing while a loop stands still.
func TestWatch(t *testing.T) {
	srv, err := engine.New(engine.Options{Logf: t.Logf, Loops: 2})
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- srv.Serve(engine.HandlerFunc(func(x *engine.Exchange) { x.ReplyText(200, "") })) }()
	alive := make(chan struct{})
	ended, stop := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		watch(srv.Loops(), time.Millisecond, stop, func() { alive <- struct{}{} })
	}()
	<-alive
	<-alive

	stuck, release := make(chan struct{}), make(chan struct{})
	if err := srv.Loops()[1].Post(func() { close(stuck); <-release }); err != nil {
		t.Fatal(err)
	}
	<-stuck
	// One may have been under way when the loop stopped; the next waits for it.
	over := time.After(100 * time.Millisecond)
	for told, waiting := 0, true; waiting; {
		select {
		case <-alive:
			if told++; told > 1 {
				t.Fatal("told that all loops are alive while one stands still")
			}
		case <-over:
			waiting = false
		}
	}
	close(release)
	<-alive
	close(stop)
	for done := false; !done; {
		select {
		case <-alive:
		case <-ended:
			done = true
		}
	}
	if err := srv.Shutdown(context.Background()); err != nil {
		t.Error(err)
	}
	if err := <-served; err != engine.ErrServerClosed {
		t.Error(err)
	}
}
