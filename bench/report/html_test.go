package report

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"golang.org/x/net/html"
)

// fullPage is the page of the whole sample, rendered once for all tests.
var fullPage = sync.OnceValues(func() ([]byte, error) {
	var b bytes.Buffer
	err := HTML(&b, sampleRun(7))
	return b.Bytes(), err
})

func parsed(t *testing.T) *html.Node {
	t.Helper()
	b, err := fullPage()
	if err != nil {
		t.Fatal(err)
	}
	doc, err := html.Parse(bytes.NewReader(b))
	if err != nil {
		t.Fatal(err)
	}
	return doc
}

func attribute(n *html.Node, name string) string {
	for _, a := range n.Attr {
		if a.Key == name {
			return a.Val
		}
	}
	return ""
}

func text(n *html.Node) string {
	var b strings.Builder
	for c := range n.Descendants() {
		if c.Type == html.TextNode {
			b.WriteString(c.Data)
		}
	}
	return b.String()
}

func TestHTMLReferencesNothingOutside(t *testing.T) {
	for n := range parsed(t).Descendants() {
		if n.Type != html.ElementNode {
			continue
		}
		if slices.Contains([]string{"img", "iframe", "link", "object", "embed", "base", "form", "audio", "video", "source"}, n.Data) {
			t.Errorf("there is a <%s>", n.Data)
		}
		for _, a := range n.Attr {
			if strings.HasPrefix(a.Key, "on") {
				t.Errorf("<%s> has the attribute %s", n.Data, a.Key)
			}
			if (a.Key == "href" || a.Key == "src") && !strings.HasPrefix(a.Val, "#") {
				t.Errorf("<%s> has %s=%q", n.Data, a.Key, a.Val)
			}
		}
	}
	b, _ := fullPage()
	for _, s := range []string{"sourceMappingURL", "@import", "url("} {
		if bytes.Contains(b, []byte(s)) {
			t.Errorf("the page holds %q", s)
		}
	}
}

func TestHTMLShowsEverything(t *testing.T) {
	run := sampleRun(7)
	ids := map[string]*html.Node{}
	var links []string
	for n := range parsed(t).Descendants() {
		if id := attribute(n, "id"); id != "" {
			if ids[id] != nil {
				t.Errorf("two elements have the id %q", id)
			}
			ids[id] = n
		}
		if n.Data == "a" {
			links = append(links, strings.TrimPrefix(attribute(n, "href"), "#"))
		}
	}
	for _, link := range links {
		if ids[link] == nil && link != "all" {
			t.Errorf("a link to #%s leads nowhere", link)
		}
	}
	for _, w := range run.Workloads {
		section := ids[w.Name]
		if section == nil {
			t.Errorf("workload %s has no section", w.Name)
			continue
		}
		if !slices.Contains(links, w.Name) {
			t.Errorf("nothing links to workload %s", w.Name)
		}
		s := text(section)
		for _, e := range w.Entries {
			if !strings.Contains(s, shell(e.Command)) {
				t.Errorf("workload %s lacks the command of %s", w.Name, e.Peer)
			}
		}
		for _, a := range w.Absent {
			if !strings.Contains(s, a.Peer+": ") {
				t.Errorf("workload %s does not say that %s is absent", w.Name, a.Peer)
			}
		}
	}
	for id, want := range map[string]string{
		"hello":   "⚠ gunicorn-gthread: 1,503 errors in 125,535 requests (1.2 %): 1,129 closed early, 374 timeout",
		"mix":     "⚠ gunicorn-gevent was given up: it did not answer within 10 s at 800 req/s",
		"losses":  "nginx-file",
		"servers": "The machine has 2 processors, too few to keep the client apart",
	} {
		if !strings.Contains(text(ids[id]), want) {
			t.Errorf("page %s does not say %q", id, want)
		}
	}
}

func TestHTMLEscapesNames(t *testing.T) {
	doc := parsed(t)
	scripts := 0
	for n := range doc.Descendants() {
		if n.Data == "script" && n.Type == html.ElementNode {
			scripts++
			if attribute(n, "id") == "data" {
				var data chartData
				if err := json.Unmarshal([]byte(text(n)), &data); err != nil {
					t.Errorf("the data are no JSON: %v", err)
				}
				if !slices.Contains(data.Servers, hostile) {
					t.Error("the data lack the hostile name")
				}
			}
		}
	}
	if scripts != 4 {
		t.Errorf("%d scripts, want 4: a name has broken out", scripts)
	}
	if !strings.Contains(text(doc), hostile) {
		t.Error("the hostile name is not shown as it is")
	}
}

// A page of one round shows its figures, and no column of dashes for what nobody
// can conclude.
func TestOverviewOfOneRoundHasNoDashes(t *testing.T) {
	var b bytes.Buffer
	if err := HTML(&b, runOf(server("uwsgo", "", "rate", 20), server("uwsgi", "", "rate", 10))); err != nil {
		t.Fatal(err)
	}
	doc, err := html.Parse(&b)
	if err != nil {
		t.Fatal(err)
	}
	for n := range doc.Descendants() {
		if n.Data == "table" && strings.Contains(attribute(n, "class"), "glance") {
			if s := text(n); strings.Contains(s, "–") || !strings.Contains(s, "20") {
				t.Errorf("the overview shows %q", s)
			}
		}
	}
}

func TestPageSaysWhoIsNoRival(t *testing.T) {
	for n := range parsed(t).Descendants() {
		if attribute(n, "id") == "losses" && !strings.Contains(text(n), "who keeps connections alive is not counted against who gets a new one") {
			t.Error("the losses do not say why some servers are no rivals")
		}
	}
}

func TestIdentifiers(t *testing.T) {
	var all []page
	for _, name := range []string{"hello", "Hello", "overview", "a b/ü", "", "--"} {
		p := page{}
		p.Name = name
		all = append(all, p)
	}
	got := identifiers(all)
	if want := []string{"hello", "hello-2", "overview-3", "a-b", "page-5", "page-6"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

// TestLibrary holds the charting library to the file that the decision record
// names.
func TestLibrary(t *testing.T) {
	b, err := assets.ReadFile("assets/chart.umd.min.js")
	if err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256(b)
	got := hex.EncodeToString(sum[:])
	record, err := os.ReadFile(filepath.Join("..", "..", "docs", "decisions", "0022-charting-library.md"))
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Contains(record, []byte(got)) {
		t.Errorf("the sum of the library is %s, which the decision record does not name", got)
	}
	banner, _, _ := bytes.Cut(b, []byte("*/"))
	_, version, _ := bytes.Cut(banner, []byte("Chart.js v"))
	version, _, _ = bytes.Cut(version, []byte("\n"))
	if !bytes.Contains(record, []byte("npm pack chart.js@"+string(version)+"\n")) {
		t.Errorf("the library is version %s, which the decision record does not fetch", version)
	}
	licence, err := assets.ReadFile("assets/chart.umd.min.js.LICENSE.md")
	if err != nil || !bytes.Contains(licence, []byte("MIT")) {
		t.Errorf("its licence is missing: %v", err)
	}
}
