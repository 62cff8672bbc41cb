package main

import (
	"fmt"
	"io"
	"os"
	"sync"
	"time"

	"github.com/schollz/progressbar/v3"
	"golang.org/x/term"

	"github.com/uwsgo/uwsgo/bench/workload"
)

// progress shows on standard error how far a run is: by a bar on a terminal, elsewhere
// by a line for each round of a workload.
type progress struct {
	w    io.Writer
	bar  *progressbar.ProgressBar // nil without a terminal
	last string

	mu   sync.Mutex
	now  workload.Step
	at   time.Time // of now
	stop chan struct{}
	done chan struct{}
}

func newProgress(w io.Writer) *progress {
	p := &progress{w: w, stop: make(chan struct{}), done: make(chan struct{})}
	f, ok := w.(*os.File)
	if !ok || !term.IsTerminal(int(f.Fd())) {
		close(p.done)
		return p
	}
	p.bar = progressbar.NewOptions64(1, progressbar.OptionSetWriter(w), progressbar.OptionSetWidth(24),
		progressbar.OptionSetElapsedTime(false), progressbar.OptionSetPredictTime(false), progressbar.OptionClearOnFinish())
	go p.run()
	return p
}

// step records the measurement that begins. Without a bar it prints a line for each round.
func (p *progress) step(s workload.Step) {
	p.mu.Lock()
	p.now, p.at = s, time.Now()
	p.mu.Unlock()
	if p.bar != nil {
		return
	}
	if line := fmt.Sprintf("%s, round %d", s.Workload, s.Round); line != p.last {
		p.last = line
		fmt.Fprintf(p.w, "%s; about %v left\n", line, s.Left.Round(time.Second))
	}
}

// run redraws the bar each quarter of a second, as measurements take longer.
func (p *progress) run() {
	defer close(p.done)
	tick := time.NewTicker(250 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-p.stop:
			_ = p.bar.Clear()
			return
		case <-tick.C:
		}
		p.mu.Lock()
		s, since := p.now, time.Since(p.at)
		p.mu.Unlock()
		if s.Workload == "" {
			continue
		}
		left := max(0, s.Left-since)
		p.bar.Describe(fmt.Sprintf("%s, round %d: %s, about %v left", s.Workload, s.Round, s.Peer, left.Round(time.Second)))
		p.bar.ChangeMax64(int64(s.Done + since + left))
		_ = p.bar.Set64(int64(s.Done + since))
	}
}

// end removes the bar.
func (p *progress) end() {
	close(p.stop)
	<-p.done
}
