package stores

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Places of a cache do not overlap, and what cannot be is refused before any memory is asked for.
func TestShapes(t *testing.T) {
	c, err := Cache{Name: "a", Items: 3, Blocks: 7, BlockSize: 100, KeySize: 33, HashSize: 5, Bitmap: true}.withDefaults()
	if err != nil {
		t.Fatal(err)
	}
	at := c.places()
	for i, least := range []int64{headSize, 4 * 5, 4 * 3, 4 * (itemSize + 40), 7, 700} {
		from := int64(0)
		if i > 0 {
			from = at[i-1]
		}
		if at[i]-from < least {
			t.Errorf("part %d has %d bytes, and needs %d", i, at[i]-from, least)
		}
	}
	for _, bad := range []Cache{
		{}, {Items: -1}, {Items: 2, Blocks: 1}, {Items: 1, KeySize: 65535}, {Items: 1, BlockSize: -1}, {Items: 1<<31 - 1, BlockSize: 1 << 40}, {Items: 1, HashSize: -1},
	} {
		if _, err := bad.withDefaults(); err == nil {
			t.Errorf("%+v is taken", bad)
		}
	}
}

func TestFiles(t *testing.T) {
	dir := t.TempDir()
	store := filepath.Join(dir, "store")
	open := func(c Cache) error {
		s, err := Open([]Cache{c}, Queue{}, nil, t.Logf)
		if err == nil {
			if got := s.Stats(); len(got) != 1 || got[0].Count != 0 {
				t.Errorf("stats: %+v", got)
			}
			s.Close()
		}
		return err
	}
	c := Cache{Name: "a", Items: 10, Store: store}
	other := c
	other.Items = 11
	anew := other
	anew.Anew = true
	for _, tt := range []struct {
		name string
		give Cache
		want string
	}{
		{"made", c, ""},
		{"opened", c, ""},
		{"another_shape", other, "another shape"},
		{"made_anew", anew, ""},
		{"opened_again", other, ""},
		{"directory", Cache{Name: "a", Items: 1, Store: dir}, "is a directory"},
		{"nowhere", Cache{Name: "a", Items: 1, Store: filepath.Join(dir, "no", "store")}, "no such file"},
	} {
		if err := open(tt.give); (err == nil) != (tt.want == "") || err != nil && !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v, want %q", tt.name, err, tt.want)
		}
	}
	if info, err := os.Stat(store); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the store: %v, %v", info, err)
	}
	short := filepath.Join(dir, "short")
	if err := os.WriteFile(short, []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, a := range []Area{{}, {Size: 4096, File: short}, {Size: 4096, Offset: 1}, {Size: 4096, FD: 1 << 20}} {
		if s, err := Open(nil, Queue{}, []Area{a}, t.Logf); err == nil {
			s.Close()
			t.Errorf("%+v is taken", a)
		}
	}
}
