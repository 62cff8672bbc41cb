package cache

import (
	"bytes"
	"fmt"
	"net/netip"
	"strings"

	"github.com/uwsgo/uwsgo/codec"
	"github.com/uwsgo/uwsgo/engine"
)

// PurgeTag removes all resources with an answer that has the tag, and returns their number.
func (c *Handler) PurgeTag(tag string) int {
	n := c.store.purgeTag(tag)
	c.count.purged.Add(int64(n))
	return n
}

// PurgeAll removes all answers.
func (c *Handler) PurgeAll() { c.store.InvalidateAll() }

// purge handles the method PURGE. It removes the target's answers, or those with the tags in
// Cache-Tag or Surrogate-Key.
func (c *Handler) purge(x *engine.Exchange) {
	if len(c.opt.PurgeFrom) == 0 {
		c.next.Serve(x) // apps may have a meaning for it
		return
	}
	addr, err := netip.ParseAddr(string(client(x)))
	if err != nil || !c.mayPurge(addr.Unmap()) {
		x.ReplyText(403, "Forbidden: PURGE is not allowed from this address\n")
		return
	}
	tags := tagsAsked(x.Request())
	targets := purgeKeys(x)
	n := 0
	err = x.Offload(func() { // it looks at every resource
		for _, tag := range tags {
			n += c.PurgeTag(tag)
		}
		if len(tags) == 0 {
			n = c.store.purgePrefix(targets)
			c.count.purged.Add(int64(n))
		}
	}, func(x *engine.Exchange) { x.ReplyText(200, fmt.Sprintf("purged %d\n", n)) }, func() {})
	if err != nil {
		x.ReplyText(503, "Service Unavailable: too much to do, ask again\n")
	}
}

// client returns the address of the client. Over uwsgi the front server says it: the connection is its
// own, and often comes from this machine.
func client(x *engine.Exchange) []byte {
	if r := x.Request(); r.Proto == codec.UWSGI {
		return r.Var("REMOTE_ADDR")
	}
	return x.AppendRemoteAddr(nil)
}

// tagsAsked reads the tags that a PURGE names.
func tagsAsked(r *codec.Request) (tags []string) {
	for tag := range bytes.SplitSeq(r.Get("Cache-Tag"), comma) {
		if tag = bytes.TrimSpace(tag); len(tag) > 0 {
			tags = append(tags, string(tag))
		}
	}
	return append(tags, strings.Fields(string(r.Get("Surrogate-Key")))...)
}

func (c *Handler) mayPurge(addr netip.Addr) bool {
	for _, p := range c.opt.PurgeFrom {
		if p.Contains(addr) {
			return true
		}
	}
	return false
}
