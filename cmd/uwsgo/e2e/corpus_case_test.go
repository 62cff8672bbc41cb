package e2e

import (
	"bytes"
	"compress/zlib"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// corpusCase is one request, or a few on one connection, and what must come of it.
type corpusCase struct {
	ID           string     `json:"id"`
	Kind         string     `json:"kind"` // valid, invalid or either
	Raw          []byte     `json:"raw"`
	RawZ         []byte     `json:"raw_z"`
	Steps        [][]byte   `json:"steps"`
	Expect       requests   `json:"expect"`
	Alt          []requests `json:"alt"`
	Close        bool       `json:"close"`
	MayWait      bool       `json:"may_wait"`
	BodyError    bool       `json:"body_error"`
	GarbageAfter bool       `json:"garbage_after"`
	Fold         bool       `json:"fold"`
	Date         bool       `json:"date"`
	No1xx        bool       `json:"no_1xx"`
	H2OK         bool       `json:"h2_ok"`
}

// pieces gives what is sent, each piece after the answer to the one before.
func (c *corpusCase) pieces() ([][]byte, error) {
	if len(c.Steps) > 0 {
		return c.Steps, nil
	}
	if c.RawZ == nil {
		return [][]byte{c.Raw}, nil
	}
	z, err := zlib.NewReader(bytes.NewReader(c.RawZ))
	if err != nil {
		return nil, err
	}
	raw, err := io.ReadAll(z)
	return [][]byte{raw}, err
}

// requests is one request or a list of them.
type requests []wantRequest

func (r *requests) UnmarshalJSON(data []byte) error {
	if data[0] == '[' {
		return json.Unmarshal(data, (*[]wantRequest)(r))
	}
	var one wantRequest
	if err := json.Unmarshal(data, &one); err != nil {
		return err
	}
	*r = requests{one}
	return nil
}

// wantRequest is what the app must see of one request.
type wantRequest struct {
	Method   value            `json:"method"`
	Path     value            `json:"path_info"`
	Query    value            `json:"query_string"`
	Protocol value            `json:"protocol"`
	Headers  map[string]value `json:"headers"`
	Body     string           `json:"body"` // base64
}

// value is a string, one of several, several joined, or anything at all.
type value struct {
	any    []string
	joined bool
}

func (v *value) UnmarshalJSON(data []byte) error {
	var many struct{ Any, Join []string }
	if data[0] == '"' {
		many.Any = make([]string, 1)
		return errorOr(json.Unmarshal(data, &many.Any[0]), func() { v.any = many.Any })
	}
	return errorOr(json.Unmarshal(data, &many), func() {
		v.any, v.joined = many.Any, many.Join != nil
		if v.joined {
			v.any = many.Join
		}
	})
}

func errorOr(err error, then func()) error {
	if err == nil {
		then()
	}
	return err
}

func (v value) matches(got string, fold bool) bool {
	if v.any == nil {
		return true
	}
	same := func(want string) bool {
		if fold {
			return strings.Join(strings.Fields(got), " ") == strings.Join(strings.Fields(want), " ")
		}
		return got == want
	}
	if v.joined {
		for _, sep := range []string{",", ", ", ";", "; "} {
			if same(strings.Join(v.any, sep)) {
				return true
			}
		}
		return false
	}
	return slices.ContainsFunc(v.any, same)
}

// hopByHop fields may be kept from the app.
var hopByHop = []string{
	"HTTP_CONNECTION", "HTTP_KEEP_ALIVE", "HTTP_PROXY_CONNECTION", "HTTP_TE", "HTTP_TRAILER",
	"HTTP_TRANSFER_ENCODING", "HTTP_UPGRADE", "HTTP_PROXY_AUTHORIZATION", "HTTP_EXPECT", "HTTP_HTTP2_SETTINGS",
}

// differs tells how a request that the app saw differs from w, or nothing.
func (w wantRequest) differs(seen map[string]string, fold bool) string {
	for _, f := range []struct {
		key  string
		want value
	}{
		{"REQUEST_METHOD", w.Method}, {"PATH_INFO", w.Path}, {"QUERY_STRING", w.Query}, {"SERVER_PROTOCOL", w.Protocol},
	} {
		if !f.want.matches(seen[f.key], fold) {
			return fmt.Sprintf("%s = %q, want %q", f.key, seen[f.key], f.want.any)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(w.Headers)) {
		got, ok := seen[name]
		if !ok && slices.Contains(hopByHop, name) {
			continue
		}
		if !ok || !w.Headers[name].matches(got, fold) {
			return fmt.Sprintf("%s = %q (present: %v), want %q", name, got, ok, w.Headers[name].any)
		}
	}
	for name := range seen {
		if _, ok := w.Headers[name]; strings.HasPrefix(name, "HTTP_") && !ok && name != "HTTP_CONTENT_LENGTH" {
			return fmt.Sprintf("%s = %q, which was not sent", name, seen[name])
		}
	}
	if seen["body"] != w.Body || seen["body_error"] != "" {
		return fmt.Sprintf("body %q %s, want %q", seen["body"], seen["body_error"], w.Body)
	}
	return ""
}

// outcome is what the client and the app saw of one case.
type outcome struct {
	statuses []int // of the final answers, in order
	dated    bool  // every answer has a Date
	interim  bool  // a 1xx came
	junk     bool  // bytes that are no answer came
	closed   bool
	seen     []map[string]string
}

// wrong tells why o is not a right outcome of c, or nothing.
func (c *corpusCase) wrong(o outcome) string {
	var accepted []string
	if c.Kind != "invalid" {
		for _, want := range append([]requests{c.Expect}, c.Alt...) {
			why := c.notAccepted(want, o)
			if why == "" {
				return ""
			}
			accepted = append(accepted, why)
		}
	}
	refused := ""
	if c.Kind != "valid" {
		if refused = c.notRefused(o); refused == "" {
			return ""
		}
		// Of several requests the first ones may be answered before one is refused.
		if c.Kind == "either" {
			for n := 1; n < len(c.Expect); n++ {
				rest := o
				if len(o.statuses) < n || len(o.seen) < n || slices.ContainsFunc(o.statuses[:n], not200) {
					break
				}
				rest.statuses, rest.seen = o.statuses[n:], o.seen[n:]
				if c.notRequests(c.Expect[:n], o.seen[:n]) == "" && (c.notRefused(rest) == "" || len(rest.statuses)+len(rest.seen) == 0) {
					return ""
				}
			}
		}
	}
	return strings.Join(append(accepted, refused), "; ")
}

func not200(status int) bool { return status != 200 }

// notAccepted tells why o is not the acceptance of want.
func (c *corpusCase) notAccepted(want requests, o outcome) string {
	if why := c.notRequests(want, o.seen); why != "" {
		return why
	}
	n := len(want)
	switch {
	case len(o.statuses) < n || slices.ContainsFunc(o.statuses[:n], not200):
		return fmt.Sprintf("answers %v, want %d × 200", o.statuses, n)
	case !c.GarbageAfter && (len(o.statuses) > n || o.junk):
		return fmt.Sprintf("answers %v, want no more than %d", o.statuses, n)
	case c.Close && !o.closed:
		return "the connection was left open"
	case c.Date && !o.dated:
		return "an answer without Date"
	case c.No1xx && o.interim:
		return "an interim answer"
	}
	return ""
}

func (c *corpusCase) notRequests(want requests, seen []map[string]string) string {
	if len(seen) != len(want) {
		return fmt.Sprintf("the app saw %d requests, want %d", len(seen), len(want))
	}
	for i, w := range want {
		if why := w.differs(seen[i], c.Fold); why != "" {
			return fmt.Sprintf("request %d: %s", i+1, why)
		}
	}
	return ""
}

// notRefused tells why o is not a refusal.
func (c *corpusCase) notRefused(o outcome) string {
	for _, seen := range o.seen {
		if !c.BodyError || !cutShort(seen) {
			return fmt.Sprintf("the app ran: %s %s", seen["REQUEST_METHOD"], seen["REQUEST_URI"])
		}
	}
	switch {
	case len(o.statuses) > 0 && o.statuses[0] < 400:
		return fmt.Sprintf("answered %d", o.statuses[0])
	case o.junk && !c.H2OK:
		return "answered with something that is not HTTP/1"
	case len(o.statuses) == 0 && !o.closed && !c.MayWait && !o.junk:
		return "neither answered nor closed"
	}
	return ""
}

// cutShort says whether the app could tell that the body it got is not whole.
func cutShort(seen map[string]string) bool {
	if seen["body_error"] != "" {
		return true
	}
	promised, err := strconv.Atoi(seen["CONTENT_LENGTH"])
	return err == nil && base64.StdEncoding.DecodedLen(len(seen["body"])) < promised
}
