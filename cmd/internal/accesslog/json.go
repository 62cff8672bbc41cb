package accesslog

import (
	"strings"
	"unicode/utf8"
)

// JSON returns the line of a request as a JSON object, for log-json.
func JSON(o Options) *Format {
	var line strings.Builder
	line.WriteString(`{"time":"%( iso)","source":"request","addr":"%( addr)","user":"%( user)","method":"%( method)","uri":"%( uri)",` +
		`"proto":"%( proto)","host":"%( host)","status":%(status),"rsize":%(rsize),"hsize":%(hsize),"cl":%(cl),"micros":%(micros),` +
		`"queue_micros":%(queue_micros),"referer":"%( referer)","uagent":"%( uagent)","pid":%(pid),"wid":%(wid),"core":%(core),"broken":"%( why)"`)
	if o.Memory > 0 {
		line.WriteString(`,"rss":%(rss),"vsz":%(vsz)`)
	}
	if o.Memory == 2 {
		line.WriteString(`,"uss":%( uss),"pss":%( pss)`)
	}
	line.WriteByte('}')
	return Compile(line.String(), o)
}

// AppendJSON adds text to dst as the inside of a JSON string. It escapes what JSON does not allow
// there, in JSON's short forms, and bytes that are no UTF-8.
func AppendJSON(dst, text []byte) []byte {
	done := 0 // text[:done] is in dst
	for i := 0; i < len(text); {
		c := text[i]
		if plain[c] {
			i++
			continue
		}
		size := 1
		if c >= utf8.RuneSelf {
			if _, size = utf8.DecodeRune(text[i:]); size > 1 {
				i += size
				continue
			}
		}
		dst = append(dst, text[done:i]...)
		switch c {
		case '"', '\\':
			dst = append(dst, '\\', c)
		case '\n':
			dst = append(dst, `\n`...)
		case '\t':
			dst = append(dst, `\t`...)
		case '\r':
			dst = append(dst, `\r`...)
		default:
			dst = appendUnit(dst, rune(c))
		}
		i += size
		done = i
	}
	return append(dst, text[done:]...)
}
