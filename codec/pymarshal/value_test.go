package pymarshal

import (
	"math"
	"reflect"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// nested returns depth lists, one in the other.
func nested(depth int) any {
	v := any(nil)
	for range depth {
		v = []any{v}
	}
	return v
}

func TestValueRoundTrip(t *testing.T) {
	tests := []struct {
		name string
		give any
		want any // where it is not give
	}{
		{name: "nil", give: nil},
		{name: "bool", give: true},
		{name: "int", give: -7},
		{name: "int64", give: int64(math.MinInt64), want: math.MinInt64},
		{name: "float", give: 0.25},
		{name: "string", give: "a string"},
		{name: "string_not_latin1", give: "\u20ac \U0001f600"},
		{name: "string_long", give: strings.Repeat("long ", 100)},
		{name: "string_surrogate", give: "file \xed\xb2\x80"},
		{name: "bytes", give: []byte{0, 255}},
		{name: "bytes_empty", give: []byte{}},
		{name: "strings", give: []string{"a", "b"}, want: []any{"a", "b"}},
		{name: "list_empty", give: []any{}},
		{name: "configuration", give: map[string]any{
			"module": "app:application", "threads": 2, "lazy": false, "argv": []any{"a", 1},
			"env": map[string]any{"K": "v"}, "none": nil, "caf\u00e9": 1,
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			b, err := Marshal(tt.give)
			if err != nil {
				t.Fatal(err)
			}
			got, err := Unmarshal(b)
			if err != nil {
				t.Fatal(err)
			}
			want := tt.want
			if want == nil {
				want = tt.give
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// TestValueDeepest does not use cmp.Diff, whose time doubles with each level.
func TestValueDeepest(t *testing.T) {
	want := nested(MaxDepth)
	b, err := Marshal(want)
	if err != nil {
		t.Fatal(err)
	}
	got, err := Unmarshal(b)
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("%d lists, one in the other, came back as %v, %v", MaxDepth, got, err)
	}
}

func TestMarshalErrors(t *testing.T) {
	tests := []struct {
		name string
		give any
		want string
	}{
		{"unknown_type", struct{}{}, "no Python value is known for a struct {}"},
		{"unknown_type_inside", map[string]any{"k": []any{1, uint8(1)}}, `"k": marshal: no Python value is known for a uint8`},
		{"not_utf8", "\xff", "is not UTF-8"},
		{"key_not_utf8", map[string]any{"\xff": 1}, "is not UTF-8"},
		{"too_deep", nested(MaxDepth + 1), "nested deeper"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if b, err := Marshal(tt.give); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("Marshal = %q, %v; want an error with %q", b, err, tt.want)
			}
		})
	}
}

func TestUnmarshalErrors(t *testing.T) {
	tests := []struct{ name, give, want string }{
		{"empty", "", "ends where a value should begin"},
		{"trailing", "NN", "more after the value"},
		{"key_not_str", "{i\x01\x00\x00\x00N0", "expected: str"},
		{"not_utf8", "u\x01\x00\x00\x00\xff", "not UTF-8"},
		{"too_deep", strings.Repeat(")\x01", MaxDepth+1) + "N", "nested too deep"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if v, err := Unmarshal([]byte(tt.give)); v != nil || err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("Unmarshal = %v, %v; want an error with %q", v, err, tt.want)
			}
		})
	}
}
