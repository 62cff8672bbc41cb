package peers

import (
	"fmt"
	"slices"
	"strings"
)

// placeholders of an ad-hoc command.
var placeholders = []string{"{addr}", "{host}", "{port}", "{processes}", "{threads}", "{app}", "{module}", "{python}", "{static}"}

// Parse makes a peer of "name=command", so that a server can be measured that nobody has
// written a file for. A POSIX shell runs the command in the app's directory. {addr} is the
// address to listen on, {host} and {port} are its parts, {processes} and {threads} the numbers.
// {app} is the file and {module} the module of the callable application. {python} is the
// interpreter of the virtualenv, whose programs are in PATH. {static} is the directory to serve
// at /static/. Variables are set by a leading "env".
//
// The server must speak HTTP on {addr} and should keep connections alive.
func Parse(text string) (Peer, error) {
	name, command, found := strings.Cut(text, "=")
	name, command = strings.TrimSpace(name), strings.TrimSpace(command)
	if !found || name == "" || command == "" {
		return Peer{}, fmt.Errorf("peer %q: want name=command", text)
	}
	if strings.ContainsAny(name, " /,\t") {
		return Peer{}, fmt.Errorf("peer %q: a name has no space, slash or comma", name)
	}
	for _, p := range All() {
		if p.Name == name {
			return Peer{}, fmt.Errorf("peer %q: that name is taken by a known peer; choose another", name)
		}
	}
	if !strings.Contains(command, "{addr}") && !strings.Contains(command, "{port}") {
		return Peer{}, fmt.Errorf("peer %q: the command must say where to listen, with {addr} or {host} and {port}", name)
	}
	for rest := command; ; {
		from := strings.IndexByte(rest, '{')
		if from < 0 {
			break
		}
		rest = rest[from:]
		word, _, closed := strings.Cut(rest, "}")
		if inner := word[1:]; closed && inner != "" && strings.Trim(inner, "abcdefghijklmnopqrstuvwxyz") == "" {
			if !slices.Contains(placeholders, word+"}") {
				return Peer{}, fmt.Errorf("peer %q: %s} means nothing here; there are %s", name, word, strings.Join(placeholders, " "))
			}
		}
		rest = rest[1:]
	}
	runs := Apps
	if strings.Contains(command, "{static}") {
		runs |= Static
	}
	return Peer{
		Name:     name,
		About:    "Given on the command line: " + command,
		Protocol: HTTP, KeepAlive: true,
		Runs:    runs,
		Needs:   func(Tools) string { return "" },
		Version: func(Tools) string { return "version unknown" },
		Shape: func(s Setup) Shape {
			shape := asAsked(s)
			if !strings.Contains(command, "{processes}") || !strings.Contains(command, "{threads}") {
				shape.Note = "not told how many"
			}
			return shape
		},
		Command: func(p *Plan) ([]string, error) {
			values := []string{
				p.Addr(), p.Host, p.Port, count(p.Processes), count(p.Threads), p.App, p.Module(), p.Bin("python"), p.Static,
			}
			var pairs []string
			for i, value := range values {
				pairs = append(pairs, placeholders[i], quote(value))
			}
			return []string{"sh", "-c", "exec " + strings.NewReplacer(pairs...).Replace(command)}, nil
		},
		NoReload:  "nothing is known about it",
		NoWorkers: "nothing is known about it",
	}, nil
}

// quote keeps a shell from reading anything into a value. Plain ones stay as they
// are, so that they can stand inside quotes of the command.
func quote(value string) string {
	const plain = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-./:"
	if value != "" && strings.Trim(value, plain) == "" {
		return value
	}
	return "'" + strings.ReplaceAll(value, "'", `'\''`) + "'"
}
