//go:build !linux

package engine

import (
	"errors"
	"os"
)

// memoryFile is for Linux.
func memoryFile() (*os.File, error) { return nil, errors.New("this system has no files in memory") }

// machineMemory is not asked of other systems.
func machineMemory() int64 { return 2 << 30 }
