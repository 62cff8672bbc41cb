package main

import (
	"fmt"
	"os"
	"runtime"
	"runtime/debug"
	"strings"

	"github.com/uwsgo/uwsgo/cmd/internal/config"
	"github.com/uwsgo/uwsgo/cmd/internal/home"
)

// version is set by -ldflags -X at a release. After go install Go knows it.
var version = ""

// commit is set in the same way.
var commit = ""

func init() {
	if info, ok := debug.ReadBuildInfo(); ok && version == "" && strings.HasPrefix(info.Main.Version, "v") && !strings.HasPrefix(info.Main.Version, "v0.0.0-") {
		version = strings.TrimPrefix(info.Main.Version, "v")
	}
	if version == "" {
		version = "0.1.0-dev"
	}
}

// versionText is what --version prints: the version, and what a bug report has to name. The Python
// is the one that would run an app.
func versionText(cfg *config.Config, name, self string) string {
	line := config.VersionLine(name, version)
	if !strings.HasPrefix(line, "uwsgo ") {
		return line // scripts compare it
	}
	dir, _ := os.Getwd()
	// Nothing runs, so there is nothing to warn of.
	a := newApp(&site{cfg: cfg, home: dir, dir: dir}, self, func(string, ...any) {})
	python := "none: "
	if path, _, err := a.interpreter(); err != nil {
		python += err.Error()
	} else {
		python = strings.TrimSpace(home.Version(path) + " at " + path)
	}
	return line + fmt.Sprintf("commit %s\n%s %s/%s\nPython %s\n", builtFrom(), runtime.Version(), runtime.GOOS, runtime.GOARCH, python)
}

// builtFrom is the commit that the program was built from.
func builtFrom() string {
	if commit != "" {
		return commit
	}
	from := "unknown"
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, s := range info.Settings {
			switch {
			case s.Key == "vcs.revision":
				from = s.Value
			case s.Key == "vcs.modified" && s.Value == "true":
				from += " and changes"
			}
		}
	}
	return from
}
