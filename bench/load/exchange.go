package load

import (
	"errors"
	"fmt"
	"io"
	"net"
	"time"
)

// ioLimit bounds every wait of a crowd's client, so that a server that falls
// silent ends the measurement instead of hanging it.
const ioLimit = 15 * time.Second

// wrongError is an answer that is wrong, by its kind.
type wrongError struct{ kind string }

func (e wrongError) Error() string { return "wrong answer: " + e.kind }

// kindOf gives the kind under which an error of a client is counted.
func kindOf(err error) string {
	var wrong wrongError
	var network net.Error
	switch {
	case errors.As(err, &wrong):
		return wrong.kind
	case errors.As(err, &network) && network.Timeout():
		return KindTimeout
	default:
		return KindNoAnswer
	}
}

// readAnswer reads one answer from r through buf and checks it. keep tells
// whether the connection stays open.
func readAnswer(r io.Reader, w *wire, buf []byte) (keep bool, err error) {
	var a answer
	a.expect(w, 0)
	for {
		n, err := r.Read(buf)
		used, done, bad := a.feed(buf[:n])
		switch {
		case bad != "":
			return false, wrongError{bad}
		case done && used < n:
			return false, wrongError{KindExtra}
		case done:
			return a.keepAlive(), nil
		case err == nil:
			continue
		case !a.begun():
			return false, fmt.Errorf("no answer: %w", err)
		case err == io.EOF:
			if bad := a.end(); bad != "" {
				return false, wrongError{bad}
			}
			return false, nil
		default:
			var network net.Error
			if errors.As(err, &network) && network.Timeout() {
				return false, wrongError{KindTimeout}
			}
			return false, wrongError{KindClosedEarly}
		}
	}
}
