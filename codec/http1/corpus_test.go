package http1

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/uwsgo/uwsgo/codec"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// transcript is what a server would see of one connection: each request with its
// body, and how it ended. reads are what its read calls return. Like a real read
// buffer the bytes move between calls.
func transcript(reads [][]byte) string {
	var out strings.Builder
	var d Decoder
	var body Body
	var r codec.Request
	var buf, data []byte
	var keepAlive, inBody bool
	fault := func(err error) string {
		var e *codec.Error
		if !errors.As(err, &e) {
			return out.String() + fmt.Sprintf("not a codec.Error: %v\n", err)
		}
		return out.String() + fmt.Sprintf("error %s %d\n", e.ID, e.Status)
	}
	for _, read := range reads {
		buf = append(bytes.Clone(buf), read...)
		for len(buf) > 0 {
			if inBody {
				n, piece, err := body.Next(buf)
				if err != nil {
					return fault(err)
				}
				data = append(data, piece...)
				buf = buf[n:]
			} else {
				n, err := d.Head(buf, &r)
				if err != nil {
					return fault(err)
				}
				if n == 0 {
					break
				}
				describe(&out, &r)
				keepAlive = r.KeepAlive
				body.Reset(&r)
				buf, data, inBody = buf[n:], nil, true
			}
			if !body.Done() {
				continue
			}
			fmt.Fprintf(&out, "body %q\n", data)
			if inBody = false; !keepAlive {
				return out.String() + "closed\n"
			}
		}
	}
	if inBody {
		return out.String() + "body unfinished\n"
	}
	if !d.Idle() {
		return out.String() + "head unfinished\n"
	}
	return out.String()
}

func describe(out *strings.Builder, r *codec.Request) {
	fmt.Fprintf(out, "%s %q\npath %q query %q authority %q version %s\n",
		r.Bytes(r.Method), r.Bytes(r.Target), r.Path(), r.Bytes(r.Query), r.Bytes(r.Authority), r.Bytes(r.Version))
	fmt.Fprintf(out, "length %d chunked %v head %v keep-alive %v expect %v\n",
		r.ContentLength, r.Chunked, r.Head, r.KeepAlive, r.Expect100)
	for _, f := range r.Fields {
		fmt.Fprintf(out, "field %s: %q\n", r.Bytes(f.Name), r.Bytes(f.Value))
	}
}

// splits returns ways in which p may arrive.
func splits(p []byte, seed uint64) map[string][][]byte {
	ways := map[string][][]byte{"whole": {p}, "by_line": bytes.SplitAfter(p, []byte("\n"))}
	for i := range p {
		ways["by_byte"] = append(ways["by_byte"], p[i:i+1])
	}
	rng := rand.New(rand.NewPCG(seed, 0))
	for round := range 3 {
		name := fmt.Sprintf("random_%d", round)
		for rest := p; len(rest) > 0; {
			n := min(1+rng.IntN(1<<(2+3*round)), len(rest))
			ways[name] = append(ways[name], rest[:n])
			rest = rest[n:]
		}
	}
	return ways
}

// TestCorpus feeds every file of testdata in several splits. Goldens of valid
// requests are their transcripts; those of invalid ones end in an error.
func TestCorpus(t *testing.T) {
	files, err := filepath.Glob("testdata/*/*.http")
	if err != nil || len(files) == 0 {
		t.Fatal("no corpus", err)
	}
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	for _, file := range files {
		kind := filepath.Base(filepath.Dir(file))
		name := strings.TrimSuffix(filepath.Base(file), ".http")
		t.Run(kind+"/"+name, func(t *testing.T) {
			give, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			golden := strings.TrimSuffix(file, ".http") + ".golden"
			if *update {
				if err := os.WriteFile(golden, []byte(transcript([][]byte{give})), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if refused := bytes.Contains(want, []byte("error ")); refused != (kind == "invalid") {
				t.Errorf("golden file of a request that is %s:\n%s", kind, want)
			}
			for way, reads := range splits(give, seed) {
				if diff := cmp.Diff(string(want), transcript(reads)); diff != "" {
					t.Errorf("%s: (-want +got)\n%s", way, diff)
				}
			}
		})
	}
}
