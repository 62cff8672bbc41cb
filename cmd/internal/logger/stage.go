package logger

import (
	"time"
)

// destination is a logger as the options name it: a target, and what happens to messages on the
// way.
type destination struct {
	name     string
	encoders []Encoder
	to       *target
}

// stage looks at each message of a stream and passes it to its loggers. It belongs to the goroutine
// of its queue.
type stage struct {
	watch         func(message []byte) // nil for nobody
	drain, filter []*Pattern
	routes        []stageRoute
	all           []*destination // loggers without a name
	scratch       [2][]byte
}

type stageRoute struct {
	pattern *Pattern
	to      *destination
}

// take routes messages. It loses none: the queues of targets count theirs.
func (s *stage) take(b *batch) (uint64, error) {
	now := time.Now()
	b.each(func(message []byte) { s.give(message, now) })
	return 0, nil
}

func (s *stage) give(message []byte, now time.Time) {
	if s.watch != nil {
		s.watch(message)
	}
	for _, p := range s.drain {
		if p.Match(message) {
			return
		}
	}
	shown := len(s.filter) == 0
	for _, p := range s.filter {
		shown = shown || p.Match(message)
	}
	if !shown {
		return
	}
	routed := false
	for _, r := range s.routes {
		if r.pattern.Match(message) {
			s.send(r.to, message, now)
			routed = true
		}
	}
	if routed {
		return
	}
	for _, d := range s.all {
		s.send(d, message, now)
	}
}

// send encodes a message for one of its destinations.
func (s *stage) send(d *destination, message []byte, now time.Time) {
	for i, e := range d.encoders {
		out := &s.scratch[i&1]
		*out = e.encode((*out)[:0], message, now)
		message = *out
	}
	_ = d.to.queue.add(message) // it fails only after the end
}
