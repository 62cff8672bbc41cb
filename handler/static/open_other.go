//go:build !linux

package static

import "os"

// Only Linux tells what it knows without a look at the disk: elsewhere goroutines do all of it.

func openHot(*folder, string, bool) (*os.File, error) { return nil, errCold }

// Cached reports whether it is known without a look at the disk what has that name: never here.
func Cached(string) bool { return false }

func missing(string) error { return errCold }

func openLocal(*os.Root) *os.File { return nil }

func isLocal(int) bool { return false }

func realName(*os.File) (string, bool) { return "", false }

func identify(os.FileInfo) identity { return identity{} }

func identityAt(string) (identity, bool) { return identity{}, false }

func reopen(string) (*os.File, identity) { return nil, identity{} }

func readHot(*os.File, []byte) bool { return false }
