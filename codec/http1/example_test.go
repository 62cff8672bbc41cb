package http1_test

import (
	"fmt"

	"github.com/uwsgo/uwsgo/codec"
	"github.com/uwsgo/uwsgo/codec/http1"
)

func Example() {
	buf := []byte("POST /caf%C3%A9?table=3 HTTP/1.1\r\nHost: example.org\r\nTransfer-Encoding: chunked\r\n\r\n" +
		"3\r\ntea\r\n0\r\n\r\n")

	var decoder http1.Decoder
	var req codec.Request
	n, err := decoder.Head(buf, &req)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Printf("%s %s, query %s, for %s\n", req.Bytes(req.Method), req.Path(), req.Bytes(req.Query), req.Get("Host"))

	var body http1.Body
	body.Reset(&req)
	for rest := buf[n:]; !body.Done(); {
		n, data, err := body.Next(rest)
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Printf("%s", data)
		rest = rest[n:]
	}
	fmt.Println()
	// Output:
	// POST /café, query table=3, for example.org
	// tea
}

// A head that is incomplete costs nothing but another call; one that is malformed
// fails as soon as that is certain.
func ExampleDecoder_Head() {
	var decoder http1.Decoder
	var req codec.Request
	buf := []byte("GET / HTTP/1.1\r\nHost: exa")
	n, err := decoder.Head(buf, &req)
	fmt.Println(n, err)

	buf = append(buf, "mple.org\n"...)
	_, err = decoder.Head(buf, &req)
	fmt.Println(err, err.(*codec.Error).Status)
	// Output:
	// 0 <nil>
	// a line ends in LF without CR 400
}

func ExampleAppendHead() {
	req := codec.Request{Proto: codec.HTTP11, KeepAlive: true}
	resp := codec.Response{Status: 200, ContentLength: -1, Header: []codec.Header{
		{Name: []byte("Content-Type"), Value: []byte("text/plain")},
	}}
	out, framing := http1.AppendHead(nil, &req, &resp, []byte("Sun, 06 Nov 1994 08:49:37 GMT"), true)
	if framing.Kind == http1.FrameChunked {
		out = append(http1.AppendChunkHead(out, 5), "hello"+http1.ChunkEnd...)
		out = http1.AppendLastChunk(out)
	}
	fmt.Printf("%q\n", out)
	// Output:
	// "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nTransfer-Encoding: chunked\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\n\r\n5\r\nhello\r\n0\r\n\r\n"
}
