// Package engine is an event-loop server for HTTP/1 and the uwsgi protocol, as
// a library. A [Server] has one or a few loops. Each loop is a goroutine that owns the
// connections it accepted. A [Handler] gets each request as an [Exchange] when the head
// is complete. It asks for the body: whole (in memory, or in a temporary file when
// large) or as it comes. It answers at once or later, whole or piece by piece. A [Layer]
// stands between the handlers behind it and the client.
//
// A handler runs on the loop and must not block. Blocking code, such as any net/http
// handler, runs in a [Pool] of goroutines: see [FromHTTP].
//
//	srv, err := engine.New(engine.Options{})
//	…
//	_, err = srv.Listen(":9090", engine.ListenOptions{})
//	…
//	err = srv.Serve(engine.HandlerFunc(func(x *engine.Exchange) {
//		x.ReplyText(200, "Hello World!")
//	}))
//
// Each type says who owns it. Only a loop's goroutine touches what belongs to that
// loop, so a request's way has neither lock nor hand-off. Other goroutines hold a
// [Ref] and post to the loop.
package engine
