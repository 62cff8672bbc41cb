package load

import (
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// spareDescriptors are left for what opens meanwhile, such as /proc.
const spareDescriptors = 32

// enoughDescriptors reports whether that many more connections can be open at once.
func enoughDescriptors(connections int) error {
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		return fmt.Errorf("load: reading the limit of descriptors: %w", err)
	}
	open, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		return fmt.Errorf("load: counting open descriptors: %w", err)
	}
	if need := uint64(connections + len(open) + spareDescriptors); need > limit.Cur {
		return fmt.Errorf("load: %d connections need %d descriptors, and %d are allowed: raise that with `ulimit -n %d`",
			connections, need, limit.Cur, need)
	}
	return nil
}
