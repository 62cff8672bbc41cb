package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// notes writes the changelog's section for this version.
func (r *release) notes() error {
	changelog, err := os.ReadFile(filepath.Join(r.root, "docs", "CHANGELOG.md"))
	if err != nil {
		return err
	}
	text, err := section(string(changelog), r.source.version)
	if err != nil {
		return err
	}
	return r.write("RELEASE_NOTES.md", []byte(text))
}

// section returns the changelog's section for a version. A prerelease or snapshot without
// its own section gets the unreleased one.
func section(changelog string, v version) (string, error) {
	heading := "## [" + v.String() + "]"
	_, text, found := strings.Cut(changelog, "\n"+heading)
	if !found && v.stage != "" {
		heading = "## [Unreleased]"
		_, text, found = strings.Cut(changelog, "\n"+heading)
	}
	if !found {
		return "", fmt.Errorf("docs/CHANGELOG.md has no part %s: put it over what is released", heading)
	}
	_, text, _ = strings.Cut(text, "\n") // the date
	text, _, _ = strings.Cut(text, "\n## ")
	if strings.TrimSpace(text) == "" {
		return "", fmt.Errorf("docs/CHANGELOG.md: the part %s is empty", heading)
	}
	return "# uwsgo " + v.String() + "\n\n" + strings.TrimSpace(text) + "\n", nil
}
