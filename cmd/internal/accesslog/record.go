// Package accesslog makes the lines of uWSGI's request log: the default line that log analysers
// know, a line by log-format, or a JSON object. Package logger has where lines go.
//
// A [Format] turns a [Record] into a line without allocating. A [Filter] says which requests get
// one.
//
// # Escaping
//
// What clients send (all text in a Record) is escaped as in a JSON string: `"` and `\` get a
// backslash, and control characters, bytes that are not UTF-8 and invisible characters become
// \u00XX or \uXXXX. So no client can end a line and forge another, colour the terminal of a reader,
// or break a log-format that is JSON. uWSGI writes the bytes as they come; lines without such bytes
// are the same in both.
package accesslog

import "time"

// Record is one answered request, as the log sees it. The loop that owns the request fills it in.
// Its byte slices may be views of the request, and are not kept.
type Record struct {
	Method []byte
	URI    []byte // the request target, with its query
	Addr   []byte // REMOTE_ADDR
	User   []byte // REMOTE_USER, empty for nobody
	Host   []byte
	Proto  []byte // SERVER_PROTOCOL
	// Var returns a variable of the request, such as HTTP_REFERER, by its name in the WSGI environ;
	// nil for none. Only %(var.NAME), %(uagent) and %(referer) ask it. Make it once for each loop,
	// not for each request. It may be nil.
	Var func(name string) []byte
	// Own returns a variable that was set for the log. It may be nil.
	Own func(name string) []byte

	Start    int64 // when the request came, µs of Unix time
	Duration int64 // µs from Start to the end of the response
	Waited   int64 // µs that the request waited for a worker, and before that for this server

	Status        int
	BodySize      int64 // rsize: bytes of the response's body
	HeadSize      int64 // hsize: bytes of the response's head
	Headers       int   // header fields in the response
	ContentLength int64 // bytes of the request's body
	PacketSize    int   // bytes the request's variables take in a uwsgi packet
	Vars          int   // uWSGI counts names and values: twice the variables
	Modifier1     int
	Modifier2     int

	PID         int   // of the worker; 0 where no worker was asked
	Worker      int   // wid: from 1, 0 for none
	Core        int   // thread of the worker, from 0
	App         int   // mounted app, from 0, -1 for none
	AppRequests int64 // of this app in this worker, -1 for none
	Requests    int64 // of the whole server
	Switches    int   // chunks the app yielded
	// Via is how the response was made if no app made it: "sendfile", "route", "offload"; usually
	// empty.
	Via string
	// Broken says why the client did not get the whole answer; usually empty.
	Broken string

	ReadErrors  int
	WriteErrors int
	// VSZ and RSS are the worker's address space and memory in bytes, if [Format.Memory] asks for
	// them.
	VSZ, RSS int64
	// USS is the worker's private memory, PSS its part of all memory, if Memory returns 2.
	USS, PSS int64

	dates []seconds
}

// Filter says which requests are logged. The zero value logs none. One condition that holds is
// enough.
type Filter struct {
	All        bool          // logging is on: not disable-logging
	Status4xx  bool          // log-4xx
	Status5xx  bool          // log-5xx
	Zero       bool          // log-zero: responses without a body
	Sendfile   bool          // log-sendfile
	IOError    bool          // log-ioerror: reading or writing failed (uWSGI: only if both did)
	SlowerThan time.Duration // log-slow: at least that long; 0 is off
	BiggerThan int64         // log-big: a body of at least so many bytes; 0 is off
}

// Wants reports whether r is to be logged.
func (f *Filter) Wants(r *Record) bool {
	return f.All ||
		f.Status4xx && r.Status/100 == 4 ||
		f.Status5xx && r.Status/100 == 5 ||
		f.Zero && r.BodySize == 0 ||
		f.Sendfile && r.Via == "sendfile" ||
		f.IOError && r.ReadErrors+r.WriteErrors > 0 ||
		f.SlowerThan > 0 && r.Duration >= f.SlowerThan.Microseconds() ||
		f.BiggerThan > 0 && r.BodySize >= f.BiggerThan
}
