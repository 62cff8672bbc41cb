package certificate

import (
	"os"
	"syscall"
)

// inode tells a file that has taken another's place, with the same size and at the same time.
func inode(info os.FileInfo) any {
	if st, ok := info.Sys().(*syscall.Stat_t); ok {
		return st.Ino
	}
	return nil
}
