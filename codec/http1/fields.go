package http1

// fieldID tells apart the fields that mean something to the decoder itself.
type fieldID uint8

const (
	fieldOther fieldID = iota
	fieldHost
	fieldExpect
	fieldConnection
	fieldContentType
	fieldContentLength
	fieldTransferEncoding
)

// which goes by length first: most names are settled by that alone. A name with
// "_" is never one of these; [codec.Policy] decides about it.
func which(name []byte) fieldID {
	switch len(name) {
	case 4:
		if equalFold(name, "host") {
			return fieldHost
		}
	case 6:
		if equalFold(name, "expect") {
			return fieldExpect
		}
	case 10:
		if equalFold(name, "connection") {
			return fieldConnection
		}
	case 12:
		if equalFold(name, "content-type") {
			return fieldContentType
		}
	case 14:
		if equalFold(name, "content-length") {
			return fieldContentLength
		}
	case 17:
		if equalFold(name, "transfer-encoding") {
			return fieldTransferEncoding
		}
	}
	return fieldOther
}

// equalFold reports whether b equals lower, a lower-case text, without regard to the case of
// ASCII letters. Unlike bytes.EqualFold it knows nothing of Unicode, where "K" may also be a
// Kelvin sign.
func equalFold(b []byte, lower string) bool {
	if len(b) != len(lower) {
		return false
	}
	for i, c := range b {
		if 'A' <= c && c <= 'Z' {
			c += 'a' - 'A'
		}
		if c != lower[i] {
			return false
		}
	}
	return true
}
