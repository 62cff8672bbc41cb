package wsgi_test

import (
	"context"
	"log"
	"os"
	"os/signal"

	"github.com/uwsgo/uwsgo/handler/wsgi"
)

func Example_run() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	err := wsgi.Run(ctx, wsgi.Config{
		Addr: "127.0.0.1:0",
		File: "testdata/hello.py",

		Ready: visit, // test
	})
	if err != nil {
		log.Fatal(err)
	}
	// Output: 200 OK Python answers /
}
