package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// target is an operating system and an architecture to build for.
type target struct{ os, arch string }

func (t target) String() string { return t.os + "/" + t.arch }
func (t target) dashed() string { return t.os + "-" + t.arch }

// platforms maps targets to the platform tags of wheels. A static binary runs with every C
// library of Linux, so one wheel names them all. The oldest macOS is that of the Go in go.mod.
var platforms = map[target][]string{
	{"linux", "amd64"}:  {"manylinux_2_17_x86_64", "manylinux2014_x86_64", "musllinux_1_1_x86_64"},
	{"linux", "arm64"}:  {"manylinux_2_17_aarch64", "manylinux2014_aarch64", "musllinux_1_1_aarch64"},
	{"darwin", "amd64"}: {"macosx_12_0_x86_64"},
	{"darwin", "arm64"}: {"macosx_12_0_arm64"},
}

func parseTarget(name string) (target, error) {
	system, arch, _ := strings.Cut(name, "/")
	t := target{system, arch}
	if platforms[t] == nil {
		return t, fmt.Errorf("-targets: %q is no system that is built for, such as linux/amd64", name)
	}
	return t, nil
}

// build is a compiled program.
type build struct {
	target    target
	path      string
	content   []byte
	materials []byte // its bill of materials
}

// compile builds the program. The commit goes into it. Nothing of this machine does, neither
// paths nor environment.
func (r *release) compile(ctx context.Context, t target, work string) (*build, error) {
	b := &build{target: t, path: filepath.Join(work, t.dashed(), "uwsgo")}
	cmd := exec.CommandContext(ctx, "go", "build", "-trimpath", "-buildvcs=false", "-ldflags", "-s -w -X main.version="+r.source.version.String()+" -X main.commit="+r.source.named(), "-o", b.path, "./cmd/uwsgo")
	cmd.Dir = r.root
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS="+t.os, "GOARCH="+t.arch, "GOAMD64=v1", "GOARM64=v8.0", "GOFLAGS=", "GOEXPERIMENT=")
	if _, err := output(cmd); err != nil {
		return nil, err
	}
	var err error
	if b.content, err = os.ReadFile(b.path); err != nil {
		return nil, err
	}
	b.materials, err = materials(b.path, r.source)
	return b, err
}
