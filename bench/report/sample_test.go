package report

import (
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"time"

	"github.com/uwsgo/uwsgo/bench/result"
)

// hostile is a name that breaks out of whatever does not escape it.
const hostile = `</script><img src=x onerror="alert(1)">|**evil**`

// sampleServer is an invented server. Its figures have the proportions of real ones.
type sampleServer struct {
	name, connection, shape string
	cpu, system             float64 // µs for hello world, and the part in the kernel
	pss                     float64
}

var sampleServers = []sampleServer{
	{"uwsgo", "kept alive", "2 × 2", 13.5, 8.1, 41},
	{"uwsgi-http11-socket", "kept alive", "2 × 2", 21.4, 11.2, 38},
	{"uwsgi-http-socket", "one per request", "2 × 2", 38.2, 25.3, 38},
	{"uwsgi-http", "one per request", "2 × 2", 88.1, 61.5, 44},
	{"uwsgi-http-keepalive", "kept alive", "2 × 2", 61.3, 40.2, 44},
	{"uwsgi-socket", "one per request", "2 × 2", 29.9, 19.1, 37},
	{"gunicorn-gthread", "kept alive", "2 × 2", 250, 81, 62},
	{"gunicorn-gevent", "kept alive", "2 × 1 (greenlets)", 190, 60, 71},
	{"granian", "kept alive", "2 × 2", 36.5, 14.1, 70},
	{"bjoern", "kept alive", "1 × 1 (has neither)", 11.8, 7.9, 18},
	{"fastpysgi", "kept alive", "2 × 1 (has no threads)", 12.1, 8.0, 33},
	{"waitress", "kept alive", "1 × 4 (has no processes)", 310, 74, 29},
}

// sampleRun is an invented run of everything that the report has to show, and of
// everything that can go wrong. The same seed always gives the same run.
func sampleRun(rounds int) *result.Run {
	g := &generator{rng: rand.New(rand.NewPCG(7, 11)), rounds: rounds}
	run := &result.Run{
		Format:   result.Format,
		Harness:  "0.1.0-dev",
		Command:  []string{"/home/me/uwsgo/build/uwsgo-bench", "-rounds", fmt.Sprint(rounds), "-out", "/home/me/uwsgo/build/bench"},
		Started:  time.Date(2026, 11, 24, 9, 30, 0, 0, time.UTC),
		Finished: time.Date(2026, 11, 24, 11, 42, 10, 0, time.UTC),
		Complete: true,
		Settings: result.Settings{
			Rounds: rounds, Seconds: 3, WarmUp: 1, ClientOn: 1,
			Pinning: "The machine has 2 processors, too few to keep the client apart from the servers: both shared them",
		},
		Machine: result.Machine{CPU: "AMD EPYC", Cores: 2, MemoryMiB: 7950, System: "Debian GNU/Linux 12 (bookworm)", Kernel: "Linux 6.18.44", Go: "go1.26.8", Python: "CPython 3.13.5"},
	}
	for _, s := range sampleServers {
		run.Peers = append(run.Peers, result.Peer{Name: s.name, About: "A server that answers WSGI requests, run as its manual says.", Version: "2.0.31"})
	}
	run.Peers = append(run.Peers,
		result.Peer{Name: "nginx+uwsgo", About: "nginx in front of uwsgo over a unix socket.", Version: "nginx/1.22.1, uwsgo 0.1.0-dev"},
		result.Peer{Name: "nginx+uwsgi", About: "nginx in front of uWSGI over a unix socket.", Version: "nginx/1.22.1, uWSGI 2.0.31"},
		result.Peer{Name: "go-engine", About: "uwsgo's engine with a Go handler, no Python.", Version: "go1.26.8"},
		result.Peer{Name: "go-net-http", About: "Go's net/http with the same handler.", Version: "go1.26.8"},
		result.Peer{Name: "go-fasthttp", About: "fasthttp with the same handler.", Version: "v1.69.0"},
		result.Peer{Name: "nginx-file", About: "nginx with a file of the same content.", Version: "nginx/1.22.1"},
		result.Peer{Name: "unit", About: "NGINX Unit.", Absent: "pip has no package of it; install unitd from /opt/nginx/unit/packages yourself"},
		result.Peer{Name: hostile, About: hostile, Version: hostile},
	)
	throughput := []string{"rate", "cpu", "user", "system", "p50", "p90", "p99", "p999", "max", "errors", "pss", "switches", "client"}
	chart := []string{"rate", "cpu"}
	python := sampleServers
	add := func(w result.Workload) { run.Workloads = append(run.Workloads, w) }

	hello := g.throughput("hello", "Hello world", "64 clients ask for hello world, one request after the other.", python, throughput, chart, 0, []string{""})
	hello.Entries[2].Failed = ""
	g.spoil(&hello.Entries[6], 0.012)
	hello.Entries = append(hello.Entries, result.Entry{
		Peer: hostile, Shape: hostile, Connection: "kept alive", NoDelay: "unknown", Command: []string{"/opt/evil", hostile},
		Failed: "it never answered; its last lines were:\n\x1b[31mTraceback (most recent call last):\n  File \"/opt/evil/" + hostile + "\"",
	})
	hello.Absent = []result.Absent{{Peer: "unit"}, {Peer: "meinheld", Reason: "pip cannot build it: Python.h is missing (log in /home/me/uwsgo/build/pip.log)"}}
	add(hello)
	add(g.throughput("json", "JSON with 20 header fields", "64 clients send 20 header fields and get 1 KB of JSON.", python[:9], throughput, chart, 12, []string{""}))
	add(g.throughput("flask", "Flask page", "64 clients ask a Flask app for a page of 10 KB made from a template.", python[:9], throughput, chart, 210, []string{""}))
	add(g.throughput("django", "Django page", "64 clients ask a Django app for a page of 10 KB made from a template.", python[:5], throughput, chart, 480, []string{""}))
	add(g.throughput("large", "100 KB response", "64 clients ask for 100 KB.", python[:7], throughput, chart, 40, []string{""}))
	add(g.throughput("upload", "Uploads", "16 clients send bodies; the app reads them and answers with their length.", python[:7], append([]string{"bytes"}, throughput...), []string{"bytes", "cpu"}, 90, []string{"64 KB", "5 MB"}))
	add(g.throughput("stream", "Streaming generator", "16 clients read a response of 100 chunks that a generator yields.", python[:7], throughput, chart, 150, []string{""}))
	add(g.throughput("close", "Connection per request", "64 clients open a connection for each request.", python[:6], throughput, chart, 20, []string{""}))
	add(g.mix())
	add(g.throughput("static", "Static files", "64 clients ask for one file.", append(python[:2:2], sampleServer{"nginx-file", "kept alive", "2 × 1", 7.5, 6.1, 6}), throughput, chart, 0, []string{"1 KB", "100 KB", "10 MB"}))
	add(g.throughput("nginx", "Behind nginx", "64 clients ask nginx, which asks the server over a unix socket.",
		[]sampleServer{{"nginx+uwsgo", "kept alive", "2 × 2", 36.3, 24, 48}, {"nginx+uwsgi", "kept alive", "2 × 2", 31.9, 22, 45}}, throughput, chart, 0, []string{""}))
	add(g.throughput("go", "Go baselines", "64 clients ask for hello world, answered in Go.",
		[]sampleServer{{"go-engine", "kept alive", "1 × 2", 4.8, 3.9, 9}, {"go-fasthttp", "kept alive", "1 × 2", 5.5, 4.2, 10}, {"go-net-http", "kept alive", "1 × 2", 13.3, 8.9, 12}}, throughput, chart, 0, []string{""}))
	add(g.idle())
	add(g.slow("slow-readers", "Slow readers", "200 clients read 1 MB slowly while 16 others ask for hello world."))
	add(g.slow("slow-uploads", "Slow uploads", "200 clients send 256 KB slowly while 16 others ask for hello world."))
	add(g.event("reload", "Reload under load", "500 requests a second while the server reloads the app.", "reload", 0.05))
	add(g.event("kill", "Killed worker under load", "500 requests a second while a worker is killed with SIGKILL.", "kill -9", 0.4))
	add(g.start())
	add(result.Workload{ // the run was interrupted here
		Name: "unfinished", Title: "Not begun", About: "Nobody asks for anything", Base: "uwsgi-http11-socket", Cases: []string{""},
		Metrics: throughput, Chart: chart, Entries: []result.Entry{{Peer: "uwsgo"}},
	})
	for i := range run.Workloads {
		if run.Workloads[i].Name == "go" {
			run.Workloads[i].Base = "go-net-http"
		}
		if run.Workloads[i].Name == "nginx" {
			run.Workloads[i].Base = "nginx+uwsgi"
		}
		if run.Workloads[i].Name == "static" {
			run.Workloads[i].Base = "nginx-file"
		}
	}
	return run
}

type generator struct {
	rng    *rand.Rand
	rounds int
}

// near gives a value near v, as measuring again would.
func (g *generator) near(v, spread float64) float64 {
	return v * math.Exp(spread*g.rng.NormFloat64())
}

func (g *generator) entry(s sampleServer) result.Entry {
	class := "http"
	if strings.HasPrefix(s.name, "nginx+") {
		class = "behind nginx"
	}
	return result.Entry{
		Peer: s.name, Class: class, Shape: s.shape, Connection: s.connection, NoDelay: "on",
		Command: []string{"/home/me/uwsgo/build/" + s.name, "--http", "127.0.0.1:43377", "--wsgi-file=/home/me/uwsgo/apps/hello.py", "--processes", "2", "--threads", "2", "--title", "it's here"},
		Files:   map[string]string{s.name + ".conf": "pid /tmp/bench-1/a.pid;\nserver {\n  location /static/ { alias /tmp/bench-1/static/; }\n  proxy_pass http://127.0.0.1:80/a/b/c;\n}\n"},
	}
}

func (g *generator) throughput(name, title, about string, servers []sampleServer, metrics, chart []string, app float64, cases []string) result.Workload {
	w := result.Workload{Name: name, Title: title, About: about, Base: "uwsgi-http11-socket", Cases: cases, Metrics: metrics, Chart: chart}
	for _, s := range servers {
		e := g.entry(s)
		for round := 1; round <= g.rounds; round++ {
			for i, c := range cases {
				factor := math.Pow(6, float64(i))
				cpu := g.near((s.cpu+app)*factor, 0.02)
				system := cpu * s.system / s.cpu * s.cpu / (s.cpu + app/2)
				rate := g.near(1.5e6/cpu, 0.02)
				p50 := 64 / rate * 1000 * 0.8
				sample := result.Sample{Round: round, Case: c, Asked: int64(rate * 3), Values: map[string]float64{
					"rate": rate, "cpu": cpu, "user": cpu - system, "system": system, "p50": p50, "errors": 0,
					"pss": g.near(s.pss, 0.01), "switches": g.near(0.4, 0.1), "client": g.near(45, 0.03), "bytes": rate * 64 / 1024 * factor / 6,
				}}
				if s.name == "uwsgo" && name == "hello" {
					sample.Values["client"] = 91
				}
				tail := 1.5 + s.cpu/100
				for _, percent := range []float64{0, 10, 25, 50, 75, 90, 95, 99, 99.5, 99.9, 99.95, 99.99, 100} {
					nines := -math.Log10(1 - math.Min(percent, 99.999)/100)
					sample.Curve = append(sample.Curve, result.Percentile{Percent: percent, Ms: g.near(p50*(0.4+math.Pow(nines, tail)), 0.03)})
				}
				for i, m := range map[int]string{5: "p90", 7: "p99", 9: "p999", 12: "max"} {
					sample.Values[m] = sample.Curve[i].Ms
				}
				e.Samples = append(e.Samples, sample)
			}
		}
		w.Entries = append(w.Entries, e)
	}
	return w
}

// spoil makes a share of a server's answers wrong.
func (g *generator) spoil(e *result.Entry, share float64) {
	for i := range e.Samples {
		s := &e.Samples[i]
		wrong := int64(float64(s.Asked) * share)
		s.Errors = map[string]int64{"closed early": wrong - wrong/4, "timeout": wrong / 4}
		s.Values["errors"] = float64(wrong)
	}
}

func (g *generator) mix() result.Workload {
	rates := []float64{100, 200, 400, 600, 800, 1000}
	metrics := []string{"p99", "fast_p99", "p50", "fast_p50", "p999", "max", "rate", "cpu", "errors", "client"}
	w := result.Workload{
		Name: "mix", Title: "Fast and slow requests mixed", Base: "uwsgi-http11-socket", Metrics: metrics, Chart: []string{"p99", "fast_p99"},
		About: "95 % of the requests are fast, 4 % sleep for 50 ms, 1 % compute for 30 ms. They are due at a constant rate; a request that waits counts from when it was due.",
	}
	for _, r := range rates {
		w.Cases = append(w.Cases, fmt.Sprintf("%g req/s", r))
	}
	for _, s := range sampleServers[:10] {
		e := g.entry(s)
		most := 1100 - 1.6*s.cpu
		if s.name == "bjoern" {
			most = 350
		}
		for round := 1; round <= g.rounds; round++ {
			for i, r := range rates {
				load := r / most
				wait := 2 + 55*load*load
				if load > 1 {
					wait = 3000 * (load - 0.8)
				}
				sample := result.Sample{Round: round, Case: w.Cases[i], Asked: int64(r * 3), Values: map[string]float64{
					"p50": g.near(wait/20, 0.05), "p99": g.near(wait+50, 0.05), "fast_p50": g.near(wait/25, 0.05), "fast_p99": g.near(wait, 0.05),
					"p999": g.near(wait*2+60, 0.05), "max": g.near(wait*3+80, 0.05), "rate": math.Min(r, most), "cpu": g.near(500+s.cpu, 0.03), "errors": 0, "client": 6,
				}}
				if load > 1.4 {
					sample.Errors = map[string]int64{"timeout": int64(r * 0.3)}
					sample.Values["errors"] = r * 0.3
				}
				for _, percent := range []float64{0, 50, 90, 95, 99, 99.9, 100} {
					nines := -math.Log10(1 - math.Min(percent, 99.99)/100)
					sample.Curve = append(sample.Curve, result.Percentile{Percent: percent, Ms: 0.5 + wait/20 + nines*nines*wait/4})
				}
				if s.name == "granian" && i == 2 {
					delete(sample.Values, "p99") // a value that could not be made
				}
				if s.name == "gunicorn-gevent" && i > 3 {
					e.Failed = "it did not answer within 10 s at 800 req/s"
					continue
				}
				e.Samples = append(e.Samples, sample)
			}
		}
		w.Entries = append(w.Entries, e)
	}
	return w
}

func (g *generator) idle() result.Workload {
	w := result.Workload{
		Name: "idle", Title: "5,000 idle clients", Base: "bjoern", Cases: []string{""}, Metrics: []string{"served", "kib", "fresh", "again"}, Chart: []string{"served", "kib"},
		About: "5,000 keep-alive clients ask once and stay. Shown is how many were answered, and what each costs.",
	}
	for i, s := range []sampleServer{sampleServers[0], sampleServers[1], sampleServers[6], sampleServers[8], sampleServers[9]} {
		e := g.entry(s)
		served := []float64{5000, 12, 2003, 1024, 5000}[i]
		for round := 1; round <= g.rounds; round++ {
			sample := result.Sample{Round: round, Asked: 5000, Values: map[string]float64{"served": served, "kib": g.near(0.3+float64(i), 0.02), "fresh": g.near(0.4, 0.1), "again": served}}
			if served < 5000 {
				sample.Errors = map[string]int64{"timeout": int64(5000 - served)}
				sample.Values["again"] = 0
				delete(sample.Values, "fresh")
			}
			e.Samples = append(e.Samples, sample)
		}
		w.Entries = append(w.Entries, e)
	}
	return w
}

func (g *generator) slow(name, title, about string) result.Workload {
	w := result.Workload{Name: name, Title: title, About: about, Base: "uwsgi-http11-socket", Cases: []string{""}, Metrics: []string{"slowdown", "rate", "p99", "errors", "crowd", "whole"}, Chart: []string{"slowdown", "rate"}}
	for i, s := range sampleServers[:6] {
		e := g.entry(s)
		for round := 1; round <= g.rounds; round++ {
			e.Samples = append(e.Samples, result.Sample{Round: round, Asked: 100000, Values: map[string]float64{
				"slowdown": g.near(1.05+3*float64(i), 0.02), "rate": g.near(70000/float64(i*8+1), 0.02), "p99": g.near(0.5*float64(i*i*9+1), 0.05), "errors": 0, "crowd": float64(i) * 3.1, "whole": 200 - float64(i)*40,
			}})
		}
		w.Entries = append(w.Entries, e)
	}
	return w
}

// event is a workload in which something happens to the server after 3 seconds.
func (g *generator) event(name, title, about, mark string, stall float64) result.Workload {
	w := result.Workload{Name: name, Title: title, About: about, Base: "uwsgi-http11-socket", Cases: []string{""}, Metrics: []string{"lost", "disturbed", "p50", "p99", "max", "errors"}, Chart: []string{"disturbed", "p99"}}
	for i, s := range []sampleServer{sampleServers[0], sampleServers[1], sampleServers[6], sampleServers[8]} {
		e := g.entry(s)
		stop := stall * float64(1+i*3)
		for round := 1; round <= g.rounds; round++ {
			sample := result.Sample{Round: round, Asked: 4000, Marks: []result.Mark{{At: g.near(3, 0.01), Text: mark}}, Values: map[string]float64{
				"disturbed": 1000 * g.near(stop, 0.1), "p50": 1.2, "p99": g.near(300*stop, 0.2), "max": 1000 * g.near(stop, 0.1), "errors": 0, "lost": 0,
			}}
			if name == "reload" {
				sample.Marks = append(sample.Marks, result.Mark{At: 3 + stop, Text: "new workers ready"})
			}
			for i10 := range 80 {
				at := float64(i10) / 10
				tick := result.Tick{At: at, OK: 50, P50: g.near(0.9+s.cpu/100, 0.1), Max: g.near(3+s.cpu/30, 0.3)}
				if late := 3 + stop - at; at >= 3 && late > 0.001 {
					tick.Max, tick.P50 = 1000*late, 500*late
					if i >= 2 {
						tick.Errors, tick.OK = 9, 41
					}
				}
				if name == "kill" && i == 3 && at > 3 && at < 3.6 {
					tick = result.Tick{At: at, Errors: 50}
				}
				sample.Ticks = append(sample.Ticks, tick)
				sample.Values["lost"] += float64(tick.Errors)
			}
			if lost := sample.Values["lost"]; lost > 0 {
				sample.Errors = map[string]int64{"connect": int64(lost)}
				sample.Values["errors"] = lost
			}
			e.Samples = append(e.Samples, sample)
		}
		w.Entries = append(w.Entries, e)
	}
	w.Absent = []result.Absent{{Peer: "bjoern", Reason: "it cannot reload"}, {Peer: "waitress", Reason: "it cannot reload"}}
	return w
}

func (g *generator) start() result.Workload {
	w := result.Workload{Name: "start", Title: "Start-up and rest", About: "From the command to the first answer, and the CPU of a server that nobody asks.", Base: "uwsgi-http11-socket", Cases: []string{""}, Metrics: []string{"start", "rest", "pss"}, Chart: []string{"start", "rest"}}
	for i, s := range sampleServers {
		e := g.entry(s)
		for round := 1; round <= g.rounds; round++ {
			e.Samples = append(e.Samples, result.Sample{Round: round, Values: map[string]float64{"start": g.near(25+20*float64(i), 0.05), "rest": float64(i%3) * g.near(0.3, 0.1), "pss": s.pss}})
		}
		w.Entries = append(w.Entries, e)
	}
	return w
}

// smallRun is a run that fits a golden file: two workloads, three servers.
func smallRun() *result.Run {
	run := sampleRun(7)
	keep := run.Workloads[:0]
	for _, w := range run.Workloads {
		switch w.Name {
		case "hello":
			w.Entries = append(w.Entries[:2:2], w.Entries[6], w.Entries[9], w.Entries[12])
			w.Metrics = []string{"rate", "cpu", "p99", "errors", "client"}
		case "mix":
			w.Entries, w.Cases = append(w.Entries[:2:2], w.Entries[7], w.Entries[8]), w.Cases[2:5:5]
			w.Metrics = []string{"p99", "fast_p99", "errors"}
		default:
			continue
		}
		keep = append(keep, w)
	}
	run.Workloads = keep
	peers := run.Peers[:0]
	for _, p := range run.Peers {
		if p.Name == "uwsgo" || p.Name == "unit" || p.Name == hostile || strings.HasPrefix(p.Name, "uwsgi-http1") {
			peers = append(peers, p)
		}
	}
	run.Peers = peers
	return run
}
