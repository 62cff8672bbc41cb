// Package logger takes the lines of the log and writes them where the configuration says: standard
// error, files, descriptors, sockets and syslog, through encoders, by routes.
//
// There are two streams: what the server says and its children print, and the lines of requests.
// Without a logger for requests alone their lines go the way of the first stream. A [Sink] takes
// lines of both from any goroutine, and no writer waits: lines go into a bounded buffer, and
// goroutines of the sink do the rest. A [Logger] writes the server's own lines.
//
// The plain way is short. Without encoders, routes and several loggers a stream leads straight into
// the buffer of its one target, and a usual line costs a lock and a copy. Otherwise a stage is
// between: it looks at each message, encodes it for each of its loggers, and puts it into the
// buffers of their targets. Each target has a goroutine, so one that stands still holds up no
// other.
//
// A message is what was written at once: a line, or several, such as a traceback. Children print
// into a pipe that keeps messages apart where the system can (Linux), so that an encoder sees a
// traceback as one. Elsewhere each line is a message.
package logger
