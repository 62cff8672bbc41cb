package main

import (
	"fmt"
	"net/http"
)

// serveHello answers hello world on addr until the process is killed.
func serveHello(by, addr string) error {
	switch by {
	case "net-http":
		return http.ListenAndServe(addr, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "text/plain")
			w.Header().Set("Content-Length", "12")
			fmt.Fprint(w, "Hello World!")
		}))
	default:
		return fmt.Errorf("-serve: %q is neither reactor nor net-http", by)
	}
}
