package main

import (
	"fmt"
	"io"
	"path"
	"slices"
	"strings"

	"github.com/uwsgo/uwsgo/bench/peers"
	"github.com/uwsgo/uwsgo/bench/workload"
	"github.com/uwsgo/uwsgo/cmd/internal/nearest"
)

// chooseWorkloads returns the named workloads in the order of the report, or all of them.
func chooseWorkloads(names []string) ([]workload.Workload, error) {
	all := workload.All()
	if len(names) == 0 {
		return all, nil
	}
	var known []string
	for _, w := range all {
		known = append(known, w.Name)
	}
	for _, name := range names {
		if strings.HasPrefix(name, "-") {
			return nil, fmt.Errorf("flags such as %s come before the workloads", name)
		}
		if !slices.Contains(known, name) {
			return nil, unknown("workload", name, known)
		}
	}
	return slices.DeleteFunc(all, func(w workload.Workload) bool { return !slices.Contains(names, w.Name) }), nil
}

// choosePeers returns the peers whose names match one of the comma-separated
// patterns, and those that the command line describes.
func choosePeers(patterns string, adHoc []string) ([]peers.Peer, error) {
	all, chosen := peers.All(), map[string]bool{}
	for _, text := range adHoc {
		p, err := peers.Parse(text)
		if err != nil {
			return nil, err
		}
		if slices.ContainsFunc(all, func(other peers.Peer) bool { return other.Name == p.Name }) {
			return nil, fmt.Errorf("-peer: two servers are called %q; choose another name for one", p.Name)
		}
		all = append(all, p)
		chosen[p.Name] = true
	}
	for pattern := range strings.SplitSeq(patterns, ",") {
		pattern = strings.TrimSpace(pattern)
		found := false
		for _, p := range all {
			match, err := path.Match(pattern, p.Name)
			if err != nil {
				return nil, fmt.Errorf("-peers: %q is no pattern: %w", pattern, err)
			}
			if match {
				found, chosen[p.Name] = true, true
			}
		}
		if !found {
			var known []string
			for _, p := range all {
				known = append(known, p.Name)
			}
			return nil, unknown("server", pattern, known)
		}
	}
	return slices.DeleteFunc(all, func(p peers.Peer) bool { return !chosen[p.Name] }), nil
}

func unknown(kind, name string, known []string) error {
	hint := `"uwsgo-bench list" shows all`
	if near := nearest.Name(name, known); near != "" {
		hint = fmt.Sprintf("did you mean %s? %s", near, hint)
	}
	return fmt.Errorf("there is no %s %q; %s", kind, name, hint)
}

// list prints the workloads and peers that can be measured.
func list(w io.Writer) error {
	var b strings.Builder
	b.WriteString("Workloads:\n")
	for _, wl := range workload.All() {
		fmt.Fprintf(&b, "  %-14s %s\n", wl.Name, wl.About)
	}
	b.WriteString("\nServers:\n")
	for _, p := range peers.All() {
		fmt.Fprintf(&b, "  %-22s %s\n", p.Name, p.About)
	}
	_, err := io.WriteString(w, b.String())
	return err
}
