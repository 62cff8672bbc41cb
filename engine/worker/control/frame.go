package control

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"github.com/uwsgo/uwsgo/codec/pymarshal"
)

// MaxFrame bounds a frame in bytes, without its length. shim/control.py has the same.
const MaxFrame = 1 << 20

// errFrame says that a frame is malformed.
var errFrame = errors.New("malformed frame")

// call is a frame of a process.
type call struct {
	id   int // 0 for a notice
	name string
	args []any
}

// appendFrame appends a frame that holds the values.
func appendFrame(dst []byte, values ...any) ([]byte, error) {
	b, err := pymarshal.Marshal(values)
	if err != nil {
		return dst, err
	}
	if len(b) > MaxFrame {
		return dst, fmt.Errorf("a message of %d bytes exceeds the %d that the channel to a process allows", len(b), MaxFrame)
	}
	return append(binary.LittleEndian.AppendUint32(dst, uint32(len(b))), b...), nil
}

// readCall reads one frame of a process. An error that wraps errFrame says that it is
// malformed. Every other error is the reader's.
func readCall(r io.Reader) (call, error) {
	var head [4]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return call{}, err
	}
	n := binary.LittleEndian.Uint32(head[:])
	if n > MaxFrame {
		return call{}, fmt.Errorf("%w: %d bytes are more than %d", errFrame, n, MaxFrame)
	}
	b := make([]byte, n)
	if _, err := io.ReadFull(r, b); err != nil {
		return call{}, err
	}
	v, err := pymarshal.Unmarshal(b)
	if err != nil {
		return call{}, fmt.Errorf("%w: %w", errFrame, err)
	}
	list, _ := v.([]any)
	if len(list) < 2 {
		return call{}, fmt.Errorf("%w: not a list of a number and a name", errFrame)
	}
	id, isInt := list[0].(int)
	name, isText := list[1].(string)
	if !isInt || id < 0 || !isText {
		return call{}, fmt.Errorf("%w: it begins with %.40q", errFrame, fmt.Sprint(list[:2]...))
	}
	return call{id, name, list[2:]}, nil
}
