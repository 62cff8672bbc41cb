package peers

import (
	"fmt"
	"slices"
	"strings"
)

// All lists every peer, in the order of the tables.
func All() []Peer {
	return []Peer{
		uwsgo(),
		uwsgoSocket(),
		uwsgiHTTP(),
		uwsgiHTTPKeepAlive(),
		uwsgiHTTPSocket(),
		uwsgiHTTP11Socket(),
		uwsgiSocket(),
		behindNginx(uwsgo()),
		behindNginx(uwsgiSocket()),
		gunicornGthread(),
		gunicornGevent(),
		granian(),
		bjoern(),
		fastpysgi(),
		waitress(),
		goHello("go-reactor", "the reactor of uwsgo with a Go handler"),
		goHello("go-fasthttp", "the Go library fasthttp"),
		goHello("go-net-http", "Go's net/http"),
		nginxFile(),
	}
}

// Find gives the peer with a name. The error for an unknown one names the nearest.
func Find(name string) (Peer, error) {
	var names []string
	for _, p := range All() {
		if p.Name == name {
			return p, nil
		}
		names = append(names, p.Name)
	}
	return Peer{}, fmt.Errorf("no peer is called %q; did you mean %s? There are %s", name, Nearest(name, names), strings.Join(names, ", "))
}

// Nearest gives that of names which takes the fewest edits to become name; of
// several, the first.
func Nearest(name string, names []string) string {
	return slices.MinFunc(names, func(a, b string) int { return edits(name, a) - edits(name, b) })
}

// edits is the Levenshtein distance.
func edits(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			substitute := diagonal
			if a[i] != b[j] {
				substitute++
			}
			diagonal = row[j+1]
			row[j+1] = min(substitute, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
