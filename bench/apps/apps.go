// Package apps holds the WSGI apps that every measured server runs.
package apps

import (
	"embed"
	"os"
)

//go:embed *.py
var files embed.FS

// The apps, by file name. In each the callable is application.
const (
	Hello  = "hello.py"        // no framework: GET /, GET /large (1 MiB), POST
	Flask  = "flask_hello.py"  // GET /
	Django = "django_hello.py" // GET /
)

// WriteTo copies all apps into dir, which must exist and hold none of them.
func WriteTo(dir string) error {
	return os.CopyFS(dir, files)
}
