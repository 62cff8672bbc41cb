// Package engine is an event-loop server for HTTP/1 and the uwsgi protocol, as
// a library. A [Server] has one or a few loops, each a goroutine that owns the
// connections it accepted. A request is given to a [Handler] as an [Exchange] when its
// head is complete. The handler asks for the body, whole (in memory or, when large, in a
// temporary file) or as it comes, and answers at once or later, whole or piece by piece. A
// [Layer] stands between those behind it and the client.
//
// A handler runs on the loop and must not block. Code that blocks, any
// net/http handler for one, runs in a [Pool] of goroutines: see [FromHTTP].
//
//	srv, err := engine.New(engine.Options{})
//	…
//	_, err = srv.Listen(":9090", engine.ListenOptions{})
//	…
//	err = srv.Serve(engine.HandlerFunc(func(x *engine.Exchange) {
//		x.ReplyText(200, "Hello World!")
//	}))
//
// Everything that has an owner says so: what belongs to a loop is touched by
// that loop's goroutine alone, so that there is neither lock nor hand-off on a
// request's way. Other goroutines hold a [Ref] and post to the loop.
package engine
