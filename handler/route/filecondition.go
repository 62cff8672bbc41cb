package route

import (
	"fmt"
	"os"
	"strings"

	"github.com/uwsgo/uwsgo/codec"
)

// fileTests are the conditions that ask the file system.
var fileTests = map[string]func(name string) bool{
	"exists": func(name string) bool { _, err := os.Stat(name); return err == nil },
	"isfile": func(name string) bool { info, err := os.Stat(name); return err == nil && info.Mode().IsRegular() },
	"isdir":  func(name string) bool { info, err := os.Stat(name); return err == nil && info.IsDir() },
	"islink": func(name string) bool {
		info, err := os.Lstat(name)
		return err == nil && info.Mode()&os.ModeSymlink != 0
	},
	"isexec": executable,
}

// fileIs is a condition on the kind of a file.
type fileIs struct {
	name template
	is   func(name string) bool
}

func fileCondition(is func(name string) bool) buildCondition {
	return func(c *compiler, args string) (condition, error) {
		name, err := c.template(args, false)
		return &fileIs{name, is}, err
	}
}

// follow runs a rule with this condition once the condition is known.
func (c *fileIs) follow(e *eval, r *Rule) (verdict, error) {
	name, err := e.fileName(&c.name)
	if err != nil {
		return failed, err
	}
	if cached(name) {
		return e.heed(r, c.is(name))
	}
	is := false
	return e.offload(func() { is = c.is(name) }, func(r *Rule) {
		v, err := e.heed(r, is)
		e.resume(r, v, err)
	}, func() {})
}

func (c *fileIs) holds(e *eval) (bool, error) {
	name, err := e.fileName(&c.name)
	return err == nil && c.is(name), err
}

// fileName returns the name of a file. A client must not lead out of a folder: a variable with
// a segment "." or ".." is an error.
func (e *eval) fileName(t *template) (string, error) {
	name := string(e.one(t))
	if _, fixed := t.fixed(); fixed {
		return name, nil
	}
	own := ""
	if t.parts[0].text != nil {
		own = string(t.parts[0].text)
	}
	rest := name[strings.LastIndexByte(own, '/')+1:]
	if codec.HasDotSegment([]byte(rest)) || len(name) > maxFileName || strings.IndexByte(name, 0) >= 0 {
		return "", fmt.Errorf("%.200q cannot be the name of a file", name)
	}
	return name, nil
}

const maxFileName = 4096 // PATH_MAX on Linux
