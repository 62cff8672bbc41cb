package worker

import (
	"fmt"
	"strings"
	"testing"
)

const largeAnswers = `
def application(environ, start_response):
    n, start = int(environ["HTTP_N"]), int(environ["HTTP_START"])
    block = (bytes(range(256)) * (n // 256 + 2))[start:start + n]
    write = start_response("200 OK", [("Content-Length", str(n))])
    if environ["PATH_INFO"] == "/written":
        write(block)
        return []
    if environ["PATH_INFO"] == "/iterated":
        return iter([block])
    return [block]
`

// Large answers come whole: by shared memory while there is room, and by the stream else.
func TestLargeAnswers(t *testing.T) {
	modes(t, func(t *testing.T, stream bool) {
		r := start(t, Config{Apps: []App{app(t, largeAnswers)}, Processes: 2, Threads: 2, StreamMode: stream}, 2)
		each := r.pool.plane.shared.AnswersEach
		var bytes [256]byte
		for i := range bytes {
			bytes[i] = byte(i)
		}
		all := strings.Repeat(string(bytes[:]), 5<<20/256+2)
		asked := 0
		ask := func(n int, path string) (c *call, want string) {
			asked++
			at := asked % 256
			c = &call{loop: asked % 2, path: path, vars: map[string]string{"HTTP_N": fmt.Sprint(n), "HTTP_START": fmt.Sprint(at)}}
			return r.send(c), all[at : at+n]
		}
		for _, n := range []int{1, 64 << 10, 64<<10 + 1, 100_000, 1 << 20, 2<<20 - 65, 2<<20 - 64, 2<<20 - 63, 5 << 20} {
			for _, path := range []string{"/", "/iterated", "/written"} {
				c, want := ask(n, path)
				c.wait().body200(want)
				if shared := 64<<10 < n && n <= each-64; c.streamed == (shared || n <= 64<<10) {
					t.Errorf("%d bytes of %s: streamed is %v", n, path, c.streamed)
				}
			}
		}
		for range 3 { // more at a time than there is room for
			var calls []*call
			var wants []string
			for i := range 60 {
				c, want := ask(70_000+i*7001, "/")
				calls, wants = append(calls, c), append(wants, want)
			}
			for i, c := range calls {
				c.wait().body200(wants[i])
			}
		}
	})
}
