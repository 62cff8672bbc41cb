package launch

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
)

// Values of [Config].PythonFrom: how the interpreter was chosen.
const (
	FromOption      = "virtualenv"
	FromProgram     = "the virtualenv that the program is in"
	FromEnvironment = "VIRTUAL_ENV"
	FromProject     = "the folder of the app"
	FromModule      = "python -m uwsgo"
	FromInstall     = "pip, which has installed the program for it"
	FromPath        = "PATH"
)

// Virtualenv reports whether the interpreter comes from a virtualenv.
func (c *Config) Virtualenv() bool {
	switch c.PythonFrom {
	case FromOption, FromProgram, FromEnvironment, FromProject:
		return true
	}
	return false
}

// OwnVirtualenv returns the virtualenv that contains program, "" for none. It looks for
// pyvenv.cfg, or conda-meta of conda, beside program and above. If program is a link, the
// link's virtualenv counts before its target's.
func OwnVirtualenv(program string) string {
	for range 40 { // bounds a cycle of links
		dir, err := filepath.Abs(filepath.Dir(program))
		if err != nil {
			return ""
		}
		for _, home := range []string{dir, filepath.Dir(dir)} {
			for _, mark := range []string{"pyvenv.cfg", "conda-meta"} {
				if _, err := os.Stat(filepath.Join(home, mark)); err == nil && home != "/" {
					return home
				}
			}
		}
		target, err := os.Readlink(program)
		if err != nil {
			// A directory on the way may be a link too.
			real, err := filepath.EvalSymlinks(program)
			if err != nil || real == program {
				return ""
			}
			target = real
		}
		if !filepath.IsAbs(target) {
			target = filepath.Join(dir, target)
		}
		program = target
	}
	return ""
}

// FindPython returns the path of the interpreter to run: bin/python of the virtualenv, or
// without one python3, else python, in PATH. It returns a *[PythonError].
func FindPython(virtualenv string) (string, error) {
	if virtualenv == "" {
		path, err := exec.LookPath("python3")
		if err != nil {
			path, err = exec.LookPath("python")
		}
		if err != nil {
			return "", &PythonError{Path: "python3", Err: errors.New("not found in PATH: install Python 3.9 or later, or name a virtualenv")}
		}
		return filepath.Abs(path)
	}
	dir, err := filepath.Abs(virtualenv)
	if err != nil {
		return "", &PythonError{Path: virtualenv, Err: err}
	}
	info, err := os.Stat(dir)
	if errors.Is(err, fs.ErrPermission) {
		return "", forbidden(dir)
	}
	if err != nil || !info.IsDir() {
		return "", &PythonError{Path: dir, Err: errors.New("no such virtualenv: make it with python3 -m venv " + virtualenv)}
	}
	for _, name := range []string{"python", "python3"} {
		path := filepath.Join(dir, "bin", name)
		info, err := os.Stat(path)
		if errors.Is(err, fs.ErrPermission) {
			return "", forbidden(path)
		}
		if err == nil && info.Mode()&0o111 != 0 && !info.IsDir() {
			return path, nil
		}
	}
	// --clear empties the folder, so it must be a virtualenv and not a project.
	if _, err := os.Stat(filepath.Join(dir, "pyvenv.cfg")); err != nil {
		return "", &PythonError{Path: dir, Err: errors.New("it is not a virtualenv (it has neither pyvenv.cfg nor a working bin/python): name one, make one in another folder with python3 -m venv, or leave out virtualenv (home)")}
	}
	return "", &PythonError{Path: filepath.Join(dir, "bin", "python"), Err: errors.New("the virtualenv has no working python, perhaps because its base Python is gone: make it again with python3 -m venv --clear " + virtualenv)}
}

// forbidden is the error for a path that this user may not read: below /root, or in a
// virtualenv made for another user than uid.
func forbidden(path string) error {
	return &PythonError{Path: path, Err: fmt.Errorf("user %d may not reach it, or the target of its link: let that user enter each directory on the way", os.Geteuid())}
}

// CannotRun adds advice to the error of an interpreter that does not run.
func CannotRun(err error) error {
	switch {
	case errors.Is(err, syscall.ENOEXEC):
		return fmt.Errorf("%w: it is not a program, or one for another processor", err)
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("%w: it is missing, or its interpreter or loader is", err)
	}
	return err
}
