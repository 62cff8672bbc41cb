package workload

import (
	"fmt"

	"github.com/uwsgo/uwsgo/bench/apps"
	"github.com/uwsgo/uwsgo/bench/load"
	"github.com/uwsgo/uwsgo/bench/peers"
)

// Own is a request to somebody's own app, asked of every server that runs apps.
func Own(app apps.Own, q load.Request, clients int) Workload {
	q.Name = q.Path
	return Workload{
		Name:  "app",
		Title: app.Name(),
		About: fmt.Sprintf("%d clients ask %s %s of the app %s, each as soon as it has its last answer.", clients, q.Method, q.Path, app.Name()),
		Setup: peers.Setup{App: apps.OwnFile, Processes: 2, Threads: 2},
		// The app itself gives the right answers.
		Own: &app, Metrics: loadMetrics, Chart: loadChart,
		Routes: []load.Route{{Request: q, Weight: 1}}, Refuses: needsApp, Takes: once, Measure: closedLoop(clients),
	}
}
