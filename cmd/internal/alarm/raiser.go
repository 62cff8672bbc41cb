package alarm

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"
)

const (
	moment      = 3 * time.Second  // for what was raised before the end
	mostWaiting = 64               // messages that wait for one alarm
	commandTime = time.Minute      // that a command may take
	again       = 10 * time.Second // between lines that say that messages are dropped
)

// Hands are the functions of the server that alarms use. Any goroutine calls them. Only Run may wait.
type Hands struct {
	Logf   func(format string, args ...any)
	Signal func(number int)
	Mule   func(number int, message []byte) error // 0 for any mule
	// Run runs a shell command whose standard input is a file.
	Run func(ctx context.Context, command string, stdin *os.File) error
}

// Raiser raises alarms. Any goroutine may call its methods; a nil one has no alarms.
type Raiser struct {
	config Config
	hands  Hands
	lines  map[string]*line
	ctx    context.Context
	cancel context.CancelFunc
	done   sync.WaitGroup

	closing chan struct{} // closed at the end
}

// line is one alarm, and what waits for it.
type line struct {
	Alarm
	waiting chan []byte

	mu      sync.Mutex
	last    []byte // that was raised,
	raised  time.Time
	dropped int
	told    time.Time
}

// New starts the alarms. It returns nil if there are none.
func New(c Config, h Hands) *Raiser {
	if len(c.Alarms) == 0 {
		return nil
	}
	r := &Raiser{config: c, hands: h, lines: make(map[string]*line), closing: make(chan struct{})}
	r.ctx, r.cancel = context.WithCancel(context.Background())
	for _, a := range c.Alarms {
		l := &line{Alarm: a, waiting: make(chan []byte, mostWaiting)}
		r.lines[a.Name] = l
		r.done.Add(1)
		go r.serve(l)
	}
	for _, f := range c.FDs {
		go r.follow(f)
	}
	return r
}

// Close lets the alarms do what was raised, for a moment, and ends what takes longer.
func (r *Raiser) Close() {
	if r == nil {
		return
	}
	close(r.closing)
	late := time.AfterFunc(moment, r.cancel)
	r.done.Wait()
	late.Stop()
	r.cancel()
}

// Raise raises an alarm. It returns false if there is none of that name.
func (r *Raiser) Raise(name string, message []byte) bool {
	if r == nil {
		return false
	}
	l := r.lines[name]
	if l == nil {
		return false
	}
	if most := r.config.MostSize; most > 0 && len(message) > most {
		message = message[:most]
	}
	message = bytes.TrimSuffix(message, []byte("\n"))
	now := time.Now()
	l.mu.Lock()
	defer l.mu.Unlock()
	if bytes.Equal(message, l.last) && now.Sub(l.raised) < r.config.Freq {
		return true
	}
	l.last, l.raised = bytes.Clone(message), now
	select {
	case l.waiting <- l.last:
	default:
		l.dropped++
		if now.Sub(l.told) >= again {
			r.hands.Logf("[uwsgi-alarm] %s: %d messages are dropped, as too many wait", name, l.dropped)
			l.told, l.dropped = now, 0
		}
	}
	return true
}

// Line checks a line of the log. It never waits.
func (r *Raiser) Line(text []byte) {
	if r == nil || len(r.config.Logs)+len(r.config.Segfault) == 0 || own(text) {
		return
	}
	if fault(text) {
		r.raiseAll(r.config.Segfault, text)
	}
	for _, l := range r.config.Logs {
		if !l.Pattern.Match(text) {
			continue
		}
		if l.Not {
			return
		}
		r.raiseAll(l.Alarms, text)
	}
}

// Backlog raises the alarms for a full queue.
func (r *Raiser) Backlog(message string) {
	if r != nil {
		r.raiseAll(r.config.Backlog, []byte(message))
	}
}

func (r *Raiser) raiseAll(names []string, message []byte) {
	for _, name := range names {
		r.Raise(name, message)
	}
}

// own reports whether an alarm has written the line, which then raises none. The prefixes of log-date
// and log-json are no longer than this.
func own(text []byte) bool {
	head := text[:min(len(text), 128)]
	return bytes.Contains(head, []byte("[uwsgi-alarm")) || bytes.Contains(head, []byte("ALARM: "))
}

// fault reports whether a line of the server says that a worker has crashed: SIGILL, SIGTRAP, SIGABRT,
// SIGBUS, SIGFPE or SIGSEGV.
func fault(text []byte) bool {
	_, after, found := bytes.Cut(text, []byte("DAMN ! worker "))
	if !found {
		return false
	}
	_, after, found = bytes.Cut(after, []byte(" died, killed by signal "))
	number, _, _ := bytes.Cut(after, []byte(" "))
	n, _ := strconv.Atoi(string(number))
	return found && strings.Contains(" 4 5 6 7 8 11 ", fmt.Sprintf(" %d ", n))
}

// serve does the work of an alarm, one message at a time.
func (r *Raiser) serve(l *line) {
	defer r.done.Done()
	for {
		select {
		case message := <-l.waiting:
			r.handle(l, message)
		case <-r.closing:
			for r.ctx.Err() == nil {
				select {
				case message := <-l.waiting:
					r.handle(l, message)
				default:
					return
				}
			}
			return
		}
	}
}

func (r *Raiser) handle(l *line, message []byte) {
	if err := r.do(l.Alarm, message); err != nil && r.ctx.Err() == nil {
		r.hands.Logf("[uwsgi-alarm] %s: %v", l.Name, err)
	}
}

func (r *Raiser) do(a Alarm, message []byte) error {
	switch a.Kind {
	case "log":
		if a.Arg != "" {
			r.hands.Logf("ALARM: %s %s", a.Arg, message)
		} else {
			r.hands.Logf("ALARM: %s", message)
		}
		return nil
	case "signal":
		n, _ := strconv.Atoi(a.Arg)
		r.hands.Signal(n)
		return nil
	case "mule":
		n, _ := strconv.Atoi(a.Arg)
		return r.hands.Mule(n, message)
	case "curl":
		c, err := parseCurl(a.Arg)
		if err != nil {
			return err
		}
		return c.send(r.ctx, message)
	}
	return r.run(a.Arg, message)
}

// run runs a command with the message as its standard input.
func (r *Raiser) run(command string, message []byte) error {
	in, out, err := os.Pipe()
	if err != nil {
		return err
	}
	defer in.Close()
	go func() {
		_, _ = out.Write(message) // ends when the command does, as then nobody has the other end
		_ = out.Close()
	}()
	ctx, cancel := context.WithTimeout(r.ctx, commandTime)
	defer cancel()
	return r.hands.Run(ctx, command, in)
}

// follow raises an alarm whenever a descriptor can be read.
func (r *Raiser) follow(f FD) {
	file := os.NewFile(uintptr(f.FD), "alarm-fd")
	if file == nil {
		return
	}
	buf := make([]byte, f.Bytes)
	for r.ctx.Err() == nil {
		if n, err := file.Read(buf); n == 0 || err != nil {
			r.hands.Logf("[uwsgi-alarm] descriptor %d is not looked at any more: %v", f.FD, err)
			return
		}
		r.Raise(f.Alarm, []byte(f.Message))
	}
}
