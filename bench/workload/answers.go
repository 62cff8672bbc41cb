package workload

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"

	"github.com/uwsgo/uwsgo/bench/apps"
)

// prepare finds the answers that a workload's requests must get, from the apps
// and files themselves and not from any of the servers.
func prepare(ctx context.Context, w *Workload, o Options) error {
	w.Setup.Log = o.Logging
	if w.Own != nil {
		return prepareOwn(ctx, w, o)
	}
	// Servers are also probed by their answer to GET /.
	asks := []apps.Request{{Method: "GET", Path: "/"}}
	for i := range w.Routes {
		q := &w.Routes[i].Request
		if file, ok := strings.CutPrefix(q.Path, staticPrefix); ok {
			w.Setup.Static = o.Static
			body, err := os.ReadFile(filepath.Join(o.Static, file))
			if err != nil {
				return err
			}
			q.Want = body
			continue
		}
		ask := apps.Request{Method: q.Method, Path: q.Path, Body: q.Body}
		for _, h := range q.Header {
			ask.Headers = append(ask.Headers, [2]string{h.Name, h.Value})
		}
		asks = append(asks, ask)
	}
	answers, err := apps.Expect(ctx, o.Python, o.Tools.Apps, w.Setup.App, asks)
	if err != nil {
		return err
	}
	w.Setup.Want, answers = answers[0].Body, answers[1:]
	for i := range w.Routes {
		q := &w.Routes[i].Request
		if q.Want == nil {
			q.Status, q.Want = answers[0].Status, answers[0].Body
			answers = answers[1:]
		}
	}
	return nil
}

// prepareOwn asks the app itself, as often as it takes to see whether its answers can be
// compared. For a route with varying answers only the status counts.
func prepareOwn(ctx context.Context, w *Workload, o Options) error {
	if err := w.Own.WriteTo(o.Tools.Apps); err != nil {
		return err
	}
	q := &w.Routes[0].Request
	ask := apps.Request{Method: q.Method, Path: q.Path, Body: q.Body}
	for _, h := range q.Header {
		ask.Headers = append(ask.Headers, [2]string{h.Name, h.Value})
	}
	answer, same, err := apps.ExpectOwn(ctx, o.Python, o.Tools.Apps, ask)
	if err != nil {
		return err
	}
	if q.Status == 0 && answer.Status >= http.StatusBadRequest {
		return fmt.Errorf("%s %s: the app answers with status %d, %.100q: give another -url, or -status %[3]d if that is what you want to measure", q.Method, q.Path, answer.Status, answer.Body)
	}
	if q.Status != 0 && answer.Status != q.Status {
		return fmt.Errorf("%s %s: the app answers with status %d, not %d: %.100q", q.Method, q.Path, answer.Status, q.Status, answer.Body)
	}
	q.Status, q.Want = answer.Status, answer.Body
	if !same || q.AnyBody {
		q.AnyBody = true
		w.About += " Its answers differ from each other, so that only their status is checked."
	}
	if q.Method == http.MethodHead {
		q.Want, q.AnyBody = nil, true
	}
	// What tells that a server is there.
	probe := answer
	if q.Method != http.MethodGet || len(q.Header) > 0 || len(q.Body) > 0 {
		if probe, same, err = apps.ExpectOwn(ctx, o.Python, o.Tools.Apps, apps.Request{Method: http.MethodGet, Path: q.Path}); err != nil {
			return fmt.Errorf("GET %s, by which a server is known to be up: %w", q.Path, err)
		}
	}
	w.Setup.Path, w.Setup.Status = q.Path, probe.Status
	if same && !q.AnyBody {
		w.Setup.Want = probe.Body
	}
	return nil
}
