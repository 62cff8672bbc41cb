package main

import (
	"debug/buildinfo"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"runtime/debug"
	"slices"
	"strings"
)

// component is a part of the program, as CycloneDX 1.6 describes one.
type component struct {
	Ref      string     `json:"bom-ref"`
	Type     string     `json:"type"`
	Name     string     `json:"name"`
	Version  string     `json:"version"`
	Hashes   []hash     `json:"hashes,omitempty"`
	Purl     string     `json:"purl,omitempty"`
	Licences []licence  `json:"licenses,omitempty"`
	Origins  []external `json:"externalReferences,omitempty"`
}

type hash struct {
	Algorithm string `json:"alg"`
	Content   string `json:"content"`
}

type licence struct {
	Licence struct {
		ID string `json:"id"`
	} `json:"license"`
}

type external struct {
	Type string `json:"type"`
	URL  string `json:"url"`
}

// materials returns a program's bill of materials. It reads the build information that Go puts
// into the program, so it lists what is linked and nothing else.
func materials(path string, s source) ([]byte, error) {
	info, err := buildinfo.ReadFile(path)
	if err != nil {
		return nil, err
	}
	main := component{
		Ref: "uwsgo", Type: "application", Name: "uwsgo", Version: s.version.String(),
		Purl:    "pkg:golang/" + info.Main.Path + "@v" + s.version.String(),
		Origins: []external{{"vcs", "https://" + info.Main.Path + "/tree/" + s.commit}},
	}
	main.Licences = make([]licence, 1)
	main.Licences[0].Licence.ID = "Apache-2.0"
	parts := []component{{
		Ref: "go", Type: "library", Name: "stdlib", Version: info.GoVersion,
		Purl: "pkg:golang/stdlib@" + strings.TrimPrefix(info.GoVersion, "go"),
	}}
	for _, m := range info.Deps {
		if m.Replace != nil {
			m = m.Replace
		}
		c, err := module(m)
		if err != nil {
			return nil, err
		}
		parts = append(parts, c)
	}
	slices.SortFunc(parts, func(a, b component) int { return strings.Compare(a.Ref, b.Ref) })
	refs := make([]string, 0, len(parts))
	for _, c := range parts {
		refs = append(refs, c.Ref)
	}
	return json.MarshalIndent(map[string]any{
		"$schema":      "http://cyclonedx.org/schema/bom-1.6.schema.json",
		"bomFormat":    "CycloneDX",
		"specVersion":  "1.6",
		"version":      1,
		"metadata":     map[string]any{"timestamp": s.when.Format("2006-01-02T15:04:05Z"), "component": main},
		"components":   parts,
		"dependencies": []map[string]any{{"ref": "uwsgo", "dependsOn": refs}},
	}, "", " ")
}

// module describes a linked module. Its hash is the one in go.sum, over the module's files.
func module(m *debug.Module) (component, error) {
	c := component{Ref: m.Path + "@" + m.Version, Type: "library", Name: m.Path, Version: m.Version, Purl: "pkg:golang/" + m.Path + "@" + m.Version}
	sum, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(m.Sum, "h1:"))
	if err != nil || len(sum) == 0 {
		return c, fmt.Errorf("module %s has no sum: %w", m.Path, err)
	}
	c.Hashes = []hash{{"SHA-256", hex.EncodeToString(sum)}}
	return c, nil
}
