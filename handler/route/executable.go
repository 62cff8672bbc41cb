package route

import "golang.org/x/sys/unix"

// executable reports whether the server may run a file, or look into a folder.
func executable(name string) bool { return unix.Access(name, unix.X_OK) == nil }
