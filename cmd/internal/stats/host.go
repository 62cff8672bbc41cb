package stats

import (
	"net"
	"net/http"
	"net/netip"
	"os"
	"strings"
)

// forbidden is what a refused request gets.
const forbidden = "Forbidden: ask by an address or localhost, not from a page of another site; stats-host = NAME allows a name\n"

// hostNames returns the names by which clients may ask the server on addr.
func hostNames(addr string, more []string) map[string]bool {
	names := map[string]bool{"localhost": true}
	if host, _, err := net.SplitHostPort(addr); err == nil && host != "" {
		more = append(more, host)
	}
	if host, err := os.Hostname(); err == nil {
		more = append(more, host)
	}
	for _, name := range more {
		names[strings.TrimSuffix(strings.ToLower(name), ".")] = true
	}
	return names
}

// mayAsk reports whether a request gets an answer. Any page can lead a browser here: by the
// server's address, when the page may not read the answer, or by a name of its own that leads here
// (DNS rebinding), when it may. So nobody may ask by a name that is not known to be the server's,
// and no page of another site may ask at all. No name leads to a unix socket.
func (s *Server) mayAsk(c net.Conn, request *http.Request) bool {
	switch site := request.Header.Values("Sec-Fetch-Site"); {
	case len(site) == 0:
	case len(site) > 1 || site[0] != "none" && site[0] != "same-origin":
		return false
	}
	for _, origin := range request.Header.Values("Origin") {
		if !strings.EqualFold(origin, "http://"+request.Host) {
			return false
		}
	}
	return c.LocalAddr().Network() == "unix" || request.Host == "" || s.knows(request.Host)
}

// knows reports whether the host of a request is an address, or a name of the server's.
func (s *Server) knows(host string) bool {
	name := host
	if h, _, err := net.SplitHostPort(host); err == nil {
		name = h
	}
	name = strings.TrimSuffix(strings.ToLower(name), ".")
	_, err := netip.ParseAddr(strings.TrimSuffix(strings.TrimPrefix(name, "["), "]"))
	return err == nil || s.hosts[name]
}
