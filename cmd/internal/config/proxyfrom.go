package config

import (
	"fmt"
	"net/netip"
	"strings"

	"github.com/uwsgo/uwsgo/engine"
)

// settleProxy finds who may say whose connections are.
func (r *resolver) settleProxy() error {
	if !r.ProxyProtocol {
		if len(r.ProxyFrom) > 0 {
			r.list.Warnf("proxy-protocol-from: it does nothing without enable-proxy-protocol")
		}
		return nil
	}
	given := r.ProxyFrom
	p := &engine.ProxyProtocol{Must: len(given) > 0}
	if len(given) == 0 {
		given = []string{"127.0.0.0/8,::1,unix"}
	}
	for _, value := range given {
		for _, word := range words(value) {
			if word == "unix" {
				p.Unix = true
				continue
			}
			network, err := parseNetwork(word)
			if err != nil {
				return fmt.Errorf("proxy-protocol-from: %q is no address, no network such as 10.0.0.0/8, and not the word unix", word)
			}
			p.From = append(p.From, network)
		}
	}
	r.Proxy = p
	return nil
}

// parseNetwork reads an address or a network.
func parseNetwork(word string) (netip.Prefix, error) {
	if !strings.Contains(word, "/") {
		ip, err := netip.ParseAddr(word)
		if err != nil {
			return netip.Prefix{}, err
		}
		ip = ip.Unmap()
		return netip.PrefixFrom(ip, ip.BitLen()), nil
	}
	return netip.ParsePrefix(word)
}
