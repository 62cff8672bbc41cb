package pymarshal

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// python runs a script with PYTHON, else python3, and returns what it prints.
func python(t *testing.T, script string, stdin []byte) []byte {
	t.Helper()
	name := os.Getenv("PYTHON")
	if name == "" {
		name = "python3"
	}
	path, err := exec.LookPath(name)
	if err != nil {
		t.Skip("no Python here")
	}
	cmd := exec.Command(path, "-I", "-c", script)
	cmd.Stdin = bytes.NewReader(stdin)
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v\n%s", err, &stderr)
	}
	return out
}

// TestPythonReads has Python read what is written here.
func TestPythonReads(t *testing.T) {
	every := make([]byte, 256)
	for i := range every {
		every[i] = byte(i)
	}
	long := bytes.Repeat([]byte("long "), 100)
	var b []byte
	n := 0
	var want strings.Builder
	add := func(value []byte, expr string) {
		b = append(b, value...)
		n++
		fmt.Fprintf(&want, "  %s,\n", expr)
	}
	add(AppendNone(nil), "None")
	add(AppendBool(nil, true), "True")
	add(AppendBool(nil, false), "False")
	for _, v := range []int64{0, 1, -1, 1<<31 - 1, -1 << 31, 1 << 31, -1<<31 - 1, 1 << 45, 1<<63 - 1, -1 << 63} {
		add(AppendInt(nil, v), fmt.Sprint(v))
	}
	add(AppendFloat(nil, -0.125), "-0.125")
	add(AppendBytes(nil, every), "bytes(range(256))")
	add(AppendStr(nil, every), "bytes(range(256)).decode('latin-1')")
	add(AppendStr(nil, nil), "''")
	add(AppendStr(nil, []byte("GET")), "'GET'")
	add(AppendStr(nil, long), "'long ' * 100")
	add(AppendKey(nil, "PATH_INFO"), "'PATH_INFO'")
	add(AppendKey(nil, string(long)), "'long ' * 100")
	add(AppendNone(AppendTupleHead(nil, 1)), "(None,)")
	value, err := Marshal(map[string]any{"\u20ac": []any{"\U0001f600", []byte{0}, 1, nil, map[string]any{}}, "s": "\xed\xb2\x80"})
	if err != nil {
		t.Fatal(err)
	}
	add(value, `{'\u20ac': ['\U0001f600', b'\x00', 1, None, {}], 's': '\udc80'}`)
	b = append(AppendListHead(nil, n), b...)

	python(t, `
import marshal, sys
got = marshal.loads(sys.stdin.buffer.read())
want = [
`+want.String()+`]
assert got == want, [(g, w) for g, w in zip(got, want) if g != w]
assert [type(g) for g in got] == [type(w) for w in want]
`, b)
}

// TestPythonWrites reads what Python writes, in the version that workers use and
// in the newest, which marks and refers.
func TestPythonWrites(t *testing.T) {
	for _, version := range []int{2, 3, 4} {
		t.Run(fmt.Sprintf("version=%d", version), func(t *testing.T) {
			out := python(t, fmt.Sprintf(`
import marshal, sys
name = "Content-" + sys.argv[0][:0] + "Type"
value = {
    "none": None, "true": True, "false": False,
    "ints": [0, 1, -1, 2**31 - 1, -2**31, 2**31, 2**62, -2**63, 2**63 - 1],
    "float": 0.1,
    "bytes": bytes(range(256)),
    "str": "caf\u00e9 \u20ac \U0001f600 \udc80",
    "long": "x" * 300,
    "tuple": (1, ("a", b"b")),
    "wide": tuple(range(300)),
    "same": [name, name, name],
    "empty": [(), [], {}, "", b""],
}
sys.stdout.buffer.write(marshal.dumps(value, %d))
`, version), nil)
			got, err := Unmarshal(out)
			if err != nil {
				t.Fatal(err)
			}
			every := make([]byte, 256)
			for i := range every {
				every[i] = byte(i)
			}
			wide := make([]any, 300)
			for i := range wide {
				wide[i] = i
			}
			want := map[string]any{
				"none": nil, "true": true, "false": false,
				"ints":  []any{0, 1, -1, 1<<31 - 1, -1 << 31, 1 << 31, 1 << 62, -1 << 63, 1<<63 - 1},
				"float": 0.1,
				"bytes": every,
				"str":   "caf\u00e9 \u20ac \U0001f600 \xed\xb2\x80",
				"long":  strings.Repeat("x", 300),
				"tuple": []any{1, []any{"a", []byte("b")}},
				"wide":  wide,
				"same":  []any{"Content-Type", "Content-Type", "Content-Type"},
				"empty": []any{[]any{}, []any{}, map[string]any{}, "", []byte{}},
			}
			if diff := cmp.Diff(any(want), got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}
