package codec

// Error is a fault in what a peer, or an app, sent. Decoders return the values below
// themselves: errors cost nothing under attack, and == compares them. Code that adds detail
// wraps them with %w.
//
// The connection cannot be used after any of them, because the start of the next request is
// uncertain.
type Error struct {
	// ID is a stable snake_case name: the metric label and the log field.
	ID string
	// Status is the HTTP status to answer with.
	Status int
	// Message says in plain words what was wrong. Its wording may change.
	Message string
}

// Error returns the message.
func (e *Error) Error() string { return e.Message }

// Faults in a request line.
var (
	ErrTLS           = &Error{"tls", 400, "a TLS handshake came to a plain HTTP port: use http:// or an https socket"}
	ErrHTTP2         = &Error{"http2_preface", 505, "HTTP/2 without TLS is not spoken here: use HTTP/1.1"}
	ErrMethod        = &Error{"method", 400, "the request does not begin with a method and a space"}
	ErrMethodTooLong = &Error{"method_too_long", 501, "the method is longer than any known one"}
	ErrConnect       = &Error{"connect", 501, "CONNECT is for proxies; this is an origin server"}
	ErrRequestLine   = &Error{"request_line", 400, "the request line is not method, target and HTTP version with one space between"}
	ErrTarget        = &Error{"target", 400, "the request target holds a fragment or a control character"}
	ErrTargetForm    = &Error{"target_form", 400, "the request target is neither a path nor an http URL that suits the method"}
	ErrTargetEscape  = &Error{"target_escape", 400, "a percent sign in the path is not followed by two hex digits, or stands for NUL"}
	ErrTargetTooLong = &Error{"target_too_long", 414, "the request target is too long"}
	ErrVersion       = &Error{"version", 505, "the HTTP version is neither 1.0 nor 1.1"}
)

// Faults in the field lines of a request.
var (
	ErrBareLF           = &Error{"bare_lf", 400, "a line ends in LF without CR"}
	ErrBareCR           = &Error{"bare_cr", 400, "a CR is not followed by LF"}
	ErrObsFold          = &Error{"obs_fold", 400, "a field line begins with white space (line folding)"}
	ErrFieldName        = &Error{"field_name", 400, "a field line has no valid name followed at once by a colon"}
	ErrFieldValue       = &Error{"field_value", 400, "a field value holds a control character"}
	ErrHeadTooLarge     = &Error{"head_too_large", 431, "the request head is too large"}
	ErrTooManyFields    = &Error{"too_many_fields", 431, "the request has too many fields"}
	ErrHostMissing      = &Error{"host_missing", 400, "an HTTP/1.1 request has no Host"}
	ErrHostDuplicate    = &Error{"host_duplicate", 400, "the request has several Host fields"}
	ErrHost             = &Error{"host", 400, "the host is not a name or address with an optional port"}
	ErrContentType      = &Error{"content_type_duplicate", 400, "the request has several Content-Type fields"}
	ErrConnectionOption = &Error{"connection_option", 400, "Connection lists too many options"}
	ErrExpect           = &Error{"expect", 417, "Expect is something other than 100-continue"}
)

// Faults in a request body and in what says how long it is.
var (
	ErrContentLength          = &Error{"content_length", 400, "Content-Length is not one decimal number that fits 63 bits"}
	ErrContentLengthDuplicate = &Error{"content_length_duplicate", 400, "the request has several Content-Length fields"}
	ErrLengthAndEncoding      = &Error{"te_and_cl", 400, "the request has both Transfer-Encoding and Content-Length"}
	ErrTransferEncoding       = &Error{"transfer_encoding", 400, "Transfer-Encoding is not exactly one final chunked"}
	ErrTransferCoding         = &Error{"transfer_coding", 501, "Transfer-Encoding names a coding other than chunked"}
	ErrTransferEncoding10     = &Error{"te_in_http10", 400, "Transfer-Encoding in an HTTP/1.0 request"}
	ErrBodyTooLarge           = &Error{"body_too_large", 413, "the request body is too large"}
	ErrChunkSize              = &Error{"chunk_size", 400, "a chunk size is not a hex number, or not ended by CRLF or an extension"}
	ErrChunkExt               = &Error{"chunk_ext", 400, "a chunk extension is malformed or too long"}
	ErrChunkEnd               = &Error{"chunk_end", 400, "chunk data is not followed by CRLF"}
	ErrTrailer                = &Error{"trailer", 400, "a trailer field line is malformed"}
	ErrTrailerTooLarge        = &Error{"trailer_too_large", 431, "the trailer section is too large"}
)

// ErrStatusLine is a fault of a server that we ask.
var ErrStatusLine = &Error{"status_line", 502, "the response does not begin with HTTP/1.1 and a status"}

// Faults in an app's response.
var (
	ErrResponseStatus = &Error{"response_status", 500, "the status of the response is not 100 to 999"}
	ErrResponseReason = &Error{"response_reason", 500, "the reason phrase holds a control character"}
	ErrResponseName   = &Error{"response_name", 500, "a response header's name is not a token"}
	ErrResponseValue  = &Error{"response_value", 500, "a response header's value holds a control character"}
	ErrResponseLength = &Error{"response_length", 500, "Content-Length of the response is not one number, or not the body's length"}
)
