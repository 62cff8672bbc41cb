package home

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"time"
)

// askTime bounds the time to ask an interpreter for its version.
const askTime = time.Second

// Version returns the version of an interpreter; empty if unknown. A virtualenv has it in
// pyvenv.cfg, and a shim of pyenv in a file too, which saves running Python.
func Version(python string) string {
	text, err := os.ReadFile(filepath.Join(filepath.Dir(filepath.Dir(python)), "pyvenv.cfg"))
	if err == nil {
		for line := range strings.Lines(string(text)) {
			key, value, _ := strings.Cut(line, "=")
			if key = strings.TrimSpace(key); key == "version" || key == "version_info" {
				return release(strings.TrimSpace(value))
			}
		}
	}
	if number := shimmed(python); number != "" {
		return number
	}
	ctx, cancel := context.WithTimeout(context.Background(), askTime)
	defer cancel()
	cmd := exec.CommandContext(ctx, python, "-I", "-S", "-c", "import sys; print('%d.%d.%d' % sys.version_info[:3])")
	cmd.WaitDelay = askTime
	out, err := cmd.Output()
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(out))
}

// release cuts virtualenv's 3.13.1.final.0 to 3.13.1.
func release(version string) string {
	parts := strings.SplitN(version, ".", 4)
	return strings.Join(parts[:min(3, len(parts))], ".")
}

var number = regexp.MustCompile(`^[0-9]+\.[0-9]+\.[0-9]+$`)

// shimmed returns the version that a shim of pyenv would run; asking the shim itself takes half a
// second. ROOT/shims/python3 runs ROOT/versions/VERSION. PYENV_VERSION names it, or .python-version
// of the folder or one above, or ROOT/version. It is empty for anything else.
func shimmed(python string) string {
	shims := filepath.Dir(python)
	if filepath.Base(shims) != "shims" {
		return ""
	}
	root := filepath.Dir(shims)
	names := strings.FieldsFunc(os.Getenv("PYENV_VERSION"), func(r rune) bool { return r == ':' })
	if len(names) == 0 {
		dir, _ := os.Getwd()
		for ; len(names) == 0 && dir != "/" && dir != "."; dir = filepath.Dir(dir) {
			text, _ := os.ReadFile(filepath.Join(dir, ".python-version"))
			names = strings.Fields(string(text))
		}
	}
	if len(names) == 0 {
		text, _ := os.ReadFile(filepath.Join(root, "version"))
		names = strings.Fields(string(text))
	}
	if len(names) == 0 || !number.MatchString(names[0]) || !exists(filepath.Join(root, "versions", names[0], "bin", filepath.Base(python))) {
		return ""
	}
	return names[0]
}
