package worker

import (
	"fmt"

	"github.com/uwsgo/uwsgo/codec/pymarshal"
)

// maxLogVariable bounds the frame of one variable for the log, in bytes. shim/module.py has
// the same.
const maxLogVariable = 64 << 10

// LogClient is a [Client] that hears what an app sets for the log by uwsgi.set_logvar, before
// the answer or between its pieces. An empty name asks that the request be logged
// (uwsgi.log_this_request). The bytes are valid during the call.
type LogClient interface {
	LogVariable(core *Core, name, value []byte)
}

// logVariable passes one on to the client of a request.
func (st *stream) logVariable(s *slot, id uint32, payload []byte) error {
	v, err := pymarshal.Unmarshal(payload)
	pair, _ := v.([]any)
	if err != nil || len(pair) != 2 {
		return fmt.Errorf("%w: malformed log variable", errFrame)
	}
	name, isName := pair[0].([]byte)
	value, isValue := pair[1].([]byte)
	if !isName || !isValue {
		return fmt.Errorf("%w: malformed log variable", errFrame)
	}
	s.told = true // the thread has it
	st.port.tellLogVariable(s.client, id, st.core(id), name, value)
	return nil
}

func (p *Port) tellLogVariable(c Client, id uint32, core *Core, name, value []byte) {
	defer p.contain(c, id)
	if c, ok := c.(LogClient); ok {
		c.LogVariable(core, name, value)
	}
}
