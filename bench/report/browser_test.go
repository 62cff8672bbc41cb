package report

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/net/html"
)

// look is one view of the report.
type look struct {
	name  string
	width int
	id    string // of the page that is shown
}

// frames shows the report as wide as each look asks, which may be narrower than a
// window can be, and says on the body what it found there, a JSON object for each.
func frames(looks []look) string {
	var b strings.Builder
	b.WriteString(`<!doctype html><body><script>` + inspect + `</script>`)
	for _, l := range looks {
		fmt.Fprintf(&b, `<iframe style="border:0;width:%dpx;height:900px" src="/report#%s" onload="inspect(this, '%s')"></iframe>`, l.width, l.id, l.name)
	}
	return b.String()
}

const inspect = `
function inspect(frame, name) {
	const d = frame.contentDocument, r = d.documentElement, w = frame.contentWindow;
	const shown = [...d.querySelectorAll('section.current .plot canvas')].map((c) => w.Chart.getChart(c));
	const texts = [], fillText = w.CanvasRenderingContext2D.prototype.fillText;
	w.CanvasRenderingContext2D.prototype.fillText = function (t, ...rest) { texts.push(t); return fillText.call(this, t, ...rest); };
	shown.forEach((c) => c.draw());
	const wide = (c) => { c.ctx.font = '12px ' + w.Chart.defaults.font.family; return c.scales.x.ticks.map((t) => c.ctx.measureText(t.label).width); };
	const crowded = shown.filter((c) => {
		const s = c.scales.x, widths = wide(c);
		return s.labelRotation === 0 && s.ticks.some((t, i) => i > 0 && s.getPixelForTick(i) - s.getPixelForTick(i - 1) < (widths[i] + widths[i - 1]) / 2);
	});
	const lines = shown.filter((c) => c.config.type === 'line');
	const outside = lines.filter((c) => c.data.datasets.some((q) => q.data.some((p) => p.min < c.scales.y.min || p.max > c.scales.y.max)));
	// A marker that reaches over the plot is cut there, unless clipping is off; over the canvas it always is.
	const clipped = lines.filter((c) => c.data.datasets.some((q, i) => {
		const area = c.options.clip === false ? { left: 0, top: 0, right: c.width, bottom: c.height } : c.chartArea;
		return c.isDatasetVisible(i) && q.pointRadius > 0 && c.getDatasetMeta(i).data.some((p) =>
			p.x - q.pointRadius < area.left || p.x + q.pointRadius > area.right || p.y - q.pointRadius < area.top || p.y + q.pointRadius > area.bottom);
	}));
	const labels = lines.filter((c) => {
		const s = c.scales.x, widths = wide(c), last = s.ticks.length - 1;
		return s.labelRotation === 0 && last >= 0 && s.getPixelForTick(last) + widths[last] / 2 > c.width;
	});
	// What stands for a workload is seen without scrolling within its table.
	const hidden = [...d.querySelectorAll('section.current .scroll')].filter((box) => {
		const edge = box.getBoundingClientRect().right + 1;
		return [...box.querySelectorAll('th.headline, table.glance td')].some((cell) => cell.getBoundingClientRect().right > edge);
	});
	const found = {
		wanted: r.dataset.wanted, drawn: r.dataset.drawn, failed: r.dataset.failed,
		crowded: crowded.length, outside: outside.length, clipped: clipped.length, labels: labels.length, hidden: hidden.length,
		cut: texts.filter((t) => t === '' || t.endsWith('…') && ['kept alive', 'one per request'].some((k) => k.startsWith(t.slice(0, -1)))).length,
		over: r.scrollWidth - r.clientWidth, dark: w.matchMedia('(prefers-color-scheme: dark)').matches,
		blank: [...d.querySelectorAll('section.current .plot canvas')].filter((c) => {
			if (c.width === 0 || c.height === 0) { return true; }
			const p = c.getContext('2d').getImageData(0, 0, c.width, c.height).data;
			return !p.some((v) => v !== 0);
		}).length,
	};
	document.body.setAttribute('data-' + name, JSON.stringify(found));
}`

// TestBrowser opens the report in a browser and sees to it that all charts are
// drawn, that nothing is cut off and nothing fails, and that no page is wider than
// its window. A browser is started once for each colour scheme.
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
		dark  bool
		looks []look
	}{
		{"light", false, []look{
			{"everything-wide", 1400, "all"}, {"everything-on-a-phone", 390, "all"}, {"workload-medium", 800, "kill"}, {"unknown-page", 1000, "%zz"},
		}},
		{"dark", true, []look{{"overview-wide", 1400, "overview"}, {"workload-wide", 1400, "hello"}, {"everything-narrow", 360, "all"}, {"workload-on-a-phone", 390, "mix"}}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var mu sync.Mutex
			var asked []string
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				w.Header().Set("Content-Type", "text/html; charset=utf-8")
				switch r.URL.Path {
				case "/":
					_, _ = io.WriteString(w, frames(tt.looks))
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
			for _, l := range tt.looks {
				t.Run(l.name, func(t *testing.T) { inspected(t, found[l.name], l.width, tt.dark) })
			}
			if len(asked) > 0 {
				t.Errorf("the page asked for %q", asked)
			}
		})
	}
}

// inspected checks what a look found.
func inspected(t *testing.T, text string, width int, dark bool) {
	t.Helper()
	var found struct {
		Wanted, Drawn, Failed                                       string
		Crowded, Outside, Clipped, Labels, Hidden, Cut, Over, Blank int
		Dark                                                        bool
	}
	if err := json.Unmarshal([]byte(text), &found); err != nil {
		t.Fatalf("the page says %q: %v", text, err)
	}
	if found.Dark != dark {
		t.Errorf("dark is %v", found.Dark)
	}
	if found.Wanted == "" || found.Wanted == "0" || found.Drawn != found.Wanted {
		t.Errorf("%s of %s charts were drawn", found.Drawn, found.Wanted)
	}
	if found.Failed != "" {
		t.Errorf("the script failed: %s", found.Failed)
	}
	for _, fault := range []struct {
		n    int
		what string
	}{
		{found.Blank, "charts are blank"},
		{found.Crowded, "charts have ticks that touch each other"},
		{found.Outside, "charts have whiskers that leave the axis"},
		{found.Clipped, "charts have markers that are cut at an edge"},
		{found.Labels, "charts have a last label that is cut"},
		{found.Cut, "bars do not tell how the connections were"},
		{found.Over, "pixels of the page are wider than its window"},
	} {
		if fault.n > 0 {
			t.Errorf("%d pixels wide: %d %s", width, fault.n, fault.what)
		}
	}
	if width >= 1400 && found.Hidden > 0 {
		t.Errorf("%d pixels wide: headline figures of %d tables are cut off", width, found.Hidden)
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
