//go:build !linux

package main

// processors returns none: nothing is pinned on this system.
func processors() []int { return nil }

func pinSelf([]int) error { return nil }
