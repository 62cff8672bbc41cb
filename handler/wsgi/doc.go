// Package wsgi answers requests with Python WSGI apps (PEP 3333). It makes the environ of each
// request, sends it to the workers of an engine/worker pool, and turns their answers into
// responses. The Python side of the PEP, from start_response to close, is engine/worker's shim.
//
// A request gets the same environ over HTTP and over the uwsgi protocol, except for the front
// server's own variables.
package wsgi
