//go:build !linux

package stores

import "os"

func anonymous() (*os.File, error) {
	f, err := os.CreateTemp("", "uwsgo-store-")
	if err != nil {
		return nil, err
	}
	return f, os.Remove(f.Name())
}
