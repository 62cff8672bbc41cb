package engine

import "sync/atomic"

// counters are written by one loop and read by anyone.
type counters struct {
	conns         atomic.Int64
	accepted      atomic.Uint64
	requests      atomic.Uint64
	refused       atomic.Uint64
	timeouts      atomic.Uint64
	gone          atomic.Uint64
	panics        atomic.Uint64
	bytesIn       atomic.Uint64
	bytesOut      atomic.Uint64
	status        [6]atomic.Uint64 // by class
	noFiles       atomic.Uint64
	spooled       atomic.Uint64
	inFlight      atomic.Int64
	readErrs      atomic.Uint64
	writeErrs     atomic.Uint64
	handshakeErrs atomic.Uint64
}

// Stats is a reading of a server's counters. All but the first two only grow.
type Stats struct {
	Conns    int64 // connections open now
	InFlight int64 // requests being answered now

	Accepted        uint64 // connections accepted
	Requests        uint64 // requests read whole and given to the handler
	Refused         uint64 // requests refused before that: malformed or over a limit
	Timeouts        uint64 // connections closed as the client was too slow
	Gone            uint64 // exchanges whose client went before the answer was complete
	Panics          uint64 // panics in handlers
	BytesIn         uint64
	BytesOut        uint64
	Status          [6]uint64 // answers by class: Status[2] counts 2xx
	NoFiles         uint64    // times that accepting paused for lack of descriptors
	Spooled         uint64    // request bodies that went to a file
	ReadErrors      uint64
	WriteErrors     uint64
	HandshakeErrors uint64 // TLS handshakes that failed
}

func (c *counters) addTo(s *Stats) {
	s.Conns += c.conns.Load()
	s.InFlight += c.inFlight.Load()
	s.Accepted += c.accepted.Load()
	s.Requests += c.requests.Load()
	s.Refused += c.refused.Load()
	s.Timeouts += c.timeouts.Load()
	s.Gone += c.gone.Load()
	s.Panics += c.panics.Load()
	s.BytesIn += c.bytesIn.Load()
	s.BytesOut += c.bytesOut.Load()
	for i := range s.Status {
		s.Status[i] += c.status[i].Load()
	}
	s.NoFiles += c.noFiles.Load()
	s.Spooled += c.spooled.Load()
	s.ReadErrors += c.readErrs.Load()
	s.WriteErrors += c.writeErrs.Load()
	s.HandshakeErrors += c.handshakeErrs.Load()
}
