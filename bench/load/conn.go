package load

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"
)

// ioLimit bounds every wait for a server, so that one that falls silent ends
// the measurement instead of hanging it.
const ioLimit = 20 * time.Second

// exchange sends raw on c and reads one whole answer, whose body length it
// returns. The status must be 200.
func exchange(c net.Conn, r *bufio.Reader, raw []byte) (int64, error) {
	if err := c.SetDeadline(time.Now().Add(ioLimit)); err != nil {
		return 0, err
	}
	if _, err := c.Write(raw); err != nil {
		return 0, err
	}
	return readAnswer(r)
}

// readAnswer reads one answer with status 200 and gives the length of its body.
func readAnswer(r *bufio.Reader) (int64, error) {
	resp, err := http.ReadResponse(r, nil)
	if err != nil {
		return 0, err
	}
	defer resp.Body.Close()
	n, err := io.Copy(io.Discard, resp.Body)
	if err != nil {
		return n, err
	}
	if resp.StatusCode != http.StatusOK {
		return n, fmt.Errorf("status %s", resp.Status)
	}
	return n, nil
}
