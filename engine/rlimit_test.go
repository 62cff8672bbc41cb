package engine

// setTo sets a field of a limit of the system, which is signed on FreeBSD and unsigned elsewhere.
func setTo[N int64 | uint64](field *N, n int) { *field = N(n) }
