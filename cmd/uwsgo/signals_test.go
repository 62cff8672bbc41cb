package main

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/uwsgo/uwsgo/cmd/internal/hook"
)

// noted is a server that notes what it is asked for.
type noted struct{ did []string }

func (n *noted) add(what string)               { n.did = append(n.did, what) }
func (n *noted) reload(_ string, emperor bool) { n.add(fmt.Sprintf("reload %v", emperor)) }
func (n *noted) reloadChain(string)            { n.add("chain") }
func (n *noted) reloadWorkers(string)          { n.add("workers") }
func (n *noted) pause()                        { n.add("pause") }
func (n *noted) logStats()                     { n.add("stats") }
func (n *noted) replaceBinary()                { n.add("replace") }
func (n *noted) writePidFiles()                { n.add("pidfiles") }
func (n *noted) scale(by int)                  { n.add(fmt.Sprintf("scale %d", by)) }
func (n *noted) reopenLog()                    { n.add("reopen") }
func (n *noted) rotateLog()                    { n.add("rotate") }

func noting() (*orders, *noted, *strings.Builder, *[]os.Signal) {
	n, log, asked := &noted{}, &strings.Builder{}, &[]os.Signal{}
	return &orders{
		server: n, logf: func(format string, args ...any) { fmt.Fprintf(log, format+"\n", args...) },
		notify: func(sig os.Signal) { *asked = append(*asked, sig) },
	}, n, log, asked
}

// Each signal asks for what uWSGI does, or for what a hook of unix_signal says; all others for
// the end.
func TestSignals(t *testing.T) {
	for _, tt := range []struct {
		name string
		sig  os.Signal
		task string // of a hook; empty for none
		want string // empty for the end
	}{
		{"hup", syscall.SIGHUP, "", "reload false"},
		{"emperor", emperorReload, "", "reload true"},
		{"tstp", syscall.SIGTSTP, "", "pause"},
		{"usr1", syscall.SIGUSR1, "", "stats"},
		{"usr2", syscall.SIGUSR2, "", "replace"},
		{"term", syscall.SIGTERM, "", ""},
		{"exit_on_reload", request("exit-on-reload"), "", ""},
		{"usr1_reloads", syscall.SIGUSR1, hook.Reload, "reload false"},
		{"hup_pauses", syscall.SIGHUP, hook.Pause, "pause"},
		{"term_says_stats", syscall.SIGTERM, hook.Stats, "stats"},
		{"hup_ends", syscall.SIGHUP, "end", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			o, n, _, asked := noting()
			if sig, ok := tt.sig.(syscall.Signal); ok && tt.task != "" {
				o.setTask(sig, tt.task)
				if want := sig != syscall.SIGTERM; slices.Contains(*asked, tt.sig) != want {
					t.Errorf("the signal is asked for: %v, want %v", !want, want)
				}
			}
			goesOn := o.heed(tt.sig)
			if got := strings.Join(n.did, ", "); got != tt.want || goesOn != (tt.want != "") {
				t.Errorf("it does %q and goes on: %v; want %q", got, goesOn, tt.want)
			}
		})
	}
}

func TestLetters(t *testing.T) {
	for letters, want := range map[string]string{
		"w": "workers", "r": "reload false", "f": "replace", "c": "chain", "p": "pause", "P": "pidfiles", "+": "scale 1", "-": "scale -1",
		"l": "reopen", "L": "rotate", "s": "stats", "B": "", "z": "", "\n": "",
	} {
		o, n, log, _ := noting()
		o.obey(letters[0])
		if got := strings.Join(n.did, ", "); got != want {
			t.Errorf("%q: it does %q, want %q", letters, got, want)
		}
		if want == "" && log.Len() == 0 {
			t.Errorf("%q: nothing says that there is no such command", letters)
		}
	}
}
