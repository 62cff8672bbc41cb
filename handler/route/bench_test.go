package route

import (
	"fmt"
	"strings"
	"testing"

	"github.com/uwsgo/uwsgo/codec"
	"github.com/uwsgo/uwsgo/engine"
)

// misses follows rules for one request that none of them is for, as Serve does.
func misses(tb testing.TB, rules string, target string) func() {
	h, err := New(engine.HandlerFunc(func(*engine.Exchange) {}), Options{Rules: parse(tb, rules)})
	if err != nil {
		tb.Fatal(err)
	}
	head := target + "example.org" + "User-AgentMozilla/5.0 (X11)" + "X-Real-Ip192.0.2.1"
	x := &engine.Exchange{}
	n := uint32(len(target))
	*x.Request() = codec.Request{
		Buf: []byte(head), Target: codec.Span{End: n}, RawPath: codec.Span{End: n}, Authority: codec.Span{Off: n, End: n + 11},
		Fields: []codec.Field{{Name: codec.Span{Off: n + 11, End: n + 21}, Value: codec.Span{Off: n + 21, End: n + 38}}, {Name: codec.Span{Off: n + 38, End: n + 47}, Value: codec.Span{Off: n + 47, End: uint32(len(head))}}},
	}
	return func() { h.Serve(x) }
}

func manyRules(n int, rule string) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, rule+"\n", i)
	}
	return b.String()
}

// kinds are the rules that a request without a match goes by.
var kinds = []struct{ name, rule string }{
	{"prefix", "route = ^/private/%d/ break:403"},
	{"prefix_then_pattern", `route = ^/private/%d/\d+$ break:403`},
	{"suffix", `route = \.x%d$ break:403`},
	{"host", "route-host = ^h%d\\. break:403"},
	{"agent", "route-user-agent = bot%d break:403"},
	{"equal", "route-if = equal:${HTTP_X_FORWARDED_PROTO};p%d redirect:https://${HTTP_HOST}${REQUEST_URI}"},
	{"regexp", "route-if = regexp:${HTTP_USER_AGENT};^bot%d(.*) redirect:/$1"},
	{"cookie", "route-if = equal:${cookie[sid]};p%d break:403"},
	{"address", "route-if = ipv4in:${HTTP_X_REAL_IP};10.%d.0.0/16 break:403"},
	{"header", "route = ^/static%d addheader:X-A: b"},
}

// A request that no rule is for costs no allocation.
func TestMissesAllocateNothing(t *testing.T) {
	for _, kind := range kinds {
		miss := misses(t, manyRules(20, kind.rule), "/shop/items/42")
		miss()
		if n := testing.AllocsPerRun(100, miss); n > 0 && !raceEnabled {
			t.Errorf("%s: %v allocations", kind.name, n)
		}
	}
}

func BenchmarkMiss(b *testing.B) {
	for _, kind := range kinds {
		for _, n := range []int{1, 100} {
			b.Run(fmt.Sprintf("%s/rules=%d", kind.name, n), func(b *testing.B) {
				miss := misses(b, manyRules(n, kind.rule), "/shop/items/42")
				b.ReportAllocs()
				for b.Loop() {
					miss()
				}
			})
		}
	}
	b.Run("prefix/rules=1000", func(b *testing.B) {
		miss := misses(b, manyRules(1000, kinds[0].rule), "/shop/items/42")
		b.ReportAllocs()
		for b.Loop() {
			miss()
		}
	})
}

// Reading 1,000 rules, and a start with them.
func BenchmarkStart(b *testing.B) {
	for _, kind := range kinds {
		if kind.name == "address" {
			continue // there are 256 of them
		}
		ini := manyRules(1000, kind.rule)
		b.Run(kind.name+"/rules=1000", func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := New(engine.HandlerFunc(func(*engine.Exchange) {}), Options{Rules: parse(b, ini), ServerName: "h"}); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
