package uwsgi

import (
	"fmt"

	"github.com/uwsgo/uwsgo/codec"
)

// Faults of a packet that always read the same. Their messages are the lines in
// uWSGI's log, which people search for, where uWSGI has one.
var (
	ErrEmpty       = &codec.Error{ID: "empty_packet", Status: 400, Message: "Empty python request. skip."}
	ErrNullKey     = &codec.Error{ID: "null_key", Status: 400, Message: "uwsgi key cannot be null. skip this request."}
	ErrKey         = &codec.Error{ID: "key", Status: 400, Message: "a uwsgi variable's name holds something other than printable ASCII"}
	ErrTooManyVars = &codec.Error{ID: "too_many_vars", Status: 431, Message: "max vec size reached. skip this request."}
	ErrMethod      = &codec.Error{ID: "method", Status: 400, Message: "REQUEST_METHOD is missing or not a token"}
	ErrPath        = &codec.Error{ID: "path", Status: 400, Message: "PATH_INFO or SCRIPT_NAME holds a NUL byte"}
	ErrVersion     = &codec.Error{ID: "version", Status: 400, Message: "SERVER_PROTOCOL holds a control character"}
	ErrLength      = &codec.Error{ID: "content_length", Status: 400, Message: "Invalid (too big) CONTENT_LENGTH. skip."}
)

// blockSize is the error for a packet larger than limit, or for input that is not a packet: its
// size is then part of some text.
func blockSize(size, limit int, kind Kind) error {
	hint := ""
	switch kind {
	case KindHTTP:
		hint = " (HTTP came to a uwsgi socket: use http-socket for that address, or uwsgi_pass in nginx)"
	case KindTLS:
		hint = " (TLS came to a uwsgi socket: use an https socket for that address)"
	}
	return &codec.Error{ID: "block_size", Status: 400, Message: fmt.Sprintf("invalid request block size: %d (max %d)...skip%s", size, limit, hint)}
}

// badModifier is the error for a packet that is not for Python.
func badModifier(modifier1 byte) error {
	return &codec.Error{ID: "modifier", Status: 400, Message: fmt.Sprintf("-- unavailable modifier requested: %d --", modifier1)}
}

// badVars is the error for a length that leads out of the packet of size bytes.
func badVars(size int) error {
	return &codec.Error{ID: "vars", Status: 400, Message: fmt.Sprintf("invalid uwsgi request (current strsize: %d). skip.", size)}
}
