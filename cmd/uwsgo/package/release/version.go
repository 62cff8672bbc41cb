package main

import (
	"context"
	"fmt"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// version is a semantic version: 1.2.3, or 1.2.3-rc.1 before it.
type version struct {
	number string // 1.2.3
	stage  string // alpha, beta, rc, dev; empty for a release
	count  string // of the stage
}

var versionText = regexp.MustCompile(`^([0-9]+\.[0-9]+\.[0-9]+)(?:-(alpha|beta|rc|dev)\.([0-9]+))?$`)

func parseVersion(text string) (version, error) {
	m := versionText.FindStringSubmatch(text)
	if m == nil {
		return version{}, fmt.Errorf("version %q: want 1.2.3, or 1.2.3-rc.1 with one of alpha, beta, rc and dev", text)
	}
	return version{m[1], m[2], m[3]}, nil
}

// String returns the version as the program prints it. Tags have a v before it.
func (v version) String() string {
	if v.stage == "" {
		return v.number
	}
	return v.number + "-" + v.stage + "." + v.count
}

// python returns the version in the form of PEP 440.
func (v version) python() string {
	short := map[string]string{"alpha": "a", "beta": "b", "rc": "rc", "dev": ".dev"}
	if v.stage == "" {
		return v.number
	}
	return v.number + short[v.stage] + v.count
}

// source is the commit that is built.
type source struct {
	version version
	commit  string
	changed bool      // the folder differs from the commit
	when    time.Time // of the commit: every file in every artifact has this time
}

// named returns the commit as the program prints it.
func (s source) named() string {
	if s.changed {
		return s.commit + "+changes"
	}
	return s.commit
}

// readSource asks git. The version is number, or else that of the commit's tag. A commit
// without a tag is a snapshot of the version after the last tag.
func readSource(ctx context.Context, root, number string) (source, error) {
	git := func(args ...string) (string, error) {
		return output(exec.CommandContext(ctx, "git", append([]string{"-C", root}, args...)...))
	}
	var s source
	var err error
	if s.commit, err = git("rev-parse", "HEAD"); err != nil {
		return s, err
	}
	seconds, err := git("show", "-s", "--format=%ct", "HEAD")
	if err != nil {
		return s, err
	}
	unix, err := strconv.ParseInt(seconds, 10, 64)
	if err != nil {
		return s, err
	}
	s.when = time.Unix(unix, 0).UTC()
	changed, err := git("status", "--porcelain", "--untracked-files=no")
	if err != nil {
		return s, err
	}
	s.changed = changed != ""
	if number != "" {
		s.version, err = parseVersion(number)
		return s, err
	}
	tags := []string{"describe", "--tags", "--abbrev=0", "--match", "v[0-9]*"}
	if tag, err := git(append(tags, "--exact-match")...); err == nil {
		if s.changed {
			return s, fmt.Errorf("the tag %s is not what would be built: commit or undo\n%s", tag, changed)
		}
		s.version, err = parseVersion(strings.TrimPrefix(tag, "v"))
		return s, err
	}
	count, err := git("rev-list", "--count", "HEAD")
	if err != nil {
		return s, err
	}
	s.version = version{"0.1.0", "dev", count}
	if tag, err := git(tags...); err == nil {
		last, err := parseVersion(strings.TrimPrefix(tag, "v"))
		if err != nil {
			return s, err
		}
		s.version.number = last.next()
	}
	return s, nil
}

// next returns the number of the version that follows v. Snapshots after v have it.
func (v version) next() string {
	if v.stage != "" {
		return v.number
	}
	at := strings.LastIndexByte(v.number, '.')
	patch, _ := strconv.Atoi(v.number[at+1:])
	return v.number[:at+1] + strconv.Itoa(patch+1)
}
