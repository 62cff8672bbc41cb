package config

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/uwsgo/uwsgo/cmd/internal/ini"
	"github.com/uwsgo/uwsgo/cmd/internal/option"
	"github.com/uwsgo/uwsgo/handler/cache"
)

// CacheConfig says which answers are kept for later clients. A size of 0 keeps none.
type CacheConfig struct{ HTTPCache cache.Options }

var cacheRows = []row{
	{
		Option: option.Option{
			Name: "http-cache", Kind: option.Size, Arg: "BYTES", Status: option.Own,
			Help: "cache answers of apps in N bytes of memory, such as 64m, and serve later clients from there while they are fresh",
			Note: "An answer is stored if Cache-Control or Expires says how long it is fresh: see [caching](caching.md). One cache serves all workers.",
		},
		set: func(r *resolver, e ini.Entry) error { return setSize(&r.HTTPCache.Size, e) },
	},
	{
		Option: option.Option{
			Name: "http-cache-valid", Kind: option.List, Arg: "[STATUS,...:]SECONDS", Status: option.Own,
			Help: "how long an answer is fresh that does not say so itself: 60, or 200,404:60; without a status it is for 200, 301 and 308",
			Note: "It does not hold for requests with cookies or credentials, whose answers may belong to one client.",
		},
		set: (*resolver).cacheValid,
	},
	{
		Option: option.Option{
			Name: "http-cache-max-object", Kind: option.Size, Arg: "BYTES", Default: "1048576", Status: option.Own,
			Help: "the largest answer that http-cache stores",
			Note: "The app makes larger ones for each client.",
		},
		set: func(r *resolver, e ini.Entry) error { return setSize(&r.HTTPCache.MaxObject, e) },
	},
	{
		Option: option.Option{
			Name: "http-cache-stale-while-revalidate", Kind: option.Seconds, Arg: "SECONDS", Status: option.Own,
			Help: "how long a stale answer is served while a new one is fetched, unless the answer says so itself",
			Note: "`stale-while-revalidate` of RFC 5861. An answer with `must-revalidate` is never served stale.",
		},
		set: func(r *resolver, e ini.Entry) error { return setSeconds(&r.HTTPCache.WhileRevalidate, e) },
	},
	{
		Option: option.Option{
			Name: "http-cache-stale-if-error", Kind: option.Seconds, Arg: "SECONDS", Status: option.Own,
			Help: "how long a stale answer is served when the app fails, unless the answer says so itself",
			Note: "`stale-if-error` of RFC 5861: a status from 500 on, or an answer that breaks off before its head.",
		},
		set: func(r *resolver, e ini.Entry) error { return setSeconds(&r.HTTPCache.IfError, e) },
	},
	{
		Option: option.Option{
			Name: "http-cache-cookies", Kind: option.Flag, Status: option.Own,
			Help: "store answers with Set-Cookie too, the cookie included",
			Note: "Then every client gets that cookie. Without this option such answers are not stored.",
		},
		set: func(r *resolver, e ini.Entry) error { return r.flag(&r.HTTPCache.StoreCookies, e) },
	},
	{
		Option: option.Option{
			Name: "http-cache-except", Kind: option.Text, Arg: "REGEXP", Status: option.Own,
			Help: "store no answers for paths that match: ^/(admin|account)/",
			Note: "The pattern is Go's (RE2).",
		},
		set: func(r *resolver, e ini.Entry) (err error) {
			r.HTTPCache.Except, err = filePattern(e, e.Value)
			return err
		},
	},
	{
		Option: option.Option{
			Name: "http-cache-purge-from", Kind: option.List, Arg: "NETWORKS", Status: option.Own,
			Help: "who may remove stored answers with the method PURGE: 127.0.0.1, 10.0.0.0/8",
			Note: "PURGE removes the answers of the target or, with a field `Cache-Tag`, those with one of its tags. Without this option PURGE goes to the app.",
		},
		set: (*resolver).cachePurgeFrom,
	},
}

// cacheValid reads http-cache-valid.
func (r *resolver) cacheValid(e ini.Entry) error {
	statuses, after, ok := strings.Cut(e.Value, ":")
	if !ok {
		statuses, after = "200,301,308", e.Value
	}
	fresh, err := secondsIn(e, after)
	if err != nil {
		return err
	}
	if r.HTTPCache.Valid == nil {
		r.HTTPCache.Valid = map[int]time.Duration{}
	}
	for word := range strings.SplitSeq(statuses, ",") {
		status, err := strconv.Atoi(strings.TrimSpace(word))
		if err != nil || !cache.Storable(status) {
			return e.Origin.Errorf(e.Key, "%q is no status whose answers can be kept: write 200,404:60", word)
		}
		r.HTTPCache.Valid[status] = fresh
	}
	return nil
}

// cachePurgeFrom reads http-cache-purge-from.
func (r *resolver) cachePurgeFrom(e ini.Entry) error {
	networks := words(e.Value)
	if len(networks) == 0 {
		return e.Origin.Errorf(e.Key, "the networks are missing, such as 127.0.0.1 or 10.0.0.0/8")
	}
	for _, word := range networks {
		network, err := parseNetwork(word)
		if err != nil {
			return e.Origin.Errorf(e.Key, "%q is no address and no network such as 10.0.0.0/8", word)
		}
		r.HTTPCache.PurgeFrom = append(r.HTTPCache.PurgeFrom, network)
	}
	return nil
}

// settleCache refuses what has no effect: who sets it believes that answers are kept.
func (r *resolver) settleCache() error {
	o := &r.HTTPCache
	if o.Size > 0 {
		if o.Size < 1<<20 {
			return fmt.Errorf("http-cache = %d: less than a megabyte keeps nothing worth it: write 64m", o.Size)
		}
		return nil
	}
	if len(o.Valid) > 0 || o.MaxObject > 0 || o.WhileRevalidate > 0 || o.IfError > 0 || o.StoreCookies || o.Except != nil || len(o.PurgeFrom) > 0 {
		return fmt.Errorf("http-cache-… options need http-cache = SIZE, such as 64m")
	}
	return nil
}
