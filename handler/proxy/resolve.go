package proxy

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/miekg/dns"

	"github.com/uwsgo/uwsgo/engine/outbound"
)

// How often names are looked up again.
const (
	lookUp      = 10 * time.Second // bounds one look
	leastTTL    = time.Second
	mostTTL     = 5 * time.Minute
	usualTTL    = 30 * time.Second // of what comes without one: the file hosts
	afterFailed = 5 * time.Second
	mostMembers = 1024 // of one name
)

// found is a server that a name stands for.
type found struct {
	at     netip.AddrPort
	weight int // by SRV; 0 for none of its own
}

// resolver looks names up. Go's own does not return the TTL of an answer.
type resolver struct {
	servers []string // host:port of name servers; nil for those of the system
	config  *dns.ClientConfig
}

func newResolver(servers []string) *resolver {
	r := &resolver{servers: servers}
	config, err := dns.ClientConfigFromFile("/etc/resolv.conf")
	if err != nil {
		config = &dns.ClientConfig{Ndots: 1}
	}
	r.config = config
	if r.servers == nil {
		for _, s := range config.Servers {
			r.servers = append(r.servers, net.JoinHostPort(s, config.Port))
		}
	}
	return r
}

// lookUp returns the servers of a name, and for how long the answer is valid.
func (r *resolver) lookUp(ctx context.Context, a address) ([]found, time.Duration, error) {
	if a.srv {
		return r.services(ctx, a.host)
	}
	ips, ttl, err := r.hosts(ctx, a.host)
	var all []found
	for _, ip := range ips {
		all = append(all, found{at: netip.AddrPortFrom(ip, a.port)})
	}
	return all, ttl, err
}

// fromFile asks the file hosts alone.
var fromFile = &net.Resolver{PreferGo: true, Dial: func(context.Context, string, string) (net.Conn, error) {
	return nil, errors.New("only files are asked")
}}

// hosts returns the IPv4 addresses of a name, or the IPv6 ones of one that has no other.
func (r *resolver) hosts(ctx context.Context, name string) ([]netip.Addr, time.Duration, error) {
	if ips, err := fromFile.LookupNetIP(ctx, "ip", name); err == nil && len(ips) > 0 {
		return oneFamily(ips), usualTTL, nil
	}
	var failed error
	for _, kind := range []uint16{dns.TypeA, dns.TypeAAAA} {
		records, err := r.ask(ctx, name, kind)
		if err != nil {
			failed = err
			continue
		}
		var ips []netip.Addr
		ttl := mostTTL
		for _, rr := range records {
			var ip net.IP
			switch rr := rr.(type) {
			case *dns.A:
				ip = rr.A
			case *dns.AAAA:
				ip = rr.AAAA
			}
			if addr, ok := netip.AddrFromSlice(ip); ok {
				ips = append(ips, addr.Unmap())
			}
			ttl = min(ttl, time.Duration(rr.Header().Ttl)*time.Second)
		}
		if len(ips) > 0 {
			return ips, max(ttl, leastTTL), nil
		}
	}
	return nil, 0, cmp.Or(failed, fmt.Errorf("%s has no address", name))
}

func oneFamily(ips []netip.Addr) []netip.Addr {
	four := slices.DeleteFunc(slices.Clone(ips), func(ip netip.Addr) bool { return !ip.Unmap().Is4() })
	if len(four) > 0 {
		return four
	}
	return ips
}

// services returns the servers of an SRV name, those of the best priority.
func (r *resolver) services(ctx context.Context, name string) ([]found, time.Duration, error) {
	records, err := r.ask(ctx, name, dns.TypeSRV)
	if err != nil {
		return nil, 0, err
	}
	ttl, best := mostTTL, -1
	for _, rr := range records {
		if s, ok := rr.(*dns.SRV); ok && (best < 0 || int(s.Priority) < best) {
			best = int(s.Priority)
		}
	}
	var all []found
	for _, rr := range records {
		ttl = min(ttl, time.Duration(rr.Header().Ttl)*time.Second)
		s, ok := rr.(*dns.SRV)
		if !ok || int(s.Priority) != best {
			continue
		}
		ips, own, err := r.hosts(ctx, strings.TrimSuffix(s.Target, ".")+".")
		if err != nil {
			return nil, 0, err
		}
		ttl = min(ttl, own)
		for _, ip := range ips {
			all = append(all, found{netip.AddrPortFrom(ip, s.Port), int(s.Weight)})
		}
	}
	if len(all) == 0 {
		return nil, 0, fmt.Errorf("%s has no servers", name)
	}
	return all, max(ttl, leastTTL), nil
}

// ask asks the name servers one after the other, for the name and with the search list.
func (r *resolver) ask(ctx context.Context, name string, kind uint16) ([]dns.RR, error) {
	var failed error
	for _, full := range r.config.NameList(name) {
		for _, server := range r.servers {
			m := new(dns.Msg).SetQuestion(full, kind)
			m.SetEdns0(1232, false)
			client := dns.Client{Timeout: 2 * time.Second}
			answer, _, err := client.ExchangeContext(ctx, m, server)
			if err == nil && answer.Truncated {
				client.Net = "tcp"
				answer, _, err = client.ExchangeContext(ctx, m, server)
			}
			switch {
			case err != nil:
				failed = fmt.Errorf("name server %s: %w", server, err)
				continue
			case answer.Rcode == dns.RcodeSuccess && len(answer.Answer) > 0:
				return answer.Answer, nil
			case answer.Rcode != dns.RcodeSuccess && answer.Rcode != dns.RcodeNameError:
				failed = fmt.Errorf("name server %s answers for %s: %s", server, full, dns.RcodeToString[answer.Rcode])
				continue
			}
			failed = cmp.Or(failed, fmt.Errorf("there is no %s for %s", dns.TypeToString[kind], full))
			break
		}
	}
	return nil, cmp.Or(failed, errors.New("there is no name server"))
}

// named reports whether the address must be looked up.
func (a address) named() bool {
	if a.path != "" {
		return false
	}
	_, err := netip.ParseAddr(a.host)
	return err != nil
}

// direct returns where to connect for an address that needs no look-up.
func (a address) direct() (outbound.Addr, error) {
	if a.path != "" {
		return outbound.Unix(a.path)
	}
	ip, err := netip.ParseAddr(a.host)
	if err != nil {
		return outbound.Addr{}, err
	}
	return outbound.TCP(netip.AddrPortFrom(ip, a.port))
}
