package proxy

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"sync"
	"time"
)

// Health checks each upstream at intervals, so that one that fails gets no requests. The zero value
// checks none.
type Health struct {
	// Path is requested by GET; a status from 200 to 399 is good. Empty checks none. For an upstream
	// that speaks uwsgi a connection is enough.
	Path string
	// Interval is the time between two checks; 0 means 5 s. Timeout bounds one check; 0 means 2 s.
	Interval, Timeout time.Duration
	// After Falls failures in a row an upstream gets no more requests; 0 means 3. After Rises good
	// answers in a row it gets them again; 0 means 2.
	Falls, Rises int
}

// watch checks all upstreams until ctx ends.
func (h *Handler) watch(ctx context.Context) {
	states := map[*server]*wellness{}
	for {
		servers := *h.servers.Load()
		var wg sync.WaitGroup
		for _, s := range servers {
			w := states[s]
			if w == nil {
				w = &wellness{}
				states[s] = w
			}
			wg.Go(func() { w.heard(h, s, h.well(ctx, s)) })
		}
		wg.Wait()
		for s := range states {
			if !slices.Contains(servers, s) {
				delete(states, s)
			}
		}
		if !sleep(ctx, h.cfg.Health.Interval) {
			return
		}
	}
}

// wellness counts good or failed checks of an upstream in a row.
type wellness struct{ good, bad int }

func (w *wellness) heard(h *Handler, s *server, err error) {
	if errors.Is(err, context.Canceled) {
		return
	}
	if err == nil {
		w.good, w.bad = w.good+1, 0
		if s.ill.Load() && w.good >= h.cfg.Health.Rises {
			s.ill.Store(false)
			s.joins.Store(joinsNow)
			h.cfg.Logf("proxy: upstream %s is well again", s.name)
		}
		return
	}
	w.good, w.bad = 0, w.bad+1
	if !s.ill.Load() && w.bad >= h.cfg.Health.Falls {
		s.ill.Store(true)
		h.cfg.Logf("proxy: upstream %s is not well and gets no requests: %v", s.name, err)
	}
}

// well checks one upstream.
func (h *Handler) well(ctx context.Context, s *server) error {
	ctx, cancel := context.WithTimeout(ctx, h.cfg.Health.Timeout)
	defer cancel()
	dial := func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, s.addr.Network(), s.addr.String())
	}
	if s.address.proto == protoUwsgi {
		c, err := dial(ctx, "", "")
		if err == nil {
			_ = c.Close()
		}
		return err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+string(s.host)+h.cfg.Health.Path, nil)
	if err != nil {
		return err
	}
	if h.cfg.Host != "" {
		req.Host = h.cfg.Host
	}
	req.Header.Set("User-Agent", "uwsgo-health")
	t := s.transport
	if t == nil {
		t = &http.Transport{DialContext: dial, DisableKeepAlives: true}
	} else if s.address.proto == protoHTTPS {
		req.URL.Scheme = "https"
	}
	resp, err := t.RoundTrip(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode < 200 || resp.StatusCode > 399 {
		return fmt.Errorf("%s answers %s", h.cfg.Health.Path, resp.Status)
	}
	_, err = io.Copy(io.Discard, io.LimitReader(resp.Body, 1<<20))
	return err
}
