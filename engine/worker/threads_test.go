package worker

import (
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// scheduler is an app that starts threads when it is imported, each of which notes its
// process in the file "ran".
const scheduler = `
import os, threading, time, _thread

def note(name):
    with open("ran", "a") as f:
        f.write("%s %d\n" % (name, os.getpid()))
    while True:
        time.sleep(1)

threading.Thread(target=note, args=("scheduler",), name="APScheduler", daemon=True).start()
threading.Thread(target=note, args=("poller",), name="poller", daemon=True).start()

def application(environ, start_response):
    start_response("200 OK", [])
    return [("%d %d" % (os.getpid(), threading.active_count())).encode()]
`

// Threads that an app starts at its import run in every worker, or once, as one likes.
func TestImportThreads(t *testing.T) {
	const unwanted = "set lazy-apps = false"
	for _, tt := range []struct {
		name   string
		config Config
		says   string
		not    string
	}{
		{"unasked", Config{Processes: 2}, unwanted, "alone"},
		{"unasked_one_worker", Config{Processes: 1}, "(APScheduler, poller)", unwanted},
		{"each", Config{Processes: 2, LazyApps: true}, "", "threads"},
		{"once", Config{Processes: 2, ImportOnce: true}, "(APScheduler, poller): they run only in process", "WARNING"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			once := tt.config.ImportOnce
			if once && pypy(t) {
				once, tt.says, tt.not = false, "is not possible with them on PyPy", "alone"
			}
			dir := t.TempDir()
			tt.config.Dir = dir
			tt.config.Apps = []App{app(t, scheduler)}
			r := start(t, tt.config, 1)
			processes := func(name string) (pids []string) {
				b, _ := os.ReadFile(filepath.Join(dir, "ran"))
				for line := range strings.Lines(string(b)) {
					if who, pid, _ := strings.Cut(strings.TrimSpace(line), " "); who == name && !slices.Contains(pids, pid) {
						pids = append(pids, pid)
					}
				}
				return pids
			}
			for _, name := range []string{"scheduler", "poller"} {
				r.wait("the threads", func() bool {
					ran := processes(name)
					if once {
						return len(ran) == 1
					}
					for _, w := range r.pool.Snapshot().Workers {
						if !slices.Contains(ran, strconv.Itoa(w.PID)) {
							return false
						}
					}
					return true
				})
			}
			threads := "3"
			if once {
				threads = "1"
			}
			for range 5 {
				got := r.get("/")
				if pid, n, _ := strings.Cut(got.got.String(), " "); n != threads || once == slices.Contains(processes("scheduler"), pid) {
					t.Errorf("a worker has %s threads, want %s; it is %s, the threads ran in %v", n, threads, pid, processes("scheduler"))
				}
			}
			log := strings.Join(r.logged(), "\n")
			if !strings.Contains(log, tt.says) || strings.Contains(log, tt.not) {
				t.Errorf("the log has no %q, or has %q:\n%s", tt.says, tt.not, log)
			}
			if once { // the zygote forks beside its threads for ever
				before := r.pid(1, 0)
				if err := r.pool.Reload(t.Context()); err != nil {
					t.Fatal(err)
				}
				r.pid(1, before)
				r.wait("the threads again", func() bool { return len(processes("scheduler")) == 2 })
			}
		})
	}
}

// chance is an app that has made every kind of generator at its import.
const chance = `
import os, random, secrets, ssl, tempfile, uuid
import numpy.random

names = tempfile._get_candidate_names()
first = [next(names), uuid.uuid1(), uuid.uuid4(), random.random(), numpy.random.random(), secrets.token_hex(), ssl.RAND_bytes(8)]

def application(environ, start_response):
    start_response("200 OK", [])
    values = [next(names), uuid.uuid1(), uuid.uuid4(), random.random(), numpy.random.random(), secrets.token_hex(), ssl.RAND_bytes(8)]
    return ["|".join([str(os.getpid())] + [repr(v) for v in values]).encode()]
`

// numpyRandom stands for numpy's legacy generator, of which all functions share one that
// nothing reseeds after a fork.
const numpyRandom = `
import random as _random

class _Generator(_random.Random):
    pass

_generator = _Generator()
random, seed = _generator.random, _generator.seed
`

// No two workers draw the same numbers.
func TestChanceAfterFork(t *testing.T) {
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "numpy"), 0o700); err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{"__init__.py": "", "random.py": numpyRandom} {
		if err := os.WriteFile(filepath.Join(dir, "numpy", name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	r := start(t, Config{Apps: []App{app(t, chance)}, Dir: dir, Processes: 3}, 1)
	first := map[string][]string{} // by worker
	r.wait("an answer of each worker", func() bool {
		pid, values, _ := strings.Cut(r.get("/").got.String(), "|")
		if first[pid] == nil {
			first[pid] = strings.Split(values, "|")
		}
		return len(first) == 3
	})
	for i, name := range []string{"tempfile", "uuid1", "uuid4", "random", "numpy", "secrets", "ssl"} {
		seen := map[string]bool{}
		for _, values := range first {
			seen[values[i]] = true
		}
		if len(seen) != 3 {
			t.Errorf("%s: three workers gave %v", name, seen)
		}
	}
}
