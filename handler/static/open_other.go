//go:build !linux

package static

import "os"

// Only Linux answers from its caches alone. Goroutines do all the work on other systems.

func openHot(*folder, string, bool) (*os.File, error) { return nil, errCold }

// Cached reports whether the kernel knows that name without a look at the disk: never here.
func Cached(string) bool { return false }

func missing(string) error { return errCold }

func openLocal(*os.Root) *os.File { return nil }

func isLocal(int) bool { return false }

func realName(*os.File) (string, bool) { return "", false }

func identify(os.FileInfo) identity { return identity{} }

func identityAt(string) (identity, bool) { return identity{}, false }

func reopen(string) (*os.File, identity) { return nil, identity{} }

func readHot(*os.File, []byte) bool { return false }
