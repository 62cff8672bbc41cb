package home

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// askTime bounds the question which version an interpreter has.
const askTime = time.Second

// Version returns the version of an interpreter; empty where it does not tell. A virtualenv
// has it in its pyvenv.cfg, which spares running Python.
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

// release cuts what virtualenv writes, 3.13.1.final.0, to 3.13.1.
func release(version string) string {
	parts := strings.SplitN(version, ".", 4)
	return strings.Join(parts[:min(3, len(parts))], ".")
}
