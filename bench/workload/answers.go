package workload

import (
	"context"
	"os"
	"path/filepath"
	"strings"

	"github.com/uwsgo/uwsgo/bench/apps"
)

// prepare finds the answers that a workload's requests must get, from the apps
// and files themselves and not from any of the servers.
func prepare(ctx context.Context, w *Workload, o Options) error {
	w.Setup.Log = o.Logging
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
