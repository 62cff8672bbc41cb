package http1

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/uwsgo/uwsgo/codec"
)

// addCorpus seeds f with the files of testdata.
func addCorpus(f *testing.F, add func(data []byte)) {
	files, err := filepath.Glob("testdata/*/*.http")
	if err != nil {
		f.Fatal(err)
	}
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		add(data)
	}
}

// FuzzHead checks that any bytes give the same outcome however they arrive, and
// that nothing malformed gets through to an app.
func FuzzHead(f *testing.F) {
	addCorpus(f, func(data []byte) { f.Add(data, uint64(1)) })
	f.Fuzz(func(t *testing.T, data []byte, seed uint64) {
		if len(data) > 4096 {
			return // the table tests see to limits; feeding so much by byte is slow
		}
		want := transcript([][]byte{data})
		for way, reads := range splits(data, seed) {
			if got := transcript(reads); got != want {
				t.Fatalf("%s differs from whole (-whole +split)\n%s", way, cmp.Diff(want, got))
			}
		}

		var d Decoder
		var r codec.Request
		n, err := d.Head(data, &r)
		if n > len(data) || err != nil && n != 0 {
			t.Fatalf("took %d of %d bytes, error %v", n, len(data), err)
		}
		if n == 0 {
			return
		}
		if !bytes.HasSuffix(data[:n], []byte("\r\n\r\n")) || len(r.Buf) != n {
			t.Fatalf("head of %d bytes: %q", n, r.Buf)
		}
		clean := func(what string, s codec.Span) {
			if bytes.ContainsAny(r.Bytes(s), "\r\n\x00") {
				t.Fatalf("%s holds a control character: %q", what, r.Bytes(s))
			}
		}
		clean("target", r.Target)
		clean("path", r.RawPath)
		clean("query", r.Query)
		clean("authority", r.Authority)
		var policy codec.Policy
		for _, field := range r.Fields {
			name := r.Bytes(field.Name)
			if len(name) == 0 || !policy.KeepField(name) {
				t.Fatalf("field %q was kept", name)
			}
			clean("name", field.Name)
			clean("value", field.Value)
		}
		if path := r.Path(); bytes.IndexByte(path, 0) >= 0 || len(path) > max(1, r.RawPath.Len()) {
			t.Fatalf("path %q", path)
		}
		if r.Chunked != (r.ContentLength < 0) {
			t.Fatalf("chunked %v, length %d", r.Chunked, r.ContentLength)
		}
	})
}

// FuzzBody checks chunked decoding: the same data for any split, never more than
// came in, and encoding what came out decodes to the same.
func FuzzBody(f *testing.F) {
	addCorpus(f, func(data []byte) {
		if _, body, ok := bytes.Cut(data, []byte("\r\n\r\n")); ok {
			f.Add(body, uint64(1))
		}
	})
	r := codec.Request{Chunked: true, ContentLength: -1}
	decode := func(reads [][]byte) (data string, done bool, err error) {
		var b Body
		b.Reset(&r)
		data, err = bodyData(&b, reads)
		return data, b.Done(), err
	}
	f.Fuzz(func(t *testing.T, wire []byte, seed uint64) {
		want, wantDone, wantErr := decode([][]byte{wire})
		if len(want) > len(wire) || wantDone && wantErr != nil {
			t.Fatalf("%d bytes of data, done %v, error %v", len(want), wantDone, wantErr)
		}
		for way, reads := range splits(wire, seed) {
			if got, done, err := decode(reads); got != want || done != wantDone || err != wantErr {
				t.Fatalf("%s: %q, %v, %v; whole: %q, %v, %v", way, got, done, err, want, wantDone, wantErr)
			}
		}
		if wantErr == nil {
			again := AppendLastChunk(appendChunk(nil, []byte(want)))
			if got, done, err := decode([][]byte{again}); got != want || !done || err != nil {
				t.Fatalf("encoded again: %q, %v, %v", got, done, err)
			}
		}
	})
}
