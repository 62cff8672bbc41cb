package uwsgi_test

import (
	"fmt"

	"github.com/uwsgo/uwsgo/codec"
	"github.com/uwsgo/uwsgo/codec/uwsgi"
)

func ExampleDecoder_Head() {
	packet, err := uwsgi.AppendPacket(nil, 0, 0, []uwsgi.Var{
		{Name: "REQUEST_METHOD", Value: "POST"},
		{Name: "PATH_INFO", Value: "/caf\u00e9"},
		{Name: "CONTENT_LENGTH", Value: "4"},
		{Name: "HTTP_HOST", Value: "example.org"},
		{Name: "HTTP_PROXY", Value: "http://evil.example"},
		{Name: "REMOTE_ADDR", Value: "192.0.2.1"},
		{Name: "UWSGI_FILE", Value: "exec://reboot"},
	})
	if err != nil {
		panic(err)
	}
	buf := append(packet, "body"...)

	var d uwsgi.Decoder
	var r codec.Request
	n, err := d.Head(buf[:10], &r)
	fmt.Println("ten bytes:", n, err)
	n, err = d.Head(buf, &r)
	fmt.Println("all of it:", n == len(packet), err)
	fmt.Printf("%s %s, body %q\n", r.Bytes(r.Method), r.Path(), buf[n:n+int(r.ContentLength)])
	for _, f := range r.Fields {
		fmt.Printf("field %s: %s\n", r.Bytes(f.Name), r.Bytes(f.Value))
	}
	for _, v := range r.Vars {
		fmt.Printf("var %s: %s\n", r.Bytes(v.Name), r.Bytes(v.Value))
	}
	// Output:
	// ten bytes: 0 <nil>
	// all of it: true <nil>
	// POST /café, body "body"
	// field HOST: example.org
	// var REMOTE_ADDR: 192.0.2.1
}

func ExampleSniff() {
	buf := []byte("GET / HTTP/1.1\r\nHost: example.org\r\n\r\n")
	var d uwsgi.Decoder
	var r codec.Request
	_, err := d.Head(buf, &r)
	fmt.Println(uwsgi.Sniff(buf) == uwsgi.KindHTTP)
	fmt.Println(err)
	// Output:
	// true
	// invalid request block size: 21573 (max 32768)...skip (HTTP came to a uwsgi socket: use http-socket for that address, or uwsgi_pass in nginx)
}
