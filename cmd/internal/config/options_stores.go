package config

import (
	"fmt"
	"math"
	"os"
	"strconv"
	"strings"

	"github.com/uwsgo/uwsgo/cmd/internal/ini"
	"github.com/uwsgo/uwsgo/cmd/internal/option"
	"github.com/uwsgo/uwsgo/cmd/internal/stores"
)

// StoreConfig is what apps share by the uwsgi module.
type StoreConfig struct {
	Caches []stores.Cache
	Queue  stores.Queue
	Areas  []stores.Area
}

var storeRows = []row{
	{
		Option: option.Option{
			Name: "cache2", Kind: option.List, Arg: "name=NAME,items=N,...", Status: option.Differs,
			Help: "define a cache for apps; blocksize, blocks, keysize, hashsize, bitmap, purge_lru, store=FILE, store_delete, no_expire, clear_on_full, ignore_full, math_initial may follow",
			Note: "An item is gone as soon as it expires. A file of `store` is in uwsgo's own format. udp, nodes and sync end the start.",
		},
		set: (*resolver).cache2,
	},
	{
		Option: option.Option{
			Name: "cache", Kind: option.Int, Arg: "N", Status: option.Differs,
			Help: "a cache named default for N items, each in one block of cache-blocksize",
			Note: "As for `cache2`.",
		},
		set: func(r *resolver, e ini.Entry) error { return setNumber(&r.oldCache.Items, e, math.MaxInt32) },
	},
	{
		Option: option.Option{
			Name: "cache-blocksize", Kind: option.Size, Arg: "BYTES", Default: "65536", Status: option.Same,
			Help: "the largest value in the cache of --cache",
		},
		set: func(r *resolver, e ini.Entry) error { return setSize(&r.oldCache.BlockSize, e) },
	},
	{
		Option: option.Option{
			Name: "cache-store", Kind: option.Text, Arg: "FILE", Status: option.Differs,
			Help: "keep the cache of --cache in this file",
			Note: "The file is in uwsgo's own format; a file of uWSGI ends the start.",
		},
		set: func(r *resolver, e ini.Entry) error { return setText(&r.oldCache.Store, e, "a file") },
	},
	{
		Option: option.Option{
			Name: "cache-no-expire", Kind: option.Flag, Status: option.Same,
			Help: "let nothing expire in the cache of --cache",
		},
		set: func(r *resolver, e ini.Entry) error { return r.flag(&r.oldCache.NoExpire, e) },
	},
	{
		Option: option.Option{
			Name: "queue", Kind: option.Int, Arg: "N", Status: option.Differs,
			Help: "a queue of N blocks for apps",
			Note: "`queue_pop` changes nothing in an empty queue; in uWSGI it moves a position.",
		},
		set: func(r *resolver, e ini.Entry) error { return setNumber(&r.Queue.Slots, e, math.MaxInt32) },
	},
	{
		Option: option.Option{
			Name: "queue-blocksize", Kind: option.Size, Arg: "BYTES", Default: "8192", Status: option.Same,
			Help: "the size of a block of the queue, with 16 bytes for its head",
		},
		set: func(r *resolver, e ini.Entry) error { return setSize(&r.Queue.BlockSize, e) },
	},
	{
		Option: option.Option{
			Name: "queue-store", Kind: option.Text, Arg: "FILE", Status: option.Same,
			Help: "keep the queue in this file, in uWSGI's format",
		},
		set: func(r *resolver, e ini.Entry) error { return setText(&r.Queue.Store, e, "a file") },
	},
	{
		Option: option.Option{
			Name: "sharedarea", Kind: option.List, Arg: "PAGES|size=BYTES,...", Status: option.Differs,
			Help: "memory that apps share: a number of pages, size= or pages=; file=FILE or fd=N with offset= map a file",
			Note: "Reading and writing a number take no lock because they are atomic; inc and dec take one. `ptr` ends the start.",
		},
		set: (*resolver).sharedArea,
	},
}

// pairs reads name=value,name=value. to has the target of each name; nil has no effect.
func pairs(text string, to map[string]func(value string) error) error {
	for part := range strings.SplitSeq(text, ",") {
		name, value, _ := strings.Cut(strings.TrimSpace(part), "=")
		set, known := to[name]
		if !known {
			return fmt.Errorf("%q is no part of it", name)
		}
		if set == nil {
			continue
		}
		if err := set(strings.TrimSpace(value)); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	return nil
}

func whole(to *int) func(string) error {
	return func(value string) error {
		n, err := strconv.ParseInt(value, 0, 64)
		if err != nil || n < 0 || n > math.MaxInt32 {
			return fmt.Errorf("%q is not a whole number from 0 to %d", value, math.MaxInt32)
		}
		*to = int(n)
		return nil
	}
}

func yes(to *bool) func(string) error {
	return func(string) error { // as in uWSGI, any value
		*to = true
		return nil
	}
}

func (r *resolver) cache2(e ini.Entry) error {
	var c stores.Cache
	elsewhere := func(string) error {
		return fmt.Errorf("caches of several machines are not kept in step: leave it out if one machine is enough")
	}
	to := map[string]func(string) error{
		"name": func(v string) error { c.Name = v; return nil }, "store": func(v string) error { c.Store = v; return nil },
		"math_initial": func(v string) (err error) { c.Initial, err = strconv.ParseInt(v, 0, 64); return err },
		"blocksize":    func(v string) error { var n int; err := whole(&n)(v); c.BlockSize = int64(n); return err }, "blocks": whole(&c.Blocks),
		"bitmap": yes(&c.Bitmap), "no_expire": yes(&c.NoExpire), "clear_on_full": yes(&c.Clear), "ignore_full": yes(&c.Quiet),
		"hash": nil, "lastmod": nil, "lazy": nil, "lazy_expire": nil, "sweep_on_full": nil, "store_sync": nil, "storesync": nil,
	}
	for _, name := range []string{"items", "max_items", "maxitems"} {
		to[name] = whole(&c.Items)
	}
	for _, name := range []string{"hashsize", "hash_size"} {
		to[name] = whole(&c.HashSize)
	}
	for _, name := range []string{"keysize", "key_size"} {
		to[name] = whole(&c.KeySize)
	}
	for _, name := range []string{"store_delete", "storedelete"} {
		to[name] = yes(&c.Anew)
	}
	for _, name := range []string{"purge_lru", "lru"} {
		to[name] = yes(&c.LRU)
	}
	for _, name := range []string{"node", "nodes", "sync", "udp", "udp_servers", "udp_server", "udpservers", "udpserver"} {
		to[name] = elsewhere
	}
	err := pairs(e.Value, to)
	switch {
	case err != nil:
	case c.Name == "":
		err = fmt.Errorf("the name is missing")
	case c.Items == 0:
		err = fmt.Errorf("items, how many it is to hold, is missing")
	}
	for _, other := range r.Caches {
		if err == nil && other.Name == c.Name {
			err = fmt.Errorf("there is a cache of that name")
		}
	}
	if err != nil {
		return e.Origin.Errorf(e.Key, "%q: %w: write cache2 = name=NAME,items=1000", e.Value, err)
	}
	r.Caches = append(r.Caches, c)
	return nil
}

func (r *resolver) sharedArea(e ini.Entry) error {
	var a stores.Area
	page := int64(os.Getpagesize())
	if n, err := strconv.ParseInt(strings.TrimSpace(e.Value), 10, 64); err == nil && n > 0 && n < math.MaxInt32 {
		a.Size = n * page
	} else {
		pages, size, offset := 0, 0, 0
		err := pairs(e.Value, map[string]func(string) error{
			"pages": whole(&pages), "size": whole(&size), "offset": whole(&offset), "fd": whole(&a.FD),
			"file": func(v string) error { a.File = v; return nil },
		})
		if a.Size = int64(size); size == 0 {
			a.Size = int64(pages) * page
		}
		if a.Offset = int64(offset); err == nil && a.Size == 0 {
			err = fmt.Errorf("pages or size is missing")
		}
		if err != nil {
			return e.Origin.Errorf(e.Key, "%q: %w: write sharedarea = 4, for four pages, or sharedarea = size=65536", e.Value, err)
		}
	}
	r.Areas = append(r.Areas, a)
	return nil
}

func (r *resolver) settleStores() error {
	if r.oldCache.Items > 0 { // as in uWSGI, it comes first
		r.oldCache.Name = "default"
		r.Caches = append([]stores.Cache{r.oldCache}, r.Caches...)
	}
	r.oldCache = stores.Cache{}
	return nil
}
