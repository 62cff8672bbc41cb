package spool

import (
	"encoding/binary"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/uwsgo/uwsgo/engine/worker"
	"github.com/uwsgo/uwsgo/engine/worker/control"
)

// TestWake has processes be told of tasks, in every order of what can happen.
func TestWake(t *testing.T) {
	for _, tt := range []struct {
		name, events string
		wakes        int // by the end
	}{
		{"idle", "serving idle spooled", 2},
		{"idle_before_it_is_known", "idle serving", 1},
		{"busy", "serving spooled", 1},
		{"busy_then_idle", "serving spooled idle", 2},
		{"several_while_busy", "serving spooled spooled spooled idle idle", 2},
		{"several_while_idle", "serving idle spooled spooled", 2},
		{"woken_and_idle_again", "serving idle spooled idle spooled", 3},
		{"another_directory", "serving idle elsewhere", 1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			h := control.NewHub(t.Logf)
			s := New(h, []worker.SpoolDirectory{{Path: "/out", Processes: 0}, {Path: "/in", Processes: 1}})
			p, f, err := h.OpenBackground(Kind, 1, 1, func() {})
			if err != nil {
				t.Fatal(err)
			}
			defer p.Close()
			got := make(chan string, 16)
			go func() {
				defer f.Close()
				for {
					var size [4]byte
					if _, err := io.ReadFull(f, size[:]); err != nil {
						return
					}
					frame := make([]byte, binary.LittleEndian.Uint32(size[:]))
					if _, err := io.ReadFull(f, frame); err != nil {
						return
					}
					got <- string(frame)
				}
			}()
			for event := range strings.FieldsSeq(tt.events) {
				switch event {
				case "serving":
					p.Serving()
				case "idle":
					_, err = s.waits(p, nil)
				case "spooled":
					_, err = s.spooled(p, []any{"/in"})
				case "elsewhere":
					_, err = s.spooled(p, []any{"/out"})
				}
				if err != nil {
					t.Fatal(err)
				}
			}
			if err := p.Tell("end"); err != nil {
				t.Fatal(err)
			}
			wakes := 0
			for {
				select {
				case frame := <-got:
					if strings.Contains(frame, "end") {
						if wakes != tt.wakes {
							t.Errorf("woken %d times, want %d", wakes, tt.wakes)
						}
						return
					}
					wakes++
				case <-time.After(30 * time.Second):
					t.Fatal("nothing is told")
				}
			}
		})
	}
}
