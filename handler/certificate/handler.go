package certificate

import (
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/pem"
	"fmt"
	"net"
	"strconv"
	"strings"
	"time"

	"github.com/uwsgo/uwsgo/codec"
	"github.com/uwsgo/uwsgo/engine"
	"github.com/uwsgo/uwsgo/handler/header"
)

// HandlerOptions configures a [Handler].
type HandlerOptions struct {
	// Stores maps TLS listeners to their certificates.
	Stores map[*engine.Listener]*Store
	// Redirects maps listeners that redirect every request to https to the port in the address;
	// 0 for none.
	Redirects map[*engine.Listener]uint16
	// ExportCert gives the app the client's certificate in PEM, as HTTPS_CC.
	ExportCert bool
	// StrictTransport, if not 0, is how long browsers must use https only (RFC 6797). It
	// applies to the whole host: browsers no longer reach a plain site of that name.
	StrictTransport time.Duration
}

// Handler handles the TLS side of requests. It tells the app who the client is, as uWSGI does.
// It redirects plain requests to https. It refuses requests for a site other than the one that
// checked the client's certificate.
//
// The app gets HTTPS_DN, the client's name as OpenSSL writes it in one line, and
// HTTPS_CLIENT_CERTIFICATE, its certificate in DER. Both exist only for clients with a
// certificate from one of the site's authorities.
type Handler struct {
	next   engine.Handler
	opt    HandlerOptions
	strict []codec.Header
}

// NewHandler returns a Handler before next.
func NewHandler(next engine.Handler, o HandlerOptions) *Handler {
	h := &Handler{next: next, opt: o}
	if o.StrictTransport > 0 {
		h.strict = []codec.Header{{Name: []byte("Strict-Transport-Security"), Value: fmt.Appendf(nil, "max-age=%d", int64(o.StrictTransport/time.Second))}}
	}
	return h
}

// Serve implements [engine.Handler].
func (h *Handler) Serve(x *engine.Exchange) {
	ln := x.Listener()
	if port, found := h.opt.Redirects[ln]; found && !x.HTTPS() {
		redirect(x, port)
		return
	}
	if store := h.opt.Stores[ln]; store != nil && store.asks() && !h.identify(x, store) {
		return
	}
	if h.strict != nil && x.HTTPS() {
		header.Change(x, h.strict, nil)
	}
	h.next.Serve(x)
}

// asks reports whether a store asks clients for certificates.
func (s *Store) asks() bool {
	if s.opt.Dir != "" || s.first.pair.ClientCA != "" {
		return true
	}
	for _, site := range s.sites {
		if site.pair.ClientCA != "" {
			return true
		}
	}
	return false
}

// identify tells the app who the client is. It reports false when it has refused the request.
func (h *Handler) identify(x *engine.Exchange, store *Store) bool {
	state := x.TLS()
	if state == nil {
		return true
	}
	r := x.Request()
	// The certificate was checked for the name of the handshake. A request for another site on
	// the same connection must not bypass that site's authorities (RFC 9110 15.5.20).
	host := hostName(string(r.Bytes(r.Authority)))
	if asked, judged := store.find(host), store.find(strings.ToLower(state.ServerName)); asked != judged && asked.pair.ClientCA != "" {
		x.ReplyText(421, "Misdirected Request: this connection is for another host\n")
		return false
	}
	for _, name := range []string{"HTTPS_DN", "HTTPS_CLIENT_CERTIFICATE", "HTTPS_CC"} {
		r.DelVar(name)
	}
	if len(state.PeerCertificates) == 0 || len(state.VerifiedChains) == 0 {
		return true
	}
	cert := state.PeerCertificates[0]
	vars := map[string]string{"HTTPS_DN": oneLine(cert), "HTTPS_CLIENT_CERTIFICATE": string(cert.Raw)}
	if h.opt.ExportCert {
		vars["HTTPS_CC"] = string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert.Raw}))
	}
	for name, value := range vars {
		if err := r.SetVar(name, value); err != nil {
			// An app must not take a missing value for a client's identity.
			x.ReplyText(431, "The client's certificate is too large\n")
			return false
		}
	}
	return true
}

// redirect sends the client to the same place on https. GET and HEAD get 301, as in uWSGI.
// Other methods get 308, so that the method stays.
func redirect(x *engine.Exchange, port uint16) {
	r := x.Request()
	host := hostName(string(r.Bytes(r.Authority)))
	if host == "" {
		x.ReplyText(400, "This host is served by https, and the request does not name it\n")
		return
	}
	if strings.Contains(host, ":") {
		host = "[" + host + "]"
	}
	if port != 0 && port != 443 {
		host = net.JoinHostPort(strings.Trim(host, "[]"), strconv.Itoa(int(port)))
	}
	target := string(r.Bytes(r.RawPath))
	if !strings.HasPrefix(target, "/") {
		target = "/"
	}
	if query := r.Bytes(r.Query); len(query) > 0 {
		target += "?" + string(query)
	}
	status := 301
	if m := string(r.Bytes(r.Method)); m != "GET" && m != "HEAD" {
		status = 308
	}
	x.ReplyWith(status, nil, "Location", "https://"+host+target)
}

// hostName returns the host of an authority, in lower case, without brackets and port.
func hostName(authority string) string {
	host := authority
	if h, _, err := net.SplitHostPort(authority); err == nil {
		host = h
	}
	return strings.ToLower(strings.TrimSuffix(strings.Trim(host, "[]"), "."))
}

// oneLine writes a subject as OpenSSL's X509_NAME_oneline does: /C=DE/O=Example/CN=me, in the
// order of the certificate.
func oneLine(cert *x509.Certificate) string {
	var rdns pkix.RDNSequence
	if _, err := asn1.Unmarshal(cert.RawSubject, &rdns); err != nil {
		return ""
	}
	var b strings.Builder
	for _, rdn := range rdns {
		for _, a := range rdn {
			name := shortNames[a.Type.String()]
			if name == "" {
				name = a.Type.String()
			}
			b.WriteString("/" + name + "=")
			for _, c := range []byte(fmt.Sprint(a.Value)) {
				if c < ' ' || c > '~' {
					fmt.Fprintf(&b, `\x%02X`, c)
				} else {
					b.WriteByte(c)
				}
			}
		}
	}
	return b.String()
}

// shortNames are OpenSSL's names for the parts of subjects.
var shortNames = map[string]string{
	"2.5.4.3": "CN", "2.5.4.4": "SN", "2.5.4.5": "serialNumber", "2.5.4.6": "C", "2.5.4.7": "L", "2.5.4.8": "ST",
	"2.5.4.9": "street", "2.5.4.10": "O", "2.5.4.11": "OU", "2.5.4.12": "title", "2.5.4.42": "GN", "2.5.4.43": "initials",
	"1.2.840.113549.1.9.1": "emailAddress", "0.9.2342.19200300.100.1.25": "DC", "0.9.2342.19200300.100.1.1": "UID",
}
