package quickstart

import (
	"fmt"
	"io/fs"
	"path"
	"regexp"
	"strings"

	"github.com/uwsgo/uwsgo/cmd/internal/shell"
)

var (
	section     = regexp.MustCompile(`(?m)^\s*\[uwsgi\]`)
	web         = regexp.MustCompile(`(?m)^web:\s*(.*\bgunicorn\b.*)$`)
	settingsOf  = regexp.MustCompile(`DJANGO_SETTINGS_MODULE['"]\s*,\s*['"]([\w.]+)['"]`)
	assigned    = regexp.MustCompile(`(?m)^(\w+)\s*(?::[^=\n]+)?=\s*(?:\w+\.)*(?:Flask|Bottle|default_app|App|API|Falcon|WSGIApp|get_wsgi_application|make_wsgi_app|create_app|make_app)\(`)
	usualName   = regexp.MustCompile(`(?m)^(?:def\s+)?(application|app)\s*(?:[:=(]|$)`)
	factory     = regexp.MustCompile(`(?m)^def\s+(create_app|make_app)\(`)
	needsNone   = regexp.MustCompile(`(?m)^def\s+(?:create_app|make_app)\((?:\s*|[^)=,]+=[^)]*)\)`)
	asgiApp     = regexp.MustCompile(`(?m)^\w+\s*(?::[^=\n]+)?=\s*(?:\w+\.)*(?:FastAPI|Starlette|Quart|Sanic|Litestar)\(`)
	likelyFiles = []string{"wsgi.py", "app.py", "application.py", "main.py", "server.py", "run.py", "index.py"}
)

// most bounds how much of a file, and how many files, are read.
const most = 200

// Suggest finds something to run in a folder, and returns the command for it; "" if it knows
// nothing there.
func Suggest(dir fs.FS) string {
	entries, err := fs.ReadDir(dir, ".")
	if err != nil {
		return ""
	}
	entries = entries[:min(len(entries), most)]
	found := func(what, command string) string {
		return fmt.Sprintf("This folder has %s. Run it:\n\n  %s\n", what, command)
	}
	for _, e := range entries {
		if strings.HasSuffix(e.Name(), ".ini") && section.MatchString(read(dir, e.Name())) {
			return found(e.Name()+" with a section [uwsgi]", "uwsgo "+e.Name())
		}
	}
	if command := web.FindStringSubmatch(read(dir, "Procfile")); command != nil {
		return found("a Procfile that runs gunicorn", "uwsgo --from-gunicorn "+shell.Quote(strings.TrimSpace(command[1]))+" > uwsgi.ini")
	}
	if text := read(dir, "manage.py"); text != "" {
		if app := django(dir, text); app != "" {
			return found("a Django project", "uwsgo "+app)
		}
	}
	asgi := ""
	for _, name := range likelyFiles {
		text := read(dir, name)
		if text == "" {
			continue
		}
		if app := appIn(strings.TrimSuffix(name, ".py"), text); app != "" {
			return found("an app in "+name, "uwsgo "+app)
		}
		if asgiApp.MatchString(text) {
			asgi = name
		}
	}
	for _, e := range entries {
		if !e.IsDir() || strings.HasPrefix(e.Name(), ".") {
			continue
		}
		for _, inner := range []string{"wsgi", "__init__", "app", "main"} {
			file := path.Join(e.Name(), inner+".py")
			module := e.Name()
			if inner != "__init__" {
				module += "." + inner
			}
			if app := appIn(module, read(dir, file)); app != "" {
				return found("an app in "+file, "uwsgo "+app)
			}
		}
	}
	if asgi != "" {
		return asgi + " has an ASGI app, and uwsgo serves WSGI apps: serve it with an ASGI server, or wrap it in ASGIMiddleware of the package a2wsgi.\n"
	}
	return ""
}

// appIn returns the app in the text of a module, as a name for a shell.
func appIn(module, text string) string {
	if asgiApp.MatchString(text) {
		return ""
	}
	if m := usualName.FindStringSubmatch(text); m != nil {
		return module + ":" + m[1]
	}
	if m := assigned.FindStringSubmatch(text); m != nil {
		return module + ":" + m[1]
	}
	if m := factory.FindStringSubmatch(text); m != nil && needsNone.MatchString(text) {
		return "'" + module + ":" + m[1] + "()'"
	}
	return ""
}

// django finds the WSGI app of a Django project by its manage.py.
func django(dir fs.FS, manage string) string {
	m := settingsOf.FindStringSubmatch(manage)
	if m == nil {
		return ""
	}
	for pkg := m[1]; ; {
		at := strings.LastIndexByte(pkg, '.')
		if at < 0 {
			return ""
		}
		pkg = pkg[:at] // mysite.settings.local, mysite.settings
		if read(dir, strings.ReplaceAll(pkg, ".", "/")+"/wsgi.py") != "" {
			return pkg + ".wsgi:application"
		}
	}
}

// read returns the text of a file; empty if there is no such file.
func read(dir fs.FS, name string) string {
	info, err := fs.Stat(dir, name)
	if err != nil || !info.Mode().IsRegular() || info.Size() > 1<<20 {
		return ""
	}
	text, err := fs.ReadFile(dir, name)
	if err != nil {
		return ""
	}
	return string(text)
}
