package codec_test

import (
	"errors"
	"fmt"

	"github.com/uwsgo/uwsgo/codec"
)

func ExampleRequest_Path() {
	const path = "/static/%2e%2e/caf%C3%A9"
	r := codec.Request{Buf: []byte(path), RawPath: codec.Span{Off: 0, End: uint32(len(path))}}
	fmt.Printf("%s\n", r.Path())
	// Output: /static/../café
}

func ExampleValidate() {
	err := codec.Validate(&codec.Response{Status: 200, Header: []codec.Header{
		{Name: []byte("Location"), Value: []byte("/a\r\nSet-Cookie: admin=1")},
	}})
	fmt.Println(err)
	if fault, ok := errors.AsType[*codec.Error](err); ok {
		fmt.Println(fault.ID, fault.Status)
	}
	// Output:
	// header Location: "/a\r\nSet-Cookie: admin=1": a response header's value holds a control character
	// response_value 500
}

func ExampleAppendEnvName() {
	fmt.Printf("%s\n", codec.AppendEnvName(nil, []byte("User-Agent")))
	// Output: HTTP_USER_AGENT
}
