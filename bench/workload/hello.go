package workload

import (
	"github.com/uwsgo/uwsgo/bench/apps"
	"github.com/uwsgo/uwsgo/bench/load"
	"github.com/uwsgo/uwsgo/bench/peers"
)

// two is what most workloads ask of servers: two processes of two threads.
func two(app string) peers.Setup { return peers.Setup{App: app, Processes: 2, Threads: 2} }

// hello is the smallest request: what the server itself costs.
func hello() Workload {
	return Workload{
		Name:  "hello",
		Title: "Hello world",
		About: "64 clients ask for a 12-byte answer of a WSGI app without a framework, each as soon as it has its last answer: " +
			"what the server itself costs. Servers that keep connections alive are asked on 64 connections; the others get a new connection for each request.",
		Setup: two(apps.Hello), Metrics: loadMetrics, Chart: loadChart,
		Routes: []load.Route{get("/")}, Takes: once, Measure: closedLoop(clients),
	}
}

// closing is what hello costs when nobody keeps connections.
func closing() Workload {
	return Workload{
		Name:   "close",
		Title:  "A connection for each request",
		About:  "64 clients ask for hello world, each time on a new connection that says Connection: close.",
		Closes: true, Setup: two(apps.Hello), Metrics: loadMetrics, Chart: loadChart,
		Routes: []load.Route{get("/")}, Takes: once, Measure: closedLoop(clients),
	}
}

// jsonAPI is a small request of an API behind a browser's worth of headers.
func jsonAPI() Workload {
	route := get("/json")
	for _, h := range apps.Headers {
		route.Request.Header = append(route.Request.Header, load.Header{Name: h[0], Value: h[1]})
	}
	return Workload{
		Name:  "json",
		Title: "JSON API",
		About: "64 clients send 20 request headers and get 1 KB of JSON made from them, without a framework.",
		Setup: two(apps.Hello), Metrics: loadMetrics, Chart: loadChart,
		Routes: []load.Route{route}, Refuses: needsApp, Takes: once, Measure: closedLoop(clients),
	}
}

// flask is a page of a small framework.
func flask() Workload { return page("flask", "Flask page", apps.Flask) }

// django is a page of a large one.
func django() Workload { return page("django", "Django page", apps.Django) }

func page(name, title, app string) Workload {
	return Workload{
		Name:  name,
		Title: title,
		About: "64 clients ask for a page of about 10 KB that a template makes from a table, with the framework's usual middleware: " +
			"most of the time goes to the framework, the rest is the server's.",
		Setup: two(app), Metrics: loadMetrics, Chart: loadChart,
		Routes: []load.Route{get("/")}, Refuses: needsApp, Takes: once, Measure: closedLoop(clients),
	}
}
