//go:build !linux

package main

// processors lists none: nobody is pinned here.
func processors() []int { return nil }

func pinSelf([]int) error { return nil }
