package peers

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// ErrUnreachable is in the error of an installation that failed because the
// package index did not answer. Others would wait for it in vain too.
var ErrUnreachable = errors.New("the package index cannot be reached")

// Install brings the Python packages of a peer into the virtualenv env, which it makes with
// python if it is not there. It leaves packages at the wanted version alone. The error is why
// the peer is absent, in one line; log gets what pip says. Installations into one virtualenv
// must not run at the same time.
func Install(ctx context.Context, env, python string, p Peer, log io.Writer) error {
	if err := InstallPackages(ctx, env, python, p.Install, log); err != nil {
		return fmt.Errorf("%s cannot be installed: %w", p.Name, err)
	}
	return nil
}

// Virtualenv makes the virtualenv env with the program python if it is not there.
func Virtualenv(ctx context.Context, env, python string) error {
	if _, err := os.Stat(bin(Tools{Env: env}, "python")); err == nil {
		return nil
	}
	if out, err := exec.CommandContext(ctx, python, "-m", "venv", env).CombinedOutput(); err != nil {
		if errors.Is(err, exec.ErrNotFound) {
			return fmt.Errorf("there is no program %s to make a virtualenv with: install Python 3, or name it with -python", python)
		}
		return fmt.Errorf("no virtualenv can be made in %s with %s (apt-get install python3-venv): %w: %s", env, python, err, firstOf(string(out)))
	}
	return nil
}

// InstallPackages is Install for packages, given as name==version.
func InstallPackages(ctx context.Context, env, python string, packages []string, log io.Writer) error {
	var wanted []string
	for _, p := range packages {
		if name, want, _ := strings.Cut(p, "=="); version(env, name) != want {
			wanted = append(wanted, p)
		}
	}
	if len(wanted) == 0 {
		return nil
	}
	if err := Virtualenv(ctx, env, python); err != nil {
		return err
	}
	fmt.Fprintf(log, "installing %s\n", strings.Join(wanted, " "))
	// Without an answer pip would try for minutes.
	args := []string{"-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-input", "--timeout", "15", "--retries", "1"}
	cmd := exec.CommandContext(ctx, bin(Tools{Env: env}, "python"), append(args, wanted...)...)
	var out bytes.Buffer
	cmd.Stdout = io.MultiWriter(&out, log)
	cmd.Stderr = cmd.Stdout
	if err := cmd.Run(); err != nil {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		return reason(out.String(), err)
	}
	return nil
}

// hints tell what pip's output means, and what helps.
var hints = []struct{ says, means string }{
	{"ev.h: No such file", "libev headers are missing (apt-get install libev-dev)"},
	{"Python.h: No such file", "Python headers are missing (apt-get install python3-dev)"},
	{"stdio.h: No such file", "C headers are missing (apt-get install libc6-dev)"},
	{"cc' failed: No such file", "there is no C compiler (apt-get install gcc)"},
	{"cc failed: No such file", "there is no C compiler (apt-get install gcc)"},
	{"you need a C compiler", "there is no C compiler (apt-get install gcc)"},
	{"No module named pip", "the virtualenv has no pip; remove it"},
	{"No space left on device", "the disk is full"},
}

// reason makes one line of what pip wrote before it failed.
func reason(output string, err error) error {
	for _, hint := range hints {
		if strings.Contains(output, hint.says) {
			return errors.New(hint.means)
		}
	}
	for _, sign := range []string{"NewConnectionError", "ConnectTimeoutError", "ReadTimeoutError", "Temporary failure in name resolution", "ProxyError", "Max retries exceeded"} {
		if strings.Contains(output, sign) {
			return ErrUnreachable
		}
	}
	if line := firstOf(output); line != "" {
		return errors.New(line)
	}
	return fmt.Errorf("pip failed: %w", err)
}

// firstOf gives the first line of pip's output that tells an error, else the last line.
func firstOf(output string) string {
	lines := strings.Split(strings.TrimSpace(output), "\n")
	for _, line := range lines {
		if lower := strings.ToLower(line); strings.Contains(lower, "error:") && !strings.Contains(lower, "subprocess-exited-with-error") {
			return strings.TrimSpace(line)
		}
	}
	return strings.TrimSpace(lines[len(lines)-1])
}

// version returns the version of an installed package, or nothing.
func version(env, name string) string {
	// The package's metadata directory is complete once RECORD is in it.
	records, _ := filepath.Glob(filepath.Join(env, "lib", "python*", "site-packages", "*.dist-info", "RECORD"))
	for _, record := range records {
		info := strings.TrimSuffix(filepath.Base(filepath.Dir(record)), ".dist-info")
		if found, number, ok := strings.Cut(info, "-"); ok && normal(found) == normal(name) {
			return number
		}
	}
	return ""
}

// normal makes the spellings of a package's name the same.
func normal(name string) string {
	return strings.NewReplacer("-", "_", ".", "_").Replace(strings.ToLower(name))
}

// missingPackage names the first of some packages that the virtualenv lacks.
func missingPackage(t Tools, names ...string) string {
	if t.Env == "" {
		return "a virtualenv"
	}
	for _, name := range names {
		if version(t.Env, name) == "" {
			return name + " in the virtualenv " + t.Env
		}
	}
	return ""
}
