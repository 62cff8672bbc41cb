package check

import (
	"encoding/json"
	"io"
	"net/url"
	"path/filepath"
)

// JSON writes reports for programs.
func JSON(w io.Writer, reports []*Report) error {
	out := struct {
		Version int       `json:"version"` // of this form
		Files   []*Report `json:"files"`
	}{1, reports}
	return encode(w, out)
}

func encode(w io.Writer, v any) error {
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	return e.Encode(v)
}

// The parts of SARIF 2.1.0 that are written.
type (
	sarifLog struct {
		Schema  string     `json:"$schema"`
		Version string     `json:"version"`
		Runs    []sarifRun `json:"runs"`
	}
	sarifRun struct {
		Tool    sarifTool     `json:"tool"`
		Results []sarifResult `json:"results"`
	}
	sarifTool struct {
		Driver sarifDriver `json:"driver"`
	}
	sarifDriver struct {
		Name    string      `json:"name"`
		Version string      `json:"version"`
		Rules   []sarifRule `json:"rules"`
	}
	sarifRule struct {
		ID    string    `json:"id"`
		Short sarifText `json:"shortDescription"`
	}
	sarifText struct {
		Text string `json:"text"`
	}
	sarifResult struct {
		Rule      string          `json:"ruleId"`
		Level     Level           `json:"level"`
		Message   sarifText       `json:"message"`
		Locations []sarifLocation `json:"locations"`
	}
	sarifLocation struct {
		Physical sarifPhysical `json:"physicalLocation"`
	}
	sarifPhysical struct {
		Artifact sarifArtifact `json:"artifactLocation"`
		Region   sarifRegion   `json:"region"`
	}
	sarifArtifact struct {
		URI string `json:"uri"`
	}
	sarifRegion struct {
		StartLine int `json:"startLine"`
	}
)

// The rules of the lists, besides those of findings.
const (
	lostRule      = "lost"
	differentRule = "different"
	notNeededRule = "not-needed"
)

var sarifRules = []sarifRule{
	{Values, sarifText{"an option or its value"}},
	{Apps, sarifText{"the app and its import"}},
	{Paths, sarifText{"files and directories"}},
	{Addresses, sarifText{"addresses to listen on"}},
	{Users, sarifText{"user and group of the server"}},
	{Limited, sarifText{"limits of the system"}},
	{Hooks, sarifText{"hooks"}},
	{lostRule, sarifText{"a function of uWSGI that is lost"}},
	{differentRule, sarifText{"an option that works in another way than in uWSGI"}},
	{notNeededRule, sarifText{"an option that is not needed"}},
}

// SARIF writes reports for code scanners. A finding without a place is at the beginning of the
// checked file.
func SARIF(w io.Writer, reports []*Report, version string) error {
	run := sarifRun{Tool: sarifTool{sarifDriver{"uwsgo check", version, sarifRules}}, Results: []sarifResult{}}
	for _, r := range reports {
		add := func(rule string, level Level, option, text, file string, line int) {
			if option != "" {
				text = option + ": " + text
			}
			if file == "" {
				file = r.Name
			}
			result := sarifResult{rule, level, sarifText{text}, []sarifLocation{}}
			if file != "" {
				result.Locations = append(result.Locations, sarifLocation{sarifPhysical{sarifArtifact{uri(file)}, sarifRegion{max(line, 1)}}})
			}
			run.Results = append(run.Results, result)
		}
		for _, f := range r.Findings {
			text := f.Message
			if f.Output != "" {
				text += "\n" + f.Output
			}
			add(f.Rule, f.Level, f.Option, text, f.File, f.Line)
		}
		for _, i := range r.Lost {
			add(lostRule, Warning, i.Option, i.Why, i.File, i.Line)
		}
		for _, i := range r.Different {
			add(differentRule, Note, i.Option, i.Why, i.File, i.Line)
		}
		for _, i := range r.NotNeeded {
			add(notNeededRule, Note, i.Option, i.Why, i.File, i.Line)
		}
	}
	return encode(w, sarifLog{"https://json.schemastore.org/sarif-2.1.0.json", "2.1.0", []sarifRun{run}})
}

// uri returns a file as SARIF names it: relative ones stay relative.
func uri(file string) string {
	if filepath.IsAbs(file) {
		return (&url.URL{Scheme: "file", Path: file}).String()
	}
	return (&url.URL{Path: filepath.ToSlash(file)}).String()
}
