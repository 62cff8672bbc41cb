package http1

import (
	"bufio"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/uwsgo/uwsgo/codec"
)

// spelling is a row of testdata/paths.tsv: a target, PATH_INFO or the status of a
// refusal, and what others make of it.
type spelling struct{ target, path, uwsgi, gunicorn, why string }

func spellings(t *testing.T) (rows []spelling) {
	t.Helper()
	f, err := os.Open("testdata/paths.tsv")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for lines := bufio.NewScanner(f); lines.Scan(); {
		if strings.HasPrefix(lines.Text(), "#") {
			continue
		}
		c := strings.Split(lines.Text(), "\t")
		target, err := strconv.Unquote(c[0])
		if err != nil || len(c) != 5 {
			t.Fatalf("%q: %v", lines.Text(), err)
		}
		rows = append(rows, spelling{target, c[1], c[2], c[3], c[4]})
	}
	if len(rows) < 85 {
		t.Fatalf("only %d spellings", len(rows))
	}
	return rows
}

var authority = regexp.MustCompile(`^(?i:https?)://[^/?]*`)

// TestPaths compares PATH_INFO for each spelling of a path with the table, and the table
// with its promise: a path is decoded once and nothing else, whatever it looks like then.
func TestPaths(t *testing.T) {
	for _, row := range spellings(t) {
		t.Run(row.target, func(t *testing.T) {
			var d Decoder
			var r codec.Request
			head := "GET " + row.target + " HTTP/1.1\r\nHost: example.com\r\n\r\n"
			n, err := d.Head([]byte(head), &r)
			got := ""
			if e, refused := err.(*codec.Error); refused {
				got = strconv.Itoa(e.Status)
			} else if n != len(head) || string(r.Bytes(r.Target)) != row.target {
				t.Fatalf("%d of %d bytes, REQUEST_URI %q", n, len(head), r.Bytes(r.Target))
			} else {
				got = strconv.Quote(string(r.Path()))
			}
			want := row.path
			if p, err := strconv.Unquote(want); err == nil {
				want = strconv.Quote(p)
			}
			if got != want {
				t.Errorf("PATH_INFO %s, want %s", got, want)
			}
			if row.why == "" && (row.path != row.uwsgi || row.path != row.gunicorn) {
				t.Errorf("the table gives no reason for %s beside %s and %s", row.path, row.uwsgi, row.gunicorn)
			}
			// A front server that denies what begins with /admin, as it came, is right about
			// everything, but for letters that are encoded.
			raw := authority.ReplaceAllString(row.target, "")
			if err == nil && strings.HasPrefix(string(r.Path()), "/admin") && !strings.HasPrefix(raw, "/admin") && raw != "/%61dmin" {
				t.Errorf("reaches %q past a rule for /admin", r.Path())
			}
		})
	}
}
