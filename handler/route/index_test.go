package route

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/uwsgo/uwsgo/codec"
	"github.com/uwsgo/uwsgo/engine"
)

// The index leaves out no rule that would hold, whatever beginnings there are and wherever
// the search starts, and what it leaves out would not have held.
func TestIndexFindsWhatHolds(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	word := func(most int) string {
		b := make([]byte, rng.IntN(most))
		for i := range b {
			b[i] = "ab/"[rng.IntN(3)]
		}
		return string(b)
	}
	for range 300 {
		var ini strings.Builder
		for range 1 + rng.IntN(30) {
			switch rng.IntN(7) {
			case 0, 1:
				fmt.Fprintf(&ini, "route = ^/%s break:403\n", word(5))
			case 2:
				fmt.Fprintf(&ini, "route = ^/(%s)+%s$ break:403\n", word(4), word(3))
			case 3:
				fmt.Fprintf(&ini, "route-if = startswith:${QUERY_STRING};%s break:403\n", word(3))
			case 4:
				fmt.Fprintf(&ini, "route-if = equal:${QUERY_STRING};%s break:403\n", word(3))
			case 5:
				fmt.Fprintf(&ini, "route-if-not = startswith:${PATH_INFO};/%s break:403\n", word(3))
			case 6:
				fmt.Fprintf(&ini, "route = %s/ break:403\n", word(3))
			}
		}
		h, err := New(engine.HandlerFunc(func(*engine.Exchange) {}), Options{Rules: parse(t, ini.String())})
		if err != nil {
			t.Fatal(err)
		}
		for range 20 {
			path, query := "/"+word(7), word(4)
			x := &engine.Exchange{}
			n := uint32(len(path))
			*x.Request() = codec.Request{Buf: []byte(path + query), RawPath: codec.Span{End: n}, Query: codec.Span{Off: n, End: n + uint32(len(query))}}
			e := &eval{h: h, x: x, r: x.Request()}
			e.enter(requests)
			e.locate()
			holds := func(r *Rule) bool {
				ok, err := r.cond.holds(e)
				return err == nil && ok != r.negate
			}
			var want, got []int
			for i, r := range h.tables[requests].rules {
				if holds(r) {
					want = append(want, i)
				}
			}
			for ; e.pc < len(h.tables[requests].rules); e.pc++ {
				if e.pc = h.tables[requests].index.next(e); e.pc < len(h.tables[requests].rules) && holds(h.tables[requests].rules[e.pc]) {
					got = append(got, e.pc)
				}
			}
			if !slices.Equal(got, want) {
				t.Fatalf("%s%q ? %q: got %v, want %v", ini.String(), path, query, got, want)
			}
		}
	}
}

// A thousand rules that miss by how a variable begins are not looked at, nor those of
// several variables in turn.
func TestIndexLeavesOut(t *testing.T) {
	for name, rule := range map[string]string{
		"path":   "route = ^/private%d break:403",
		"group":  "route = ^/(private)%d/(.*) redirect:/$2",
		"equal":  "route-if = equal:${QUERY_STRING};a=%d break:403",
		"mixed":  "route = ^/private%d break:403\nroute-host = ^h%[1]d break:403\nroute-if = startswith:${HTTP_X_A};%[1]d break:403",
		"labels": "route-label = l%d\nroute-referer = ^http://%[1]d goto:l%[2]d",
	} {
		var ini strings.Builder
		for i := range 1000 {
			if name == "labels" {
				fmt.Fprintf(&ini, rule+"\n", i, i+1)
			} else {
				fmt.Fprintf(&ini, rule+"\n", i)
			}
		}
		h, err := New(engine.HandlerFunc(func(*engine.Exchange) {}), Options{Rules: parse(t, ini.String()+"route-label = l1000\n")})
		if err != nil {
			t.Fatal(err)
		}
		x := &engine.Exchange{}
		*x.Request() = codec.Request{Buf: []byte("/shop"), RawPath: codec.Span{End: 5}}
		e := &eval{h: h, x: x, r: x.Request()}
		e.enter(requests)
		e.locate()
		if at := h.tables[requests].index.next(e); at != len(h.tables[requests].rules) {
			t.Errorf("%s: rule %d is looked at", name, at)
		}
	}
}

// What a rule changes counts for those after it.
func TestIndexAfterAChange(t *testing.T) {
	ini := "route-run = basicauth:R,u:p\n"
	for i := range 10 {
		ini += fmt.Sprintf("route-remote-user = ^x%d break:403\n", i)
	}
	r := start(t, ini+"route-remote-user = ^u break:402\n", Options{})
	if a := r.get("/", "Authorization: Basic dTpw"); a.status != 402 {
		t.Errorf("%+v", a)
	}
}
