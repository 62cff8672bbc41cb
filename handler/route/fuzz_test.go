package route

import "testing"

// Whatever stands in a configuration compiles or is refused, and what a pattern finds lies in its
// subject.
func FuzzRule(f *testing.F) {
	for _, seed := range []struct{ option, value, subject string }{
		{"route", "^/(a|b)/([0-9]+) redirect:/$2/$1", "/a/7"},
		{"route", "^/(?!static/)(.*)$ addheader:X-A: ${mime[PATH_INFO]}", "/x\n"},
		{"route", "^(?![)a]\\)|b{2})[^/]+ log:${qs[a]}${cookie[b]}", "\xc3\xa9"},
		{"route-if", "regexp:${HTTP_HOST}${REQUEST_METHOD};(x)? addvar:A=$1", "h"},
		{"response-route-if-not", "ipv4in:${REMOTE_ADDR};10.0.0.0/8 file:filename=/a/$1,status=404 No", ""},
		{"route-run", "basicauth:R,u:p", ""},
		{"final-route-status", "404 logvar:a=b", ""},
	} {
		f.Add(seed.option, seed.value, seed.subject)
	}
	f.Fuzz(func(t *testing.T, option, value, subject string) {
		r, err := Parse(option, value)
		if err != nil {
			return
		}
		_ = r.String()
		m, ok := r.cond.(*matches)
		if !ok {
			return
		}
		at, _ := m.pattern.match([]byte(subject), true)
		for _, i := range at {
			if i < -1 || i > len(subject) {
				t.Fatalf("%q on %q: %v", value, subject, at)
			}
		}
	})
}
