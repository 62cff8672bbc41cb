// Package companion runs processes beside the server, as uWSGI's attach-daemon and
// smart-attach-daemon do: a cache, a queue, a task runner. They start with the server, start again
// when they die, and end with it.
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
	// PidFile is where the companion writes its id. The file says whether it lives: the companion
	// goes to the background, or, with Foreground, only writes the file. If it is empty the end of
	// the command says so.
	PidFile    string
	Foreground bool
	Dir        string         // empty for the server's
	Freq       time.Duration  // between looks at PidFile
	StopSignal syscall.Signal // asks it to end
	// ReloadSignal is sent when the server reloads; 0 for none.
	ReloadSignal syscall.Signal
	// Touch are files: when one changes, the companion ends and starts again.
	Touch []string
	// Control stops the server when the companion ends.
	Control  bool
	Stdin    bool   // it has the server's standard input, else none
	UID, GID string // its user, by name or number; empty for the server's
	// NewPIDs hides all processes but its own from it: Linux.
	NewPIDs bool
	// Unknown are keys without a meaning.
	Unknown []string
	// MaxThrottle bounds the time between starts of one that dies at once.
	MaxThrottle time.Duration
}

// The defaults, as in uWSGI.
const (
	defaultFreq        = 10 * time.Second
	defaultMaxThrottle = 300 * time.Second
)

// New makes the Spec of attach-daemon.
func New(command string) Spec {
	return Spec{Command: command, Freq: defaultFreq, StopSignal: syscall.SIGTERM, MaxThrottle: defaultMaxThrottle}
}

// ParseSmart reads "PIDFILE[,FREQ] COMMAND". foreground is for smart-attach-daemon2.
func ParseSmart(value string, foreground bool) (Spec, error) {
	file, command, _ := strings.Cut(strings.TrimSpace(value), " ")
	s := New(strings.TrimSpace(command))
	file, freq, hasFreq := strings.Cut(file, ",")
	s.PidFile, s.Foreground = file, foreground
	if s.Command == "" || file == "" {
		return s, fmt.Errorf("%q is not of the form PIDFILE COMMAND", value)
	}
	var err error
	if hasFreq {
		s.Freq, err = seconds("the number behind the comma: freq", freq)
	}
	return s, err
}

// ParseKeys reads "key=value,key=value" of attach-daemon2. A comma inside a value is written \,. As
// in uWSGI, other words are left out.
func ParseKeys(value string) (Spec, error) {
	s := New("")
	for _, pair := range splitKeys(value) {
		key, text, ok := strings.Cut(pair, "=")
		if !ok {
			continue
		}
		if err := s.key(key, text); err != nil {
			return s, err
		}
	}
	switch {
	case s.Command == "":
		return s, errors.New("there is no cmd=")
	case s.Foreground && s.PidFile == "":
		return s, errors.New("daemonize= needs pidfile=")
	case s.Control && s.PidFile != "":
		return s, errors.New("control= is for a daemon without pidfile=")
	}
	return s, nil
}

func (s *Spec) key(key, text string) (err error) {
	switch key {
	case "cmd", "command", "exec":
		s.Command = text
	case "pidfile":
		s.PidFile = text
	case "daemonize", "daemon":
		s.Foreground = on(text)
	case "control":
		s.Control = on(text)
	case "stdin":
		s.Stdin = on(text)
	case "ns_pid":
		s.NewPIDs = on(text)
	case "notifypid":
		if on(text) && s.ReloadSignal == 0 {
			s.ReloadSignal = syscall.SIGHUP
		}
	case "touch":
		s.Touch = strings.FieldsFunc(text, func(c rune) bool { return c == ';' })
	case "uid":
		s.UID = text
	case "gid":
		s.GID = text
	case "chdir":
		s.Dir = text
	case "freq":
		s.Freq, err = seconds(key, text)
	case "max_throttle":
		s.MaxThrottle, err = seconds(key, text)
	case "stopsignal", "stop_signal":
		s.StopSignal, err = signal(key, text)
	case "reloadsignal", "reload_signal":
		s.ReloadSignal, err = signal(key, text)
	default:
		s.Unknown = append(s.Unknown, key)
	}
	return err
}

// Keys are the keys of attach-daemon2, for messages.
const Keys = "cmd, pidfile, daemonize, chdir, freq, max_throttle, stopsignal, reloadsignal, touch, control, stdin, uid, gid, ns_pid and notifypid"

// on reads a flag. As in uWSGI any value sets it.
func on(text string) bool {
	switch strings.ToLower(text) {
	case "", "0", "false", "off", "no":
		return false
	}
	return true
}

func signal(key, text string) (syscall.Signal, error) {
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 || n > 64 {
		return 0, fmt.Errorf("%s=%s is no number of a signal", key, text)
	}
	return syscall.Signal(n), nil
}

// splitKeys splits the list at its commas. A backslash takes the meaning of the next letter, and
// goes.
func splitKeys(value string) []string {
	var pairs []string
	var pair strings.Builder
	for i := 0; i < len(value); i++ {
		switch {
		case value[i] == '\\' && i+1 < len(value):
			i++
			pair.WriteByte(value[i])
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

// short is the longest life that counts as a failed start.
const short = 3 * time.Second

// throttle returns the wait before the next start of one that lived for so long, after a wait of
// last.
func throttle(lived, last, most time.Duration) time.Duration {
	if lived > short {
		return 0
	}
	return min(max(2*last, time.Second), most)
}
