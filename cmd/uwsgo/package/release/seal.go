package main

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
)

// seal writes the statement of provenance for all files, and their checksums.
func (r *release) seal() error {
	slices.Sort(r.made)
	type subject struct {
		Name   string            `json:"name"`
		Digest map[string]string `json:"digest"`
	}
	var subjects []subject
	for _, name := range r.made {
		sum, err := r.sum(name)
		if err != nil {
			return err
		}
		subjects = append(subjects, subject{name, map[string]string{"sha256": sum}})
	}
	statement, err := json.MarshalIndent(map[string]any{
		"_type":         "https://in-toto.io/Statement/v1",
		"subject":       subjects,
		"predicateType": "https://slsa.dev/provenance/v1",
		"predicate": map[string]any{
			"buildDefinition": map[string]any{
				"buildType":            "https://github.com/uwsgo/uwsgo/blob/main/docs/RELEASING.md",
				"externalParameters":   map[string]any{"version": r.source.version.String(), "commit": r.source.commit},
				"internalParameters":   map[string]any{"go": runtime.Version(), "nfpm": nfpm},
				"resolvedDependencies": []any{map[string]any{"uri": "git+https://github.com/uwsgo/uwsgo", "digest": map[string]string{"gitCommit": r.source.commit}}},
			},
			"runDetails": map[string]any{"builder": map[string]string{"id": "https://github.com/uwsgo/uwsgo/tree/main/cmd/uwsgo/package/release"}},
		},
	}, "", " ")
	if err != nil {
		return err
	}
	if err := r.write("uwsgo-"+r.source.version.String()+".intoto.json", statement); err != nil {
		return err
	}
	slices.Sort(r.made)
	var sums strings.Builder
	for _, name := range r.made {
		sum, err := r.sum(name)
		if err != nil {
			return err
		}
		fmt.Fprintf(&sums, "%s  %s\n", sum, name)
	}
	return r.write("SHA256SUMS", []byte(sums.String()))
}

func (r *release) sum(name string) (string, error) {
	content, err := os.ReadFile(filepath.Join(r.out, name))
	sum := sha256.Sum256(content)
	return hex.EncodeToString(sum[:]), err
}
