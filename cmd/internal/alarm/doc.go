// Package alarm tells somebody when something goes wrong: uWSGI's alarms. Apps raise them, and
// so do lines of the log that match a pattern, a full queue, a worker that is killed by a
// fault, and descriptors.
//
// Raising never waits: each alarm has a queue with a bound and one goroutine, which does what
// the alarm is for. Nothing that it does itself raises an alarm, and a message that was raised
// a moment ago is not raised again.
package alarm
