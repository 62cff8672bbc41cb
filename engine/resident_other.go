//go:build !linux

package engine

import "os"

// resident reports whether n bytes of f from off are in memory. Only Linux tells.
func resident(*os.File, int64, int64) bool { return true }

// readResident reads p from the page cache.
func readResident(f *os.File, p []byte, off int64) bool {
	n, _ := f.ReadAt(p, off)
	return n == len(p)
}
