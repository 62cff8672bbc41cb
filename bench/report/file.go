// Package report shows a run to its reader: results.json, Markdown, a page for
// the browser, a table for the terminal, and a comparison of two runs. It
// measures nothing, and everything that it says is computed from the run.
package report

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/uwsgo/uwsgo/bench/result"
)

// maxFile bounds what ReadJSON takes into memory, in bytes. The longest run of
// all workloads with ten rounds has some 20 MiB.
const maxFile = 256 << 20

// WriteJSON writes a run to path. The file is whole at any time: it is written
// beside path and then takes its place.
func WriteJSON(path string, run *result.Run) error {
	b, err := json.MarshalIndent(run, "", " ")
	if err != nil {
		return fmt.Errorf("encode results: %w", err)
	}
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".*")
	if err != nil {
		return fmt.Errorf("write results: %w", err)
	}
	defer func() { _ = os.Remove(f.Name()) }() // not there any more when all went well
	_, err = f.Write(append(b, '\n'))
	if closed := f.Close(); err == nil {
		err = closed
	}
	if err == nil {
		err = os.Chmod(f.Name(), 0o644) // CreateTemp's 0600 would hide it from its publisher
	}
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		return fmt.Errorf("write results: %w", err)
	}
	return nil
}

// ReadJSON reads a run that WriteJSON wrote.
func ReadJSON(path string) (*result.Run, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("read results: %w", err)
	}
	defer f.Close()
	run, err := decode(f, maxFile)
	if err != nil {
		return nil, fmt.Errorf("read results: %s: %w", path, err)
	}
	return run, nil
}

// decode reads a run of at most limit bytes.
func decode(r io.Reader, limit int64) (*result.Run, error) {
	b, err := io.ReadAll(io.LimitReader(r, limit+1))
	if err != nil {
		return nil, err
	}
	if int64(len(b)) > limit {
		return nil, fmt.Errorf("more than %d MiB: not a results.json of uwsgo-bench", limit>>20)
	}
	// The format first: another one may give the same names other types.
	var head struct {
		Format *int `json:"format"`
	}
	if err := json.Unmarshal(b, &head); err != nil {
		return nil, fmt.Errorf("not a results.json of uwsgo-bench: %w", err)
	}
	switch {
	case head.Format == nil:
		return nil, fmt.Errorf("not a results.json of uwsgo-bench: it names no format")
	case *head.Format != result.Format:
		return nil, fmt.Errorf("format %d, and this uwsgo-bench reads format %d: use the uwsgo-bench that wrote it, or measure again", *head.Format, result.Format)
	}
	run := &result.Run{}
	if err := json.Unmarshal(b, run); err != nil {
		return nil, fmt.Errorf("not a results.json of uwsgo-bench: %w", err)
	}
	if err := bound(run); err != nil {
		return nil, err
	}
	return run, nil
}

// Bounds of what a report shows. No run of the harness comes near them. Without them a forged
// file could make a report of any size, because tables of pairs grow with the square of the
// servers.
const (
	maxWorkloads = 200
	maxServers   = 64 // of a workload
	maxCases     = 64 // of a workload
	maxName      = 200
	maxText      = 4096
)

// bound refuses a run that is larger than any report should be, and cuts texts.
func bound(run *result.Run) error {
	if n := len(run.Workloads); n > maxWorkloads {
		return fmt.Errorf("%d workloads are more than the %d that a report shows", n, maxWorkloads)
	}
	cut(maxName, &run.Harness, &run.Machine.CPU, &run.Machine.System, &run.Machine.Kernel, &run.Machine.Go, &run.Machine.Python)
	cut(maxText, &run.Settings.Pinning)
	for i := range run.Peers {
		p := &run.Peers[i]
		cut(maxName, &p.Name, &p.Version)
		cut(maxText, &p.About, &p.Absent)
	}
	for i := range run.Workloads {
		w := &run.Workloads[i]
		if len(w.Entries) > maxServers || len(w.Cases) > maxCases || len(w.Metrics) > maxCases || len(w.Chart) > maxCases {
			return fmt.Errorf("workload %.40q has more servers, cases or metrics than the %d that a report shows", w.Name, maxServers)
		}
		cut(maxName, &w.Name, &w.Title, &w.Base)
		cut(maxText, &w.About)
		for _, names := range [][]string{w.Cases, w.Metrics, w.Chart} {
			for j := range names {
				cut(maxName, &names[j])
			}
		}
		for j := range w.Absent {
			cut(maxName, &w.Absent[j].Peer)
			cut(maxText, &w.Absent[j].Reason)
		}
		for j := range w.Entries {
			e := &w.Entries[j]
			cut(maxName, &e.Peer, &e.Class, &e.Shape, &e.Connection, &e.NoDelay)
			cut(maxText, &e.Failed)
			for k := range e.Samples {
				s := &e.Samples[k]
				cut(maxName, &s.Case)
				for l := range s.Notes {
					cut(maxText, &s.Notes[l])
				}
				for l := range s.Marks {
					cut(maxName, &s.Marks[l].Text)
				}
			}
		}
	}
	return nil
}

// cut cuts texts to n bytes, whole characters.
func cut(n int, texts ...*string) {
	for _, s := range texts {
		if len(*s) > n {
			*s = strings.ToValidUTF8((*s)[:n], "") + "…"
		}
	}
}
