//go:build !linux

package main

import "errors"

func setHostname(string) error { return errors.New("hostname: it cannot be set on this system") }
