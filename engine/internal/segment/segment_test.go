package segment

import (
	"errors"
	"math/rand/v2"
	"testing"
	"time"
)

func pool(t *testing.T, size, each int) *Pool {
	t.Helper()
	p, err := New(size, each)
	if errors.Is(err, ErrUnsupported) {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestPieces(t *testing.T) {
	p := pool(t, 4*grain, 3*grain)
	if s := p.Get(3*grain + 1); s != nil {
		t.Error("a piece larger than one may be")
	}
	if s := p.Get(0); s != nil {
		t.Error("a piece of nothing")
	}
	a, b := p.Get(1), p.Get(2*grain)
	if a == nil || b == nil || a.Offset() != 0 || b.Offset() != grain || len(b.Bytes()) != 2*grain || p.Free() != grain {
		t.Fatalf("got %+v, %+v, %d are free", a, b, p.Free())
	}
	if s := p.Get(grain + 1); s != nil {
		t.Error("there is no room for that")
	}
	b.Hold()
	b.Release()
	if p.Free() != grain {
		t.Error("it is free although somebody holds it")
	}
	b.Release()
	if c := p.Get(grain); c.Offset() != grain {
		t.Errorf("the next piece is at %d, where the last one was at %d", c.Offset(), grain)
	}
	a.Leak()
	a.Release()
	if p.Free() != 2*grain {
		t.Errorf("%d bytes are free; one piece is lost for ever", p.Free())
	}
	if (*Pool)(nil).Get(1) != nil || (*Pool)(nil).Each() != 0 {
		t.Error("no pool has pieces")
	}
}

// Pieces never overlap, and all are free in the end.
func TestPiecesDoNotOverlap(t *testing.T) {
	p := pool(t, 2*keep, keep)
	random := rand.New(rand.NewPCG(1, 2))
	type held struct {
		s    *Segment
		mark byte
	}
	var all []held
	for i := range 20000 {
		if len(all) > 0 && (random.IntN(2) == 0 || len(all) > 60) {
			j := random.IntN(len(all))
			h := all[j]
			b := h.s.Bytes()
			if b[0] != h.mark || b[len(b)-1] != h.mark {
				t.Fatalf("piece %d has another's bytes", j)
			}
			h.s.Release()
			all[j] = all[len(all)-1]
			all = all[:len(all)-1]
			continue
		}
		s := p.Get(1 + random.IntN(40*grain))
		if s == nil {
			continue
		}
		b := s.Bytes()
		b[0], b[len(b)-1] = byte(i), byte(i)
		all = append(all, held{s, byte(i)})
	}
	for _, h := range all {
		h.s.Release()
	}
	if p.Free() != p.Size() {
		t.Errorf("%d of %d bytes are free in the end", p.Free(), p.Size())
	}
	for end := time.Now().Add(30 * time.Second); p.Held() > keep; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%d bytes are held although nothing is in use", p.Held())
		}
	}
	if s := p.Get(keep); s == nil || len(s.Bytes()) != keep {
		t.Error("nothing is to be had after memory has been given back")
	}
}

// A process that has the file cannot make it shorter: whoever reads what is not there is killed.
func TestFileKeepsItsSize(t *testing.T) {
	p, err := New(1<<20, 1<<20)
	if errors.Is(err, ErrUnsupported) {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	if _, err := p.File().Write([]byte("X")); err == nil {
		t.Error("a process that has the descriptor can write into the bodies of others")
	}
	if err := p.File().Truncate(0); err == nil {
		t.Error("it has been cut off")
	}
}
