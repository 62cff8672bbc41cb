// Package shim is the Python side of the worker pool, which is built into the program.
package shim

import "embed"

//go:embed *.py
var files embed.FS

// modules are the shim's modules, each after what it imports.
var modules = []string{
	"__init__",
	"own",
	"trace",
	"forked",
	"interrupts",
	"files",
	"title",
	"late",
	"answers",
	"port",
	"head",
	"exchange",
	"control",
	"locks",
	"stores",
	"events",
	"spawned",
	"hooks",
	"hints",
	"apps",
	"imports",
	"signals",
	"greenlets",
	"websockets",
	"worker",
	"hub",
	"arguments",
	"remote",
	"sharing",
	"connection",
	"tasks",
	"spooler",
	"module",
	"metrics",
	"background",
	"mule",
	"spooling",
	"zygote",
}

// Bootstrap returns what a zygote runs first: it reads the modules and starts them.
func Bootstrap() ([]byte, error) { return files.ReadFile("bootstrap.py") }

// Precompile returns the program that compiles the modules for many zygotes.
func Precompile() (string, error) {
	b, err := files.ReadFile("precompile.py")
	return string(b), err
}

// Decorators returns the source of the module uwsgidecorators.
func Decorators() (string, error) {
	b, err := files.ReadFile("decorators.py")
	return string(b), err
}

// Modules returns names and texts of all modules, each after what it imports.
func Modules() (names, texts []string, err error) {
	for _, name := range modules {
		text, err := files.ReadFile(name + ".py")
		if err != nil {
			return nil, nil, err
		}
		names, texts = append(names, name), append(texts, string(text))
	}
	return names, texts, nil
}
