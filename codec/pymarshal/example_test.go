package pymarshal_test

import (
	"fmt"

	"github.com/uwsgo/uwsgo/codec/pymarshal"
)

// A request as a worker gets it: marshal.loads gives ({"PATH_INFO": "/é"}, b"body"),
// the path being latin-1 as PEP 3333 wants it.
func ExampleAppendStr() {
	b := pymarshal.AppendTupleHead(nil, 2)
	b = pymarshal.AppendDictStart(b)
	b = pymarshal.AppendKey(b, "PATH_INFO")
	b = pymarshal.AppendStr(b, []byte("/\xe9"))
	b = pymarshal.AppendDictEnd(b)
	b = pymarshal.AppendBytes(b, []byte("body"))
	fmt.Printf("%q\n", b)
	// Output: "(\x02\x00\x00\x00{Z\tPATH_INFOu\x03\x00\x00\x00/é0s\x04\x00\x00\x00body"
}

// A reply as marshal.dumps((200, "OK", b"hi"), 2) writes it.
func ExampleReader() {
	var r pymarshal.Reader
	r.Reset([]byte("(\x03\x00\x00\x00i\xc8\x00\x00\x00u\x02\x00\x00\x00OKs\x02\x00\x00\x00hi"))
	n := r.TupleLen()
	status := r.Int()
	reason, _ := r.Str()
	body := r.Bytes()
	fmt.Printf("%d values: %d %s %q, error %v\n", n, status, reason, body, r.Err())
	// Output: 3 values: 200 OK "hi", error <nil>
}

func ExampleMarshal() {
	b, err := pymarshal.Marshal(map[string]any{"threads": 2, "module": "app"})
	fmt.Printf("%q %v\n", b, err)
	v, err := pymarshal.Unmarshal(b)
	fmt.Println(v, err)
	// Output:
	// "{z\x06modulez\x03appz\athreadsi\x02\x00\x00\x000" <nil>
	// map[module:app threads:2] <nil>
}
