package config_test

import (
	"fmt"
	"strings"

	"github.com/uwsgo/uwsgo/cmd/internal/config"
	"github.com/uwsgo/uwsgo/cmd/internal/ini"
)

func ExampleLoad() {
	file := "[uwsgi]\nname = shop\nmodule = %(name).wsgi\nthreads = 2\nvaccum = true\n"
	c, err := config.Load(
		[]string{"--ini", "-", "--http", ":8080", "-Mp4"}, // os.Args[1:]
		[]string{"UWSGI_HARAKIRI=30"},                     // os.Environ()
		ini.OS(strings.NewReader(file)),                   // os.Stdin
	)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(c.Listens[0].Addr, c.Module, c.Processes, c.Threads, c.Harakiri)
	fmt.Println(strings.Join(c.Warnings, "\n"))
	// Output:
	// :8080 shop.wsgi 4 2 30s
	// standard input:5: vaccum: unknown option; did you mean "vacuum"?
}
