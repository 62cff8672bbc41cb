package route

import (
	"bytes"
	"fmt"
	"strings"

	"github.com/uwsgo/uwsgo/codec"
	"github.com/uwsgo/uwsgo/engine"
	"github.com/uwsgo/uwsgo/handler/header"
)

// Collect copies a header of each answer to a variable, for rules on answers: uWSGI's
// collect-header. When a header comes twice the last value counts.
type Collect struct {
	Header []byte
	Var    string
	Pull   bool // the header does not reach the client: pull-header
}

// ParseCollect reads the value of uWSGI's options: HEADER VAR.
func ParseCollect(value string, pull bool) (Collect, error) {
	name, variable, ok := strings.Cut(value, " ")
	if !ok {
		return Collect{}, fmt.Errorf("%q is not of the form HEADER VAR", value)
	}
	c := Collect{Var: strings.TrimSpace(variable), Pull: pull}
	if err := checkVariable(c.Var); err != nil {
		return c, fmt.Errorf("%q: %w", c.Var, err)
	}
	var err error
	c.Header, err = header.ParseName(name)
	return c, err
}

// collect does so for a response.
func (h *Handler) collect(x *engine.Exchange, resp *codec.Response) {
	kept := resp.Header[:0]
	for _, f := range resp.Header {
		pulled := false
		for i := range h.collects {
			c := &h.collects[i]
			if len(f.Name) != len(c.Header) || !bytes.EqualFold(f.Name, c.Header) {
				continue
			}
			if err := x.Request().SetVar(c.Var, string(f.Value)); err != nil {
				h.logf("collect-header: %s: %v", c.Var, err)
			}
			pulled = pulled || c.Pull
		}
		if !pulled {
			kept = append(kept, f)
		}
	}
	resp.Header = kept
}
