package compress

import "testing"

// The end of an exchange, whatever it is, gives the encoder back, but for one that a goroutine
// still uses.
func TestEncoderComesBack(t *testing.T) {
	h := New(nil, Options{})
	for _, away := range []bool{false, true} {
		o := &output{handler: h, encoding: gzipped, away: away}
		o.stream = newEncoder(gzipped, &o.buffer)
		o.Ended(nil, nil)
		if freed := o.stream == nil; freed == away {
			t.Errorf("away %v: given back %v", away, freed)
		}
		if away != o.over {
			t.Errorf("away %v: over %v", away, o.over)
		}
	}
}
