//go:build unix

package ini

import (
	"io/fs"
	"strconv"
	"syscall"
)

// inode is the file's inode number, for the magic variable %i.
func inode(info fs.FileInfo) string {
	if st, ok := info.Sys().(*syscall.Stat_t); ok {
		return strconv.FormatUint(st.Ino, 10)
	}
	return ""
}
