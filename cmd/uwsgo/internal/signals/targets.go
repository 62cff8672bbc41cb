package signals

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/uwsgo/uwsgo/engine/worker/control"
)

// Farm is a group of mules, by number.
type Farm struct {
	Name  string
	Mules []int
}

// Beside says how many processes of a kind there are beside the workers, to which signals may
// go. It is called before any process is started, as is Farms.
func (r *Router) Beside(kind string, count int) { r.beside[kind] = count }

// Farms says which farms there are, in their order.
func (r *Router) Farms(farms []Farm) { r.farms = farms }

// kindOf returns the kind of process that a target names: worker, mule, farm or spooler.
func kindOf(target string) string {
	for _, kind := range []string{"mule", "farm", "spooler"} {
		if strings.HasPrefix(target, kind) {
			return kind
		}
	}
	return "worker"
}

// expand returns to whom a signal for a target goes, see delivery: nobody where the
// configuration has no such process beside the workers. It refuses what is no target.
func (r *Router) expand(target string) (to []string, err error) {
	kind := kindOf(target)
	rest := strings.TrimPrefix(target, kind)
	n, err := strconv.Atoi(rest)
	isNumber := err == nil && n >= 0
	switch {
	case target == "", target == "worker", target == "worker0":
		return []string{"worker"}, nil
	case target == "workers":
		for _, n := range slices.Sorted(maps.Keys(r.expected)) {
			to = append(to, fmt.Sprint("worker", n))
		}
		return to, nil
	case target == "active-workers":
		for p, one := range r.processes {
			if one.serves && p.Worker > 0 {
				to = append(to, fmt.Sprint("worker", p.Worker))
			}
		}
		slices.Sort(to)
		return slices.Compact(to), nil
	case kind == "worker" && isNumber && strings.HasPrefix(target, "worker"):
		if n > r.workers {
			return nil, control.Refuse("unable to register signal: there is no %s, as there are %d workers", target, r.workers)
		}
		return []string{target}, nil
	case kind == "farm" && strings.HasPrefix(rest, "_"):
		if slices.ContainsFunc(r.farms, func(f Farm) bool { return f.Name == rest[1:] }) {
			to = []string{"farm:" + rest[1:]}
		}
		return to, nil
	case kind == "farm" && isNumber:
		if 1 <= n && n <= len(r.farms) {
			to = []string{"farm:" + r.farms[n-1].Name}
		}
		return to, nil
	case kind == "mule" && rest == "s":
		for n := range r.beside[kind] {
			to = append(to, fmt.Sprint("mule", n+1))
		}
		return to, nil
	case kind == "mule" && (rest == "" || isNumber), target == "spooler":
		if r.beside[kind] == 0 || n > r.beside[kind] {
			return nil, nil
		}
		if n == 0 {
			return []string{kind}, nil
		}
		return []string{target}, nil
	}
	return nil, control.Refuse("unable to register signal: %.64q is no target: name worker, workers, active-workers, workerN, mule, mules, muleN, farm_NAME, farmN or spooler", target)
}

// meant reports whether a process is one of those that a delivery is for.
func (r *Router) meant(p *control.Peer, to string) bool {
	kind, number := p.Kind, p.Number
	if p.Worker > 0 {
		kind, number = "worker", p.Worker
	}
	if farm, ok := strings.CutPrefix(to, "farm:"); ok {
		return kind == "mule" && slices.ContainsFunc(r.farms, func(f Farm) bool { return f.Name == farm && slices.Contains(f.Mules, number) })
	}
	return kind != "" && (to == kind || to == fmt.Sprint(kind, number))
}

// tooMany reports whether no more signals may wait for a process beside the workers.
func (r *Router) tooMany(to string) bool {
	waiting := 0
	for _, d := range r.pending {
		if d.to == to {
			waiting++
		}
	}
	if waiting < mostBeside {
		return false
	}
	if now := r.now(); now.Sub(r.full) > 10*time.Second {
		r.full = now
		r.logf("*** SIGNAL QUEUE IS FULL: %d signals wait for %s, which does not take them; what comes is dropped ***", waiting, to)
	}
	return true
}
