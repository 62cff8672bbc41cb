package main

import "strings"

// tellLosses logs which options do not do what they do in uWSGI, in one line for each
// level.
func (p *program) tellLosses() {
	l := p.cfg.Losses
	for _, level := range []struct {
		names []string
		what  string
	}{
		{l.Unprotected, "*** WARNING: not protected by, as ignore-unsupported says: %s ***"},
		{l.Function, "*** WARNING: lost function, as these options are not supported: %s ***"},
		{l.Changed, "*** changed, as these options are done in another way: %s ***"},
		{l.Harmless, "*** harmless, as these options have nothing to do: %s ***"},
	} {
		if len(level.names) > 0 {
			p.log.Printf(level.what, strings.Join(level.names, ", "))
		}
	}
}
