package main

import "golang.org/x/sys/unix"

// replace makes descriptor to the same as from. Not every Linux has dup2.
func replace(from, to int) error { return unix.Dup3(from, to, 0) }
