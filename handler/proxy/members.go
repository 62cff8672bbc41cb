package proxy

import (
	"cmp"
	"context"
	"slices"
	"time"
)

// source is a server of the configuration, with its present members.
type source struct {
	address address
	weight  int
	members []*server
	due     time.Time // when its name is to be looked up again
	failed  bool      // the last look has, and that has been logged
}

// member returns a server at an address, the one that is there already if there is one.
func (h *Handler) member(a address, host []byte, weight int, before []*server) (*server, error) {
	name := a.String()
	if i := slices.IndexFunc(before, func(s *server) bool { return s.name == name && s.weight == weight }); i >= 0 {
		return before[i], nil
	}
	addr, err := a.direct()
	if err != nil {
		return nil, err
	}
	s := &server{address: a, name: name, host: host, weight: weight, addr: addr}
	if a.proto == protoHTTPS || a.proto == protoH2C {
		s.transport = h.carriers.of(s, &h.cfg)
	}
	s.joins.Store(h.started)
	return s, nil
}

// look looks up the name of a source and reports whether its members have changed.
func (h *Handler) look(ctx context.Context, src *source, now time.Time) bool {
	ctx, cancel := context.WithTimeout(ctx, lookUp)
	defer cancel()
	all, ttl, err := h.resolver.lookUp(ctx, src.address)
	if err != nil {
		src.due = now.Add(afterFailed)
		if !src.failed {
			h.cfg.Logf("proxy: upstream %s: cannot look up the name: %v: %d servers stay", src.address, err, len(src.members))
		}
		src.failed = true
		return false
	}
	src.failed, src.due = false, now.Add(ttl)
	var members []*server
	for _, f := range all[:min(len(all), mostMembers)] {
		a := address{proto: src.address.proto, host: f.at.Addr().String(), port: f.at.Port()}
		host := a.authority()
		if !src.address.srv {
			host = src.address.authority()
		}
		s, err := h.member(a, host, cmp.Or(f.weight, 1)*src.weight, src.members)
		if err != nil {
			h.cfg.Logf("proxy: upstream %s: %v", src.address, err)
			continue
		}
		if !slices.Contains(members, s) {
			members = append(members, s)
		}
	}
	slices.SortFunc(members, func(a, b *server) int { return cmp.Compare(a.name, b.name) })
	if slices.Equal(members, src.members) {
		return false
	}
	src.members = members
	return true
}

// gather gives the loops the present members of all sources.
func (h *Handler) gather() {
	var all []*server
	for _, src := range h.sources {
		all = append(all, src.members...)
	}
	h.servers.Store(&all)
}

// follow looks names up again when it is time, until ctx ends.
func (h *Handler) follow(ctx context.Context) {
	for {
		next := time.Now().Add(mostTTL)
		for _, src := range h.sources {
			if src.address.named() && src.due.Before(next) {
				next = src.due
			}
		}
		if !sleep(ctx, time.Until(next)) {
			return
		}
		changed := false
		for _, src := range h.sources {
			if now := time.Now(); src.address.named() && !src.due.After(now) {
				changed = h.look(ctx, src, now) || changed
			}
		}
		if changed && ctx.Err() == nil {
			h.gather()
		}
	}
}

// sleep waits, and reports false when ctx has ended.
func sleep(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-t.C:
		return true
	}
}
