package uwsgi

import (
	"encoding/binary"
	"fmt"
	"math"
)

// Var is a variable of a packet to be sent.
type Var struct{ Name, Value string }

// AppendPacket appends the packet that asks for what vars describe; the body, if
// any, follows it. Both modifiers are 0 for WSGI. It fails, with dst unchanged,
// when the variables take more than the 65535 bytes that a packet can have, or
// when one has no name.
func AppendPacket(dst []byte, modifier1, modifier2 byte, vars []Var) ([]byte, error) {
	size := 0
	for _, v := range vars {
		if v.Name == "" {
			return dst, fmt.Errorf("uwsgi packet: the variable with value %.40q has no name", v.Value)
		}
		size += 4 + len(v.Name) + len(v.Value)
		if size > math.MaxUint16 {
			return dst, fmt.Errorf("uwsgi packet: with %s the variables take more than %d bytes", v.Name, math.MaxUint16)
		}
	}
	dst = append(dst, modifier1, byte(size), byte(size>>8), modifier2)
	for _, v := range vars {
		dst = append(binary.LittleEndian.AppendUint16(dst, uint16(len(v.Name))), v.Name...)
		dst = append(binary.LittleEndian.AppendUint16(dst, uint16(len(v.Value))), v.Value...)
	}
	return dst, nil
}

// AppendPong appends the answer to a ping ([Decoder].Ping): alive, and no warning.
func AppendPong(dst []byte) []byte { return append(dst, modifierPing, 0, 0, 1) }
