package certificate

import (
	"crypto/tls"
	"fmt"
	"strings"
)

// ciphers reads OpenSSL's list of ciphers. It returns the named ciphers that are strong enough
// to be offered. Words for groups, exclusions and ciphers of TLS 1.3 change nothing. nil means
// the default ones.
func ciphers(list string) (ids []uint16, err error) {
	named := 0
	for _, word := range strings.FieldsFunc(list, func(r rune) bool { return strings.ContainsRune(": ,+", r) }) {
		if strings.HasPrefix(word, "!") || strings.HasPrefix(word, "-") || strings.HasPrefix(word, "@") || strings.HasPrefix(word, "TLS_") || !strings.Contains(word, "-") {
			continue
		}
		named++
		if id, ok := openSSL[word]; ok {
			ids = append(ids, id)
		}
	}
	if named > 0 && len(ids) == 0 {
		return nil, fmt.Errorf("none of the ciphers %q is offered: leave them out, or name some of ECDHE-…-GCM-… and ECDHE-…-CHACHA20-POLY1305", list)
	}
	return ids, nil
}

var openSSL = map[string]uint16{
	"ECDHE-ECDSA-AES128-GCM-SHA256": tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
	"ECDHE-RSA-AES128-GCM-SHA256":   tls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
	"ECDHE-ECDSA-AES256-GCM-SHA384": tls.TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,
	"ECDHE-RSA-AES256-GCM-SHA384":   tls.TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
	"ECDHE-ECDSA-CHACHA20-POLY1305": tls.TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256,
	"ECDHE-RSA-CHACHA20-POLY1305":   tls.TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256,
	"ECDHE-ECDSA-AES128-SHA":        tls.TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA,
	"ECDHE-RSA-AES128-SHA":          tls.TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA,
	"ECDHE-ECDSA-AES256-SHA":        tls.TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA,
	"ECDHE-RSA-AES256-SHA":          tls.TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA,
}
