// Package wsgi answers requests with Python WSGI apps (PEP 3333). It makes the
// environ of each request, hands it to the workers of an engine/worker pool, and
// turns what they answer into a response. The Python side of the PEP, from
// start_response to close, is engine/worker's shim.
//
// A request that came over HTTP and one that came over the uwsgi protocol get
// the same environ, but for what the web server in front adds of its own.
package wsgi
