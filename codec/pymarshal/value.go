package pymarshal

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"unicode/utf8"
)

// Marshal returns v as marshal.loads reads it. v is nil (None), a bool, an int or int64, a
// float64, a string of UTF-8 (str), a []byte (bytes), a []any or []string (list) or a
// map[string]any (dict). Containers nest at most [MaxDepth] deep. Keys are written in order, so
// that equal values give equal bytes.
func Marshal(v any) ([]byte, error) {
	return appendAny(nil, v, 0)
}

func appendAny(dst []byte, v any, depth int) (_ []byte, err error) {
	if depth > MaxDepth {
		return nil, fmt.Errorf("marshal: containers are nested deeper than %d", MaxDepth)
	}
	switch v := v.(type) {
	case nil:
		return AppendNone(dst), nil
	case bool:
		return AppendBool(dst, v), nil
	case int:
		return AppendInt(dst, int64(v)), nil
	case int64:
		return AppendInt(dst, v), nil
	case float64:
		return AppendFloat(dst, v), nil
	case string:
		return appendText(dst, v)
	case []byte:
		if len(v) > math.MaxInt32 {
			return nil, fmt.Errorf("marshal: %d bytes are too many", len(v))
		}
		return AppendBytes(dst, v), nil
	case []string:
		dst = AppendListHead(dst, len(v))
		for _, s := range v {
			if dst, err = appendText(dst, s); err != nil {
				return nil, err
			}
		}
		return dst, nil
	case []any:
		dst = AppendListHead(dst, len(v))
		for _, e := range v {
			if dst, err = appendAny(dst, e, depth+1); err != nil {
				return nil, err
			}
		}
		return dst, nil
	case map[string]any:
		dst = AppendDictStart(dst)
		for _, k := range slices.Sorted(maps.Keys(v)) {
			if dst, err = appendText(dst, k); err != nil {
				return nil, err
			}
			if dst, err = appendAny(dst, v[k], depth+1); err != nil {
				return nil, fmt.Errorf("%q: %w", k, err)
			}
		}
		return AppendDictEnd(dst), nil
	}
	return nil, fmt.Errorf("marshal: no Python value is known for a %T", v)
}

// appendText appends the str that s encodes in UTF-8.
func appendText(dst []byte, s string) ([]byte, error) {
	b := []byte(s)
	if IsASCII(b) {
		return AppendStr(dst, b), nil
	}
	if len(b) > math.MaxInt32 || !validText(b) {
		return nil, fmt.Errorf("marshal: string %.40q is not UTF-8, or too long", s)
	}
	return append(appendSized(dst, typeUnicode, uint32(len(b))), b...), nil
}

// validText reports whether Python takes b for UTF-8 with "surrogatepass": that
// allows ED A0 80 to ED BF BF, which stand for undecodable bytes of file names.
func validText(b []byte) bool {
	for len(b) > 0 {
		c, n := utf8.DecodeRune(b)
		if c == utf8.RuneError && n == 1 {
			if len(b) < 3 || b[0] != 0xed || b[1]&0xe0 != 0xa0 || b[2]&0xc0 != 0x80 {
				return false
			}
			n = 3
		}
		b = b[n:]
	}
	return true
}

// Unmarshal returns the one value that b holds: nil, bool, int, float64, string, []byte, []any
// for a list or a tuple, or map[string]any. It refuses dicts with other keys, ints beyond 64
// bits, nesting deeper than [MaxDepth] and trailing bytes. It allocates at most a small
// multiple of len(b).
func Unmarshal(b []byte) (any, error) {
	var r Reader
	r.Reset(b)
	v := readAny(&r, 0)
	if r.More() {
		r.fail(r.pos, "there is more after the value")
	}
	if r.err != nil {
		return nil, r.err
	}
	return v, nil
}

func readAny(r *Reader, depth int) any {
	if depth > MaxDepth {
		r.fail(r.pos, "containers are nested too deep")
		return nil
	}
	switch k := r.Kind(); k {
	case KindBool:
		return r.Bool()
	case KindInt:
		return int(r.Int())
	case KindFloat:
		return r.Float()
	case KindBytes:
		return append([]byte{}, r.Bytes()...)
	case KindStr:
		return readText(r)
	case KindTuple, KindList:
		n := r.container(k)
		list := make([]any, 0, n)
		for ; n > 0 && r.err == nil; n-- {
			list = append(list, readAny(r, depth+1))
		}
		return list
	case KindDict:
		dict := map[string]any{}
		r.DictStart()
		for !r.DictEnd() {
			key := readText(r)
			value := readAny(r, depth+1)
			if r.err == nil {
				dict[key] = value
			}
		}
		return dict
	default:
		r.None()
		return nil
	}
}

func readText(r *Reader) string {
	at := r.pos
	s, ascii := r.Str()
	if !ascii && r.err == nil && !validText(s) {
		r.fail(at, "a str is not UTF-8")
	}
	return string(s)
}
