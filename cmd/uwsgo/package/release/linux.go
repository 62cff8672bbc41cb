package main

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
)

// nfpm is the tool that makes packages for Debian and Fedora.
const nfpm = "github.com/goreleaser/nfpm/v2/cmd/nfpm@v2.45.2"

// linuxPackage writes a package of the format deb or rpm.
func (r *release) linuxPackage(ctx context.Context, format string, b *build, extras []extra) error {
	folder := filepath.Dir(b.path)
	for _, e := range extras {
		path := filepath.Join(folder, e.archived)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(path, e.content, 0o644); err != nil {
			return err
		}
	}
	packages := filepath.Join(r.root, "cmd/uwsgo/package/linux")
	replace := strings.NewReplacer(
		versionMark, r.source.version.String(),
		"@ARCH@", b.target.arch,
		"@BUILT@", folder,
		"@LINUX@", packages,
		"@ROOT@", r.root,
		"@TIME@", r.source.when.Format("2006-01-02T15:04:05Z"),
	)
	template, err := os.ReadFile(filepath.Join(packages, "nfpm.yaml"))
	if err != nil {
		return err
	}
	config := filepath.Join(folder, "nfpm.yaml")
	if err := os.WriteFile(config, []byte(replace.Replace(string(template))), 0o644); err != nil {
		return err
	}
	into := filepath.Join(folder, format)
	if err := os.MkdirAll(into, 0o755); err != nil {
		return err
	}
	cmd := exec.CommandContext(ctx, "go", "run", nfpm, "package", "--config", config, "--packager", format, "--target", into)
	cmd.Dir = r.root
	cmd.Env = append(os.Environ(), "SOURCE_DATE_EPOCH="+strconv.FormatInt(r.source.when.Unix(), 10))
	if _, err := output(cmd); err != nil {
		return err
	}
	made, err := filepath.Glob(filepath.Join(into, "*."+format))
	if err != nil {
		return err
	}
	for _, path := range made {
		content, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		if err := r.write(filepath.Base(path), content); err != nil {
			return err
		}
	}
	return nil
}
