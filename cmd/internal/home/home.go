// Package home finds the Python of an app where the place of the program does not tell: under pipx
// and uv the program has a virtualenv of its own, and pip may have put it into a folder that many
// Pythons share.
package home

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

// PythonEnv is the variable by which python -m uwsgo names its interpreter.
const PythonEnv = "UWSGO_PYTHON"

// Tool reports whether pipx or uv made a virtualenv for the program alone. A virtualenv with apps
// in it, by pipx inject or uv's --with, counts as theirs.
func Tool(virtualenv string) bool {
	return madeForOne(virtualenv) && !hasOthers(virtualenv)
}

// madeForOne finds the marks of pipx, of uv tool install, and of uvx, whose virtualenvs are in a
// cache.
func madeForOne(virtualenv string) bool {
	for _, mark := range []string{"pipx_metadata.json", "uv-receipt.toml"} {
		if exists(filepath.Join(virtualenv, mark)) {
			return true
		}
	}
	const depth = 3 // CACHE/archive-v0/NAME
	for dir, i := filepath.Dir(virtualenv), 0; i < depth && dir != "/"; dir, i = filepath.Dir(dir), i+1 {
		if exists(filepath.Join(dir, "CACHEDIR.TAG")) {
			return true
		}
	}
	return false
}

// own are distributions that every such virtualenv has.
var own = []string{"uwsgo", "uwsgo_uwsgi", "pip", "setuptools", "wheel"}

// hasOthers reports whether a virtualenv has anything but the program.
func hasOthers(virtualenv string) bool {
	found, _ := filepath.Glob(filepath.Join(virtualenv, "lib", "*", "site-packages", "*.dist-info"))
	return slices.ContainsFunc(found, func(path string) bool {
		name, _, _ := strings.Cut(filepath.Base(path), "-")
		return !slices.Contains(own, strings.ToLower(name))
	})
}

// Project returns the virtualenv in the folder of an app, under its usual names; empty for none.
func Project(dir string) string {
	for _, name := range []string{".venv", "venv", "env"} {
		path := filepath.Join(dir, name)
		if exists(filepath.Join(path, "pyvenv.cfg")) {
			return path
		}
	}
	return ""
}

// InstalledFor returns the Python for which pip has installed the program, outside of a virtualenv:
// the site-packages beside it name the version, as below ~/.local, /usr/local or a Python of pyenv.
// If several or none have it the result is empty: the one in PATH is as good as any.
func InstalledFor(program string) string {
	real, err := filepath.EvalSymlinks(program)
	if err != nil {
		return ""
	}
	bin := filepath.Dir(real)
	found, _ := filepath.Glob(filepath.Join(filepath.Dir(bin), "lib", "python3.*", "*-packages", "uwsgo", "__init__.py"))
	if len(found) != 1 {
		return ""
	}
	name := filepath.Base(filepath.Dir(filepath.Dir(filepath.Dir(found[0]))))
	beside := filepath.Join(bin, name)
	if info, err := os.Stat(beside); err == nil && info.Mode()&0o111 != 0 {
		return beside
	}
	path, err := exec.LookPath(name)
	if err != nil {
		return ""
	}
	path, _ = filepath.Abs(path)
	return path
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}
