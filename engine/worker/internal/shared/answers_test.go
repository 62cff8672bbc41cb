package shared

import "testing"

func TestAnswers(t *testing.T) {
	m, err := NewMemory(4, 2, 8, 2)
	if err != nil {
		t.Fatal(err)
	}
	if m.AnswersEach == 0 {
		t.Skip("this system has none")
	}
	a, other := m.Answers(1), m.Answers(2)
	room := int64(m.AnswersEach - answersHead)
	for _, c := range []struct {
		name  string
		at, n int64
		there bool
	}{
		{"at the begin", 0, 1, true},
		{"all", 0, room, true},
		{"all, the second time", 7 * room, room, true},
		{"the last byte", room - 1, 1, true},
		{"nothing", 0, 0, false},
		{"more than all", 0, room + 1, false},
		{"past the end", room - 1, 2, false},
		{"past the end, the second time", 2*room - 1, 2, false},
		{"before the begin", -1, 1, false},
		{"less than nothing", 0, -1, false},
		{"sums that are too large", 1<<63 - 1, 1<<63 - 1, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := a.Body(c.at, c.n)
			if (b != nil) != c.there || b != nil && int64(len(b)) != c.n {
				t.Errorf("%d bytes from %d on: got %d", c.n, c.at, len(b))
			}
		})
	}
	if b := (Answers{}).Body(0, 1); b != nil {
		t.Error("there is something where there is no memory")
	}

	body := a.Body(0, 5)
	copy(body, "first")
	a.Read(5)
	copy(other.Body(0, 5), "other")
	other.Leave()
	a.Renew()
	other.Renew()
	if string(body) != "\x00\x00\x00\x00\x00" || *a.word(0) != 0 {
		t.Errorf("a new process finds %q, read up to %d", body, *a.word(0))
	}
	if *other.word(8) != 1 || string(other.Body(0, 5)) != "other" {
		t.Error("memory that a process may use is given to the next")
	}
}

// A worker cannot make the memory smaller: the server would be killed where it reads on.
func TestMemoryStaysAsLarge(t *testing.T) {
	m, err := NewMemory(4, 2, 8, 2)
	if err != nil {
		t.Fatal(err)
	}
	if err := m.File.Truncate(0); inMemory && err == nil {
		t.Error("it has been cut off")
	}
}
