package cache

import (
	"bytes"
	"slices"
	"strings"

	"github.com/uwsgo/uwsgo/codec"
	"github.com/uwsgo/uwsgo/engine"
	"github.com/uwsgo/uwsgo/handler/internal/conditional"
)

// Frameworks learn of another scheme, host, path, method or user by fields with these names, and by
// those that begin so: X-Forwarded-Host, -Proto, -Protocol, -Prefix, -User and their kin. Without them
// in the key, one client's X-Forwarded-Host would be in the links that other clients get.
var (
	keyedNames = [][]byte{
		[]byte("Forwarded"), []byte("Front-End-Https"), []byte("X-Host"), []byte("X-Method-Override"), []byte("X-Scheme"), []byte("X-Script-Name"),
		[]byte("X-Url-Scheme"),
	}
	keyedBegin = [][]byte{[]byte("X-Forwarded-"), []byte("X-Original-"), []byte("X-Rewrite-"), []byte("X-Http-")}
	// forwardedFor differs from client to client, and says only who asks.
	forwardedFor = []byte("X-Forwarded-For")
)

// keyed reports whether a field is in the key.
func keyed(name []byte) bool {
	if len(name) == 0 || name[0]|0x20 != 'x' && name[0]|0x20 != 'f' {
		return false
	}
	for _, begin := range keyedBegin {
		if len(name) > len(begin) && codec.EqualName(name[:len(begin)], begin) {
			return !codec.EqualName(name, forwardedFor)
		}
	}
	return named(name, keyedNames)
}

// ofClient are the variables that say who asks, not what for. All others are in the key: rules
// and front servers set them for apps to read.
var ofClient = map[string]bool{
	"REMOTE_ADDR": true, "REMOTE_PORT": true, "SERVER_NAME": true, "SERVER_PORT": true, "SERVER_PROTOCOL": true, "REQUEST_METHOD": true,
	"REQUEST_URI": true, "DOCUMENT_URI": true, "QUERY_STRING": true, "CONTENT_LENGTH": true, "REQUEST_SCHEME": true, "HTTPS": true,
	"UWSGI_SCHEME": true, "REQUEST_ID": true,
}

// appendKey appends the key of a request's resource. A byte that no part can contain separates the
// parts.
func appendKey(dst []byte, x *engine.Exchange) []byte {
	r := x.Request()
	scheme := byte('h')
	if x.HTTPS() {
		scheme = 's'
	}
	dst = append(appendTarget(append(dst, scheme), r), r.Bytes(r.ScriptName)...)
	if r.Rewritten || r.Proto == codec.UWSGI {
		dst = append(append(dst, 0), r.Path()...)
		dst = append(append(dst, 0), r.Bytes(r.Query)...)
	}
	order := make([]int, 0, 16) // of HTTP/2, fields come in any
	for i, f := range r.Fields {
		if keyed(r.Bytes(f.Name)) {
			order = append(order, i)
		}
	}
	if len(order) > 1 {
		slices.SortStableFunc(order, func(a, b int) int { return bytes.Compare(r.Bytes(r.Fields[a].Name), r.Bytes(r.Fields[b].Name)) })
	}
	for _, i := range order {
		dst = append(codec.AppendEnvName(append(dst, 0), r.Bytes(r.Fields[i].Name)), '=')
		dst = append(dst, r.Bytes(r.Fields[i].Value)...)
	}
	for _, f := range r.Vars {
		if name := r.Bytes(f.Name); !ofClient[string(name)] {
			dst = append(append(append(dst, 0), name...), '=')
			dst = append(dst, r.Bytes(f.Value)...)
		}
	}
	return dst
}

// appendTarget appends host and target, with a NUL around each.
func appendTarget(dst []byte, r *codec.Request) []byte {
	dst = append(dst, 0)
	host := len(dst)
	dst = append(dst, r.Bytes(r.Authority)...)
	lower(dst[host:])
	return append(append(append(dst, 0), r.Bytes(r.Target)...), 0)
}

// purgeKeys returns the prefixes of the keys of all answers for the target.
func purgeKeys(x *engine.Exchange) []string {
	rest := string(appendTarget(nil, x.Request()))
	return []string{"h" + rest, "s" + rest}
}

func lower(b []byte) {
	for i, c := range b {
		if 'A' <= c && c <= 'Z' {
			b[i] = c | 0x20
		}
	}
}

// varyOf returns the names of Vary, in lower case and in order. It reports false for "*" and for
// more names than anybody needs: such an answer fits no other request.
func varyOf(resp *codec.Response) (names []string, ok bool) {
	for _, h := range resp.Header {
		if !codec.EqualName(h.Name, nameVary) {
			continue
		}
		for name := range bytes.SplitSeq(h.Value, comma) {
			if name = bytes.TrimSpace(name); len(name) > 0 {
				names = append(names, strings.ToLower(string(name)))
			}
		}
	}
	slices.Sort(names)
	names = slices.Compact(names)
	return names, len(names) <= 16 && !slices.Contains(names, "*")
}

// variantOf returns the request's values of the fields that an answer varies by.
func variantOf(r *codec.Request, names []string) string {
	if len(names) == 0 {
		return ""
	}
	var key []byte
	for _, name := range names {
		value := conditional.Field(r, name)
		absent := value == nil
		switch name {
		case "accept-encoding":
			value = codings(value)
		case "accept-language":
			value = bytes.ToLower(bytes.ReplaceAll(value, []byte(" "), nil))
		}
		if absent {
			key = append(key, 1) // an absent field is not an empty one
		}
		key = append(append(key, value...), 0)
	}
	return string(key)
}

// codings normalizes Accept-Encoding: two clients that accept the same codings share an answer,
// whatever their preferences are.
func codings(value []byte) []byte {
	if value == nil {
		return nil
	}
	var names []string
	for element := range bytes.SplitSeq(value, comma) {
		name, parameters, _ := bytes.Cut(element, []byte(";"))
		name = bytes.ToLower(bytes.TrimSpace(name))
		if len(name) == 0 {
			continue
		}
		if q := strings.Trim(strings.TrimPrefix(strings.ReplaceAll(string(parameters), " ", ""), "q="), "0."); len(parameters) > 0 && q == "" {
			name = append(name, "-no"...)
		}
		names = append(names, string(name))
	}
	slices.Sort(names)
	return []byte(strings.Join(slices.Compact(names), ","))
}
