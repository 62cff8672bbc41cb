// The release program builds all parts of a uwsgo release: wheels, archives, packages for
// Debian and Fedora, a bill of materials, a statement of provenance, release notes and
// checksums. The same commit gives the same bytes at any time and on any machine.
//
//	go run ./cmd/uwsgo/package/release -out build/dist
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "release:", err)
		os.Exit(1)
	}
}

// kinds are the values of -kinds.
var kinds = []string{"wheel", "sdist", "archive", "deb", "rpm"}

func run(ctx context.Context, args []string) error {
	flags := flag.NewFlagSet("release", flag.ContinueOnError)
	out := flags.String("out", "build/dist", "the folder to build into; what a release has left there is removed")
	number := flags.String("version", "", "a version such as 1.2.3-rc.1, in place of the one that the tags of git tell")
	targets := flags.String("targets", "linux/amd64,linux/arm64,darwin/amd64,darwin/arm64", "the systems to build for")
	which := flags.String("kinds", strings.Join(kinds, ","), "what to build")
	if err := flags.Parse(args); err != nil {
		return err
	}
	root, err := repository(ctx)
	if err != nil {
		return err
	}
	r := &release{root: root, out: *out, kinds: strings.Split(*which, ",")}
	for _, kind := range r.kinds {
		if !slices.Contains(kinds, kind) {
			return fmt.Errorf("-kinds: %q is none of %s", kind, strings.Join(kinds, ", "))
		}
	}
	for name := range strings.SplitSeq(*targets, ",") {
		t, err := parseTarget(name)
		if err != nil {
			return err
		}
		r.targets = append(r.targets, t)
	}
	if r.source, err = readSource(ctx, root, *number); err != nil {
		return err
	}
	return r.build(ctx)
}

// release is one run: what it builds, from which source, for which targets.
type release struct {
	root    string // top folder of the repository
	out     string
	kinds   []string
	targets []target
	source  source
	made    []string // files, in out
}

// mark is a file that marks the output folder. A folder with files but without mark is not
// ours, so it is not emptied.
const mark = ".uwsgo-release"

func (r *release) build(ctx context.Context) error {
	if err := empty(r.out); err != nil {
		return err
	}
	work, err := os.MkdirTemp("", "uwsgo-release-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(work)
	fmt.Printf("uwsgo %s, commit %s\n", r.source.version, r.source.commit)
	extras, err := r.extras()
	if err != nil {
		return err
	}
	for _, t := range r.targets {
		b, err := r.compile(ctx, t, work)
		if err != nil {
			return err
		}
		steps := []struct {
			kind string
			make func() error
		}{
			{"wheel", func() error { return r.wheel(b) }},
			{"archive", func() error { return r.archive(b, extras) }},
			{"deb", func() error { return r.linuxPackage(ctx, "deb", b, extras) }},
			{"rpm", func() error { return r.linuxPackage(ctx, "rpm", b, extras) }},
		}
		for _, s := range steps {
			if !slices.Contains(r.kinds, s.kind) || t.os != "linux" && (s.kind == "deb" || s.kind == "rpm") {
				continue
			}
			if err := s.make(); err != nil {
				return fmt.Errorf("%s for %s: %w", s.kind, t, err)
			}
		}
		if err := r.write("uwsgo-"+r.source.version.String()+"-"+t.dashed()+".cdx.json", b.materials); err != nil {
			return err
		}
	}
	if slices.Contains(r.kinds, "wheel") {
		if err := r.nameWheel(); err != nil {
			return err
		}
	}
	if slices.Contains(r.kinds, "sdist") {
		if err := r.sdist(); err != nil {
			return err
		}
	}
	if err := r.notes(); err != nil {
		return err
	}
	return r.seal()
}

// write writes a file of the release.
func (r *release) write(name string, content []byte) error {
	if slices.Contains(r.made, name) {
		return fmt.Errorf("%s is made twice", name)
	}
	r.made = append(r.made, name)
	fmt.Printf("  %-64s %6.2f MB\n", name, float64(len(content))/1e6)
	return os.WriteFile(filepath.Join(r.out, name), content, 0o644)
}

// empty makes the folder, or removes what an earlier run has built there.
func empty(dir string) error {
	found, err := os.ReadDir(dir)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	if len(found) > 0 {
		if _, err := os.Stat(filepath.Join(dir, mark)); err != nil {
			return fmt.Errorf("%s has files that no release has put there: name another folder with -out", dir)
		}
		for _, f := range found {
			if err := os.Remove(filepath.Join(dir, f.Name())); err != nil {
				return err
			}
		}
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, mark), nil, 0o644)
}

// repository returns the top folder of the repository that the program is run in.
func repository(ctx context.Context) (string, error) {
	out, err := output(exec.CommandContext(ctx, "git", "rev-parse", "--show-toplevel"))
	if err != nil {
		return "", fmt.Errorf("run it inside a clone of the repository: %w", err)
	}
	return out, nil
}

// output runs a command and returns its output without surrounding whitespace. The error
// has what the command prints on standard error.
func output(cmd *exec.Cmd) (string, error) {
	var said strings.Builder
	cmd.Stderr = &said
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("%s: %w: %s", strings.Join(cmd.Args, " "), err, strings.TrimSpace(said.String()))
	}
	return strings.TrimSpace(string(out)), nil
}
