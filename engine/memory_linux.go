package engine

import (
	"os"
	"path"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// memoryFile makes a file in memory.
func memoryFile() (*os.File, error) {
	fd, err := unix.MemfdCreate("uwsgo-body", unix.MFD_CLOEXEC)
	if err != nil {
		return nil, os.NewSyscallError("memfd_create", err)
	}
	return os.NewFile(uintptr(fd), "memory"), nil
}

// machineMemory returns how many bytes of memory the process may use: the machine's, or the
// limit of its control group.
func machineMemory() int64 {
	least := int64(1 << 30)
	var info unix.Sysinfo_t
	if unix.Sysinfo(&info) == nil {
		least = int64(uint64(info.Totalram) * uint64(info.Unit)) //nolint:unconvert // 32 bits on some machines
	}
	groups, _ := os.ReadFile("/proc/self/cgroup")
	for line := range strings.Lines(string(groups)) {
		parts := strings.SplitN(strings.TrimSpace(line), ":", 3)
		if len(parts) != 3 {
			continue
		}
		dir, file := "/sys/fs/cgroup", "memory.max"
		if parts[1] != "" {
			if parts[1] != "memory" {
				continue
			}
			dir, file = "/sys/fs/cgroup/memory", "memory.limit_in_bytes"
		}
		// A parent group may have the limit.
		for at := path.Join("/", parts[2]); ; at = path.Dir(at) {
			b, _ := os.ReadFile(path.Join(dir, at, file))
			if n, err := strconv.ParseInt(strings.TrimSpace(string(b)), 10, 64); err == nil && n > 0 {
				least = min(least, n)
			}
			if at == "/" {
				break
			}
		}
	}
	return least
}
