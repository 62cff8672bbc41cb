package uwsgi

// Kind is what the first bytes on a uwsgi socket look like.
type Kind uint8

// What [Sniff] returns.
const (
	KindUnknown Kind = iota // fewer than four bytes, or nothing that is recognised: a uwsgi packet, if anything
	KindHTTP                // a request line, or the preface of HTTP/2
	KindTLS                 // the record of a TLS handshake
)

// Sniff recognises clients that speak HTTP or TLS to a uwsgi socket, so that they get an error
// at once. Read as a packet, "GET " announces 21573 bytes and a TLS handshake a few hundred,
// and the client would wait. No packet is taken for either, since the modifiers 22 and 65 to 90
// are not served.
func Sniff(buf []byte) Kind {
	if len(buf) < headerSize {
		return KindUnknown
	}
	if buf[0] == 0x16 && buf[1] == 3 && buf[2] <= 4 { // RFC 8446 5.1
		return KindTLS
	}
	// Methods are three capital letters, then more of them or a space.
	if upper(buf[0]) && upper(buf[1]) && upper(buf[2]) && (upper(buf[3]) || buf[3] == ' ') {
		return KindHTTP
	}
	return KindUnknown
}

func upper(c byte) bool { return 'A' <= c && c <= 'Z' }
