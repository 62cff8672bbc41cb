// Package uwsgi reads and writes the packets of the uwsgi protocol, in which
// nginx, Apache and uWSGI's own routers hand requests on. It does no I/O and
// allocates nothing on the usual way.
//
// A request is one packet, then the body as it is, CONTENT_LENGTH bytes long:
//
//	byte    modifier1   what the packet is for: 0 and 30 WSGI, 100 ping
//	uint16  datasize    length of the variables, little-endian
//	byte    modifier2   0
//	then, until datasize bytes are used up:
//	uint16  klen        little-endian, not 0
//	klen    bytes       name, such as REQUEST_METHOD
//	uint16  vlen        little-endian
//	vlen    bytes       value
//
// The response is that of HTTP/1.1, ended by closing the connection: there is
// one request on a connection. Package http1 writes it.
//
// The variables are trusted further than an HTTP client's fields, as the web
// server in front sets most of them, but not blindly: HTTP_* go through the
// [codec.Policy] that holds for HTTP, and those with which a packet could make
// uWSGI load code, read files or set its environment are dropped.
package uwsgi
