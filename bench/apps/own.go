package apps

import (
	"context"
	_ "embed"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// OwnFile is the file by which servers run somebody's own app.
const OwnFile = "own_app.py"

//go:embed own.py
var ownLoader string

// Own is an app that is not part of this package.
type Own struct {
	Dir      string            `json:"dir"`      // working directory and first folder for imports, absolute
	Module   string            `json:"module"`   // or
	File     string            `json:"file"`     // absolute
	Callable string            `json:"callable"` // dotted
	Paths    []string          `json:"paths"`    // more folders for imports
	Site     []string          `json:"site"`     // its virtualenv's site-packages
	Env      map[string]string `json:"env"`      // environment variables
	Unset    []string          `json:"unset"`    // those that it must not have
}

// Name is what a report calls it: "shop.wsgi:app".
func (o Own) Name() string {
	if o.File != "" {
		return filepath.Base(o.File) + ":" + o.Callable
	}
	return o.Module + ":" + o.Callable
}

// WriteTo writes OwnFile into dir, where servers are started.
func (o Own) WriteTo(dir string) error {
	if o.Paths == nil {
		o.Paths = []string{}
	}
	if o.Site == nil {
		o.Site = []string{}
	}
	if o.Unset == nil {
		o.Unset = []string{}
	}
	if o.Env == nil {
		o.Env = map[string]string{}
	}
	settings, err := json.Marshal(o)
	if err != nil {
		return err
	}
	// A string of JSON is one of Python, too, so that nothing in the settings is read
	// as code.
	quoted, err := json.Marshal(string(settings))
	if err != nil {
		return err
	}
	loader := "import json\n\nOWN = json.loads(" + string(quoted) + ")\n" + ownLoader
	return os.WriteFile(filepath.Join(dir, OwnFile), []byte(loader), 0o644)
}

// ExpectOwn is Expect for an own app. It requests q three times and reports whether the body is
// equal each time, also a second later and on another port.
func ExpectOwn(ctx context.Context, python, dir string, q Request) (answer Answer, same bool, err error) {
	again, later := q, q
	again.Headers = append([][2]string{{"Host", "127.0.0.1:8123"}}, q.Headers...)
	later.After = 1.1
	answers, err := expect(ctx, python, dir, OwnFile, []Request{q, again, later}, "lenient")
	if err != nil {
		return Answer{}, false, err
	}
	for _, a := range answers[1:] {
		if a.Status != answers[0].Status {
			return Answer{}, false, fmt.Errorf("the app answers %s %s with status %d, and the next time with %d: it cannot be told which is right", q.Method, q.Path, answers[0].Status, a.Status)
		}
	}
	same = string(answers[0].Body) == string(answers[1].Body) && string(answers[0].Body) == string(answers[2].Body)
	return answers[0], same, nil
}

// SitePackages gives the site-packages of a virtualenv, for the Python that makes
// the servers' virtualenv env. Another version of Python cannot share them.
func SitePackages(venv, env string) (string, error) {
	found, err := filepath.Glob(filepath.Join(venv, "lib", "python3*", "site-packages"))
	if err != nil {
		return "", err
	}
	if len(found) == 0 {
		return "", fmt.Errorf("%s is no virtualenv: it has no lib/python3…/site-packages", venv)
	}
	servers, err := filepath.Glob(filepath.Join(env, "lib", "python3*", "site-packages"))
	if err != nil {
		return "", err
	}
	name := func(path string) string { return filepath.Base(filepath.Dir(path)) }
	for _, path := range found {
		for _, other := range servers {
			if name(path) == name(other) {
				return path, nil
			}
		}
	}
	return "", fmt.Errorf("the virtualenv %s is of %s, the one of the servers, %s, of another: make one for these with -python %s -env SOME_FOLDER",
		venv, name(found[0]), env, filepath.Join(venv, "bin", "python"))
}

// ParseTarget takes an app as uWSGI and gunicorn name it: "module:callable", "file.py:callable",
// or either without a callable.
func ParseTarget(target string) (o Own, err error) {
	name, callable, _ := strings.Cut(target, ":")
	o.Callable = callable
	if o.Callable == "" {
		o.Callable = "application"
	}
	switch {
	case name == "":
		return o, fmt.Errorf("%q names no app: want module:callable or file.py:callable", target)
	case strings.HasSuffix(name, ".py") || strings.Contains(name, "/"):
		o.File = name
	default:
		o.Module = name
	}
	return o, nil
}
