package report

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/net/html"
)

// frame shows the report as wide as is asked, which may be narrower than a window
// can be, and says on itself what it found there.
const frame = `<!doctype html><body><iframe style="border:0;width:%dpx;height:900px" src="/report#%s" onload="
const d = this.contentDocument, r = d.documentElement, w = this.contentWindow;
const shown = [...d.querySelectorAll('section.current .plot canvas')].map((c) => w.Chart.getChart(c));
const texts = [], fillText = w.CanvasRenderingContext2D.prototype.fillText;
w.CanvasRenderingContext2D.prototype.fillText = function (t, ...rest) { texts.push(t); return fillText.call(this, t, ...rest); };
shown.forEach((c) => c.draw());
const crowded = shown.filter((c) => {
	c.ctx.font = '12px ' + w.Chart.defaults.font.family;
	const s = c.scales.x, wide = s.ticks.map((t) => c.ctx.measureText(t.label).width);
	return s.labelRotation === 0 && s.ticks.some((t, i) => i > 0 && s.getPixelForTick(i) - s.getPixelForTick(i - 1) < (wide[i] + wide[i - 1]) / 2);
});
const outside = shown.filter((c) => c.config.type === 'line' && c.data.datasets.some((d) => d.data.some((q) => q.min < c.scales.y.min || q.max > c.scales.y.max)));
Object.assign(document.body.dataset, {wanted: r.dataset.wanted, drawn: r.dataset.drawn, failed: r.dataset.failed,
	crowded: crowded.length, outside: outside.length, cut: texts.filter((t) => t === '' || t.endsWith('…') && ['kept alive', 'one per request'].some((k) => k.startsWith(t.slice(0, -1)))).length,
	over: r.scrollWidth - r.clientWidth, dark: this.contentWindow.matchMedia('(prefers-color-scheme: dark)').matches,
	blank: [...d.querySelectorAll('section.current .plot canvas')].filter((c) => {
		if (c.width === 0 || c.height === 0) { return true; }
		const p = c.getContext('2d').getImageData(0, 0, c.width, c.height).data;
		return !p.some((v) => v !== 0);
	}).length});
"></iframe>`

// TestBrowser opens the report in a browser and sees to it that all charts are
// drawn, that nothing fails, and that no page is wider than its window.
func TestBrowser(t *testing.T) {
	browser := ""
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
		if path, err := exec.LookPath(name); err == nil {
			browser = path
			break
		}
	}
	if browser == "" {
		t.Skip("neither chromium nor google-chrome is installed")
	}
	page, err := fullPage()
	if err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name  string
		width int
		dark  bool
		id    string
	}{
		{"everything_wide", 1600, false, "all"},
		{"everything_narrow_dark", 360, true, "all"},
		{"everything_on_a_phone", 390, false, "all"},
		{"workload_medium", 800, false, "kill"},
		{"unknown_page", 1000, false, "%zz"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var mu sync.Mutex
			var asked []string
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				w.Header().Set("Content-Type", "text/html; charset=utf-8")
				switch r.URL.Path {
				case "/":
					fmt.Fprintf(w, frame, tt.width, tt.id)
				case "/report":
					_, _ = w.Write(page)
				case "/favicon.ico": // the browser's own wish
				default:
					mu.Lock()
					defer mu.Unlock()
					asked = append(asked, r.URL.Path)
				}
			}))
			defer server.Close()
			found := dump(t, browser, server.URL, tt.dark)
			number := func(key string) int {
				n, err := strconv.Atoi(found[key])
				if err != nil {
					t.Fatalf("the page does not say %q: %v", key, found)
				}
				return n
			}
			if found["dark"] != strconv.FormatBool(tt.dark) {
				t.Errorf("dark is %s", found["dark"])
			}
			if wanted, drawn := number("wanted"), number("drawn"); wanted == 0 || drawn != wanted {
				t.Errorf("%d of %d charts were drawn", drawn, wanted)
			}
			if n := number("blank"); n > 0 {
				t.Errorf("%d charts are blank", n)
			}
			if n := number("crowded"); n > 0 {
				t.Errorf("the ticks of %d charts touch each other", n)
			}
			if n := number("outside"); n > 0 {
				t.Errorf("whiskers of %d charts leave the axis", n)
			}
			if n := number("cut"); n > 0 {
				t.Errorf("at %d bars nobody can read how the connections were", n)
			}
			if found["failed"] != "" {
				t.Errorf("the script failed: %s", found["failed"])
			}
			if n := number("over"); n > 0 {
				t.Errorf("the page is %d pixels wider than its window of %d", n, tt.width)
			}
			if len(asked) > 0 {
				t.Errorf("the page asked for %q", asked)
			}
		})
	}
}

// dump opens an address and gives what the document's body says in its data
// attributes once everything is loaded.
func dump(t *testing.T, browser, url string, dark bool) map[string]string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	args := []string{
		"--headless", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update",
		"--disable-sync", "--user-data-dir=" + t.TempDir(), "--window-size=1700,1000", "--dump-dom",
	}
	if os.Geteuid() == 0 {
		args = append(args, "--no-sandbox") // which root cannot have
	}
	if dark {
		args = append(args, "--blink-settings=preferredColorScheme=0")
	}
	cmd := exec.CommandContext(ctx, browser, append(args, url)...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v:\n%s", err, stderr.String())
	}
	doc, err := html.Parse(bytes.NewReader(out))
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]string{}
	for n := range doc.Descendants() {
		if n.Data == "body" {
			for _, a := range n.Attr {
				if key, ok := strings.CutPrefix(a.Key, "data-"); ok {
					found[key] = a.Val
				}
			}
		}
	}
	return found
}
