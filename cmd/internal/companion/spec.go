// Package companion runs processes beside the server, as uWSGI's attach-daemon and
// smart-attach-daemon ask for it: a cache, a queue, a task runner. They are started with
// the server, started again when they die, and ended with it.
package companion

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// Spec is what to run.
type Spec struct {
	Command string // for a shell
	// PidFile is where the companion writes its id, which tells whether it lives: it goes
	// to the background by itself, or, with Foreground, only writes the file. Empty for one
	// that is told by the end of its command.
	PidFile    string
	Foreground bool
	Dir        string         // empty for the server's
	Freq       time.Duration  // between looks at PidFile
	StopSignal syscall.Signal // how it is asked to end
	// MaxThrottle bounds the time between attempts to start one that dies at once.
	MaxThrottle time.Duration
}

// What holds without a key of its own, as in uWSGI.
const (
	defaultFreq        = 10 * time.Second
	defaultMaxThrottle = 300 * time.Second
)

// New makes the Spec of attach-daemon.
func New(command string) Spec {
	return Spec{Command: command, Freq: defaultFreq, StopSignal: syscall.SIGTERM, MaxThrottle: defaultMaxThrottle}
}

// ParseSmart reads "PIDFILE COMMAND". foreground is for smart-attach-daemon2.
func ParseSmart(value string, foreground bool) (Spec, error) {
	file, command, _ := strings.Cut(strings.TrimSpace(value), " ")
	s := New(strings.TrimSpace(command))
	s.PidFile, s.Foreground = file, foreground
	if s.Command == "" {
		return s, fmt.Errorf("%q is not of the form PIDFILE COMMAND", value)
	}
	return s, nil
}

// ParseKeys reads "key=value,key=value" of attach-daemon2. A comma that belongs to a value
// is written \,.
func ParseKeys(value string) (Spec, error) {
	s := New("")
	for _, pair := range splitKeys(value) {
		key, text, ok := strings.Cut(pair, "=")
		if !ok {
			return s, fmt.Errorf("%q is not of the form KEY=VALUE", pair)
		}
		var err error
		switch key {
		case "cmd", "command", "exec":
			s.Command = text
		case "pidfile":
			s.PidFile = text
		case "daemonize", "daemon":
			s.Foreground = text != "0" && text != ""
		case "chdir":
			s.Dir = text
		case "freq":
			s.Freq, err = seconds(key, text)
		case "max_throttle":
			s.MaxThrottle, err = seconds(key, text)
		case "stopsignal", "stop_signal":
			n, convErr := strconv.Atoi(text)
			if convErr != nil || n < 1 || n > 64 {
				err = fmt.Errorf("%s=%s is no number of a signal", key, text)
			}
			s.StopSignal = syscall.Signal(n)
		default:
			err = fmt.Errorf("%q is not supported: cmd, pidfile, daemonize, chdir, freq, max_throttle and stopsignal are", key)
		}
		if err != nil {
			return s, err
		}
	}
	if s.Command == "" {
		return s, errors.New("there is no cmd=")
	}
	return s, nil
}

func splitKeys(value string) []string {
	var pairs []string
	var pair strings.Builder
	for i := 0; i < len(value); i++ {
		switch {
		case value[i] == '\\' && i+1 < len(value) && value[i+1] == ',':
			i++
			pair.WriteByte(',')
		case value[i] == ',':
			pairs = append(pairs, pair.String())
			pair.Reset()
		default:
			pair.WriteByte(value[i])
		}
	}
	return append(pairs, pair.String())
}

const maxSeconds = 1_000_000_000

func seconds(key, text string) (time.Duration, error) {
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 || n > maxSeconds {
		return 0, fmt.Errorf("%s=%s is no number of seconds from 1 on", key, text)
	}
	return time.Duration(n) * time.Second, nil
}

// short is how long a life counts as a failed start.
const short = 3 * time.Second

// throttle returns how long to wait before the next start of one that lived for so long,
// when the wait before was last.
func throttle(lived, last, most time.Duration) time.Duration {
	if lived > short {
		return 0
	}
	return min(max(2*last, time.Second), most)
}
