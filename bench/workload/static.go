package workload

import (
	"bytes"
	"os"
	"path/filepath"
	"time"

	"github.com/uwsgo/uwsgo/bench/apps"
	"github.com/uwsgo/uwsgo/bench/peers"
)

// staticFiles are the files under /static/.
var staticFiles = []struct {
	name, file string
	size       int
	clients    int
}{
	{"1 KB", "1k.bin", 1 << 10, clients},
	{"100 KB", "100k.bin", 100 << 10, clients},
	{"10 MB", "10m.bin", 10 << 20, 8},
}

// static is files from disk, by the server and not by the app.
func static() Workload {
	w := Workload{
		Name:  "static",
		Title: "Static files",
		About: "Files below /static/ that the server sends itself: 64 clients ask for 1 KB, then for 100 KB; 8 ask for 10 MB. They are in the page cache.",
		Setup: two(apps.Hello), Metrics: transferMetrics, Chart: loadChart,
		Refuses: func(p peers.Peer) string {
			if p.Runs&peers.Static != 0 {
				return ""
			}
			return "serves no files"
		},
		Takes: func(d time.Duration) time.Duration { return time.Duration(len(staticFiles)) * d },
	}
	for _, f := range staticFiles {
		w.Cases = append(w.Cases, f.name)
		w.Routes = append(w.Routes, get(staticPrefix+f.file))
	}
	w.Measure = routeByRoute(func(i int) int { return staticFiles[i].clients })
	return w
}

const staticPrefix = "/static/"

// writeStatic makes the files in dir.
func writeStatic(dir string) error {
	for _, f := range staticFiles {
		body := bytes.Repeat([]byte("static file, 32 bytes at a time\n"), f.size/32)
		if err := os.WriteFile(filepath.Join(dir, f.file), body, 0o644); err != nil {
			return err
		}
	}
	return nil
}
