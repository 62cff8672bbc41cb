package quickstart

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/uwsgo/uwsgo/cmd/internal/home"
	"github.com/uwsgo/uwsgo/cmd/internal/manual"
	"github.com/uwsgo/uwsgo/cmd/internal/shell"
	"github.com/uwsgo/uwsgo/engine/worker"
)

// Command does what a command line asks for that only prints something; done says that it was one.
func Command(args []string, w io.Writer) (done bool, err error) {
	if len(args) == 0 {
		return false, nil
	}
	name, value, joined := strings.Cut(args[0], "=")
	rest := args[1:]
	if !joined && len(rest) > 0 {
		value, rest = rest[0], rest[1:]
	}
	switch name {
	case "--from-gunicorn":
		if value == "" {
			return true, errors.New("--from-gunicorn needs the command: uwsgo --from-gunicorn 'gunicorn app:app -w 4'")
		}
		if len(rest) > 0 { // not quoted: the shell has split it
			words := []string{shell.Quote(value)}
			for _, word := range rest {
				words = append(words, shell.Quote(word))
			}
			value = strings.Join(words, " ")
		}
		if err := FromGunicorn(w, value, Options{Getenv: os.Getenv, Settings: readSettings}); err != nil {
			return true, fmt.Errorf("--from-gunicorn: %w", err)
		}
	case "--completion":
		write := map[string]func(io.Writer) error{"bash": manual.Bash, "zsh": manual.Zsh, "fish": manual.Fish}[value]
		if write == nil || len(rest) > 0 {
			return true, errors.New("--completion needs the name of a shell: bash, zsh or fish")
		}
		return true, write(w)
	default:
		return false, nil
	}
	return true, nil
}

// configTime bounds the run of gunicorn's configuration file.
const configTime = 30 * time.Second

// dump runs a configuration file and prints its settings as JSON.
const dump = `
import json, sys
path = sys.argv[1]
names = {"__builtins__": __builtins__, "__name__": "__config__", "__file__": path}
out, sys.stdout = sys.stdout, sys.stderr
with open(path, "rb") as f:
    exec(compile(f.read(), path, "exec"), names)
plain = (str, int, float, bool, type(None))
found = {}
for name, value in names.items():
    if name.startswith("__"):
        continue
    if isinstance(value, plain):
        found[name] = value
    elif isinstance(value, (list, tuple)) and all(isinstance(v, plain) for v in value):
        found[name] = list(value)
    elif isinstance(value, dict):
        found[name] = {}
    elif callable(value) and getattr(value, "__module__", None) == "__config__":
        found[name] = "\0function"
    elif isinstance(value, type) and name == "worker_class":
        found[name] = value.__module__ + "." + value.__qualname__
json.dump(found, out)
`

// readSettings runs a configuration file of gunicorn's with the app's Python.
func readSettings(file string, named bool) (map[string]any, error) {
	if info, err := os.Stat(file); err != nil || info.IsDir() {
		if !named && errors.Is(err, os.ErrNotExist) {
			return nil, nil
		}
		return nil, fmt.Errorf("%s cannot be read: name it with -c, from this folder", file)
	}
	virtualenv := os.Getenv("VIRTUAL_ENV")
	if virtualenv == "" {
		virtualenv = home.Project(filepath.Dir(file))
	}
	python, err := worker.FindPython(virtualenv)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(context.Background(), configTime)
	defer cancel()
	cmd := exec.CommandContext(ctx, python, "-c", dump, file)
	var said bytes.Buffer
	cmd.Stderr = &said
	cmd.WaitDelay = time.Second
	out, err := cmd.Output()
	if err != nil {
		lines := strings.Split(strings.TrimSpace(said.String()), "\n")
		return nil, fmt.Errorf("%s: %w: %s", file, err, lines[len(lines)-1])
	}
	var settings map[string]any
	err = json.Unmarshal(out, &settings)
	return settings, err
}
