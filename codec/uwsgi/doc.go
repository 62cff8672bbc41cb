// Package uwsgi reads and writes the packets of the uwsgi protocol. nginx, Apache and uWSGI's
// own routers pass requests on in it. It does no I/O and allocates nothing on the usual way.
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
// The response is an HTTP/1.1 response that ends with the connection. A connection has one
// request. Package http1 writes it.
//
// The front server sets most variables, so they are trusted more than an HTTP client's fields,
// but not blindly. HTTP_* go through the same [codec.Policy]. Variables that make uWSGI load
// code, read files or set its environment are dropped.
package uwsgi
