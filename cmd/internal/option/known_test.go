package option

import (
	"slices"
	"strings"
	"testing"
)

// Each name of a class is uWSGI's and stands in one group. Its note counts until it has a row.
func TestClassesAreKnown(t *testing.T) {
	table := NewTable() // without rows
	seen := map[string]Status{}
	for _, c := range classes {
		for _, group := range c.groups {
			for name := range strings.FieldsSeq(group.names) {
				if o := table.Lookup(name); o == nil || o.Status != c.status || o.Note != group.note {
					t.Errorf("%s is not a name of uWSGI (%s)", name, c.status)
				}
				if before, ok := seen[name]; ok {
					t.Errorf("%s is in two groups: %s and %s", name, before, c.status)
				}
				seen[name] = c.status
			}
		}
	}
}

// What is said of lost options is said of some.
func TestLostPrefixes(t *testing.T) {
	all := known()
	for _, l := range lost {
		for prefix := range strings.FieldsSeq(l.prefixes) {
			if !slices.ContainsFunc(all, func(o *Option) bool { return strings.HasPrefix(o.Name, prefix) }) {
				t.Errorf("%s: no name begins so", prefix)
			}
		}
	}
}
