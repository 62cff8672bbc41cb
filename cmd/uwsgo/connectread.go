package main

import (
	"fmt"
	"io"
	"net"
	"time"

	"github.com/uwsgo/uwsgo/engine"
)

// How long connect-and-read waits, and how much it reads: the stats of thousands of threads take
// some MiB.
const (
	readTime = 10 * time.Second
	readMost = 256 << 20
)

// connectAndRead copies what addr sends to out. addr is host:port, a path or @name.
func connectAndRead(out io.Writer, addr string) error {
	network, address, err := engine.ParseAddress(addr)
	if err != nil {
		return fmt.Errorf("connect-and-read: %w", err)
	}
	c, err := net.DialTimeout(network, address, readTime)
	if err != nil {
		return fmt.Errorf("connect-and-read: %w", err)
	}
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(readTime))
	if _, err := io.Copy(out, io.LimitReader(c, readMost)); err != nil {
		return fmt.Errorf("connect-and-read: %w", err)
	}
	return nil
}
