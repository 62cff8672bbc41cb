package load

import "bytes"

// The pieces of RFC 9112 and RFC 9110 that requests and answers are made of.

// isToken tells whether s is a token, RFC 9110 5.6.2.
func isToken(s string) bool {
	if s == "" {
		return false
	}
	for i := range len(s) {
		if !tokenByte[s[i]] {
			return false
		}
	}
	return true
}

// splitField gives the name of a field and its value without space around it.
func splitField(line []byte) (name, value []byte, ok bool) {
	colon := bytes.IndexByte(line, ':')
	if colon <= 0 {
		return nil, nil, false
	}
	name, value = line[:colon], line[colon+1:]
	for _, c := range name {
		if !tokenByte[c] {
			return nil, nil, false
		}
	}
	for len(value) > 0 && (value[0] == ' ' || value[0] == '\t') {
		value = value[1:]
	}
	for len(value) > 0 && (value[len(value)-1] == ' ' || value[len(value)-1] == '\t') {
		value = value[:len(value)-1]
	}
	return name, value, cleanValue(value)
}

// cleanValue tells whether p has no control character but tabs.
func cleanValue(p []byte) bool {
	for _, c := range p {
		if c < ' ' && c != '\t' || c == 0x7f {
			return false
		}
	}
	return true
}

// isName tells whether p is name, which is in lower case, in any case.
func isName(p []byte, name string) bool {
	if len(p) != len(name) {
		return false
	}
	for i, c := range p {
		if 'A' <= c && c <= 'Z' {
			c += 'a' - 'A'
		}
		if c != name[i] {
			return false
		}
	}
	return true
}

// number reads digits of a base, 10 or 16, and nothing else.
func number(p []byte, base int64) (n int64, ok bool) {
	const most = 1 << 48 // beyond any body, and far from overflow
	if len(p) == 0 {
		return 0, false
	}
	for _, c := range p {
		digit := int64(99)
		switch {
		case '0' <= c && c <= '9':
			digit = int64(c - '0')
		case 'a' <= c && c <= 'f':
			digit = int64(c-'a') + 10
		case 'A' <= c && c <= 'F':
			digit = int64(c-'A') + 10
		}
		if digit >= base {
			return 0, false
		}
		if n = n*base + digit; n > most {
			return 0, false
		}
	}
	return n, true
}

// tokenByte marks the bytes of a token, RFC 9110 5.6.2.
var tokenByte = func() (table [256]bool) {
	for c := range byte(0x7f) {
		table[c] = c > ' ' && !bytes.Contains([]byte(`"(),/:;<=>?@[\]{}`), []byte{c})
	}
	return table
}()
