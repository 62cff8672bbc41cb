// Package hook reads the actions of uWSGI's hook-STAGE options: ACTION:ARGUMENT. Most, such as
// mkdir and write, become lines for a shell, so that the server and its workers run the same ones.
// A few change the process itself.
package hook

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"syscall"
)

// Kind says who does the action.
type Kind uint8

// The kinds of action.
const (
	Run      Kind = iota // Line is for a shell
	Chdir                // the process goes to the directory Name
	Setenv               // the process gets the variable Name with Value
	Unsetenv             // or loses it
	Exit                 // the process ends with Number
	Signal               // from then on the signal Number does Name, one of Tasks
	Hostname             // the machine is called Name
	Wait                 // until the address Name takes connections
	Alarm                // raise the alarm Name with the message Value
)

// The tasks that a signal can have.
const (
	Stop   = "stop"
	Reload = "reload"
	Stats  = "stats"
	Pause  = "pause"
)

// tasks are the functions of uWSGI's master, by their names in its source.
var tasks = map[string]string{
	"gracefully_kill_them_all": Stop, "kill_them_all": Stop,
	"grace_them_all": Reload, "reap_them_all": Reload,
	"stats": Stats, "suspend_resume_them_all": Pause,
}

// Action is what one hook asks for.
type Action struct {
	Text        string // as it is written, for the log; private ones without their argument
	Kind        Kind
	Line        string // of Run
	Safe        bool   // of Run: it may fail
	Name, Value string
	Number      int
}

// shellAction makes the shell line of an argument. An empty form takes any argument.
type shellAction struct {
	form string
	line func(arg string) string
}

// command is a standard program, found by PATH when it runs.
const command = "command -p "

// shell are the actions for a shell. uWSGI splits file and text at the first blank.
var shell = map[string]shellAction{
	"mkdir":   {"DIRECTORY", func(arg string) string { return command + "mkdir -- " + quote(arg) }},
	"unlink":  {"FILE", func(arg string) string { return command + "rm -- " + quote(arg) }},
	"create":  {"FILE", func(arg string) string { return ": > " + quote(arg) }},
	"creat":   {"FILE", func(arg string) string { return ": > " + quote(arg) }},
	"sticky":  {"FILE", func(arg string) string { return command + "chmod +t -- " + quote(arg) }},
	"write":   {"FILE TEXT", into(">", "%s")},
	"writen":  {"FILE TEXT", into(">", `%s\n`)}, //nolint:misspell // uWSGI calls it so
	"append":  {"FILE TEXT", into(">>", "%s")},
	"appendn": {"FILE", into(">>", `%s\n`)},
	// Opened for reading too, a pipe does not wait for a reader.
	"writefifo": {"FILE TEXT", func(arg string) string {
		file, _, _ := strings.Cut(arg, " ")
		return "[ -e " + quote(file) + " ] && " + into("1<>", "%s")(arg)
	}},
	"spinningfifo": {"FILE TEXT", func(arg string) string {
		file, _, _ := strings.Cut(arg, " ")
		return until("-p", file, "") + into(">", "%s")(arg)
	}},
	"chmod": {"FILE MODE", func(arg string) string {
		file, mode, _ := strings.Cut(arg, " ")
		return command + "chmod -- " + quote(mode[max(0, len(mode)-3):]) + " " + quote(file)
	}},
	"chown":         {"FILE USER GROUP", chown},
	"chown2":        {"FILE UID GID", chown},
	"wait_for_fs":   {"PATH", func(arg string) string { return until("-e", arg, most) + ":" }},
	"wait_for_file": {"FILE", func(arg string) string { return until("-f", arg, most) + ":" }},
	"wait_for_dir":  {"DIRECTORY", func(arg string) string { return until("-d", arg, most) + ":" }},
	"print":         {"", func(arg string) string { return `printf '%s\n' ` + quote(arg) }},
	"log":           {"", func(arg string) string { return `printf '%s\n' ` + quote(arg) }},
}

// most bounds a wait, as uWSGI does by default.
const most = "[ $i -lt 60 ] || { echo 'it is not there after 60 seconds'; exit 1; }; i=$((i+1)); "

// until waits until a file test holds, with a bound in its loop.
func until(test, path, bound string) string {
	return "i=0; until [ " + test + " " + quote(path) + " ]; do " + bound + command + "sleep 1; done; "
}

// into writes what follows the first blank into the file before it.
func into(redirect, format string) func(string) string {
	return func(arg string) string {
		file, text, _ := strings.Cut(arg, " ")
		return "printf '" + format + "' " + quote(text) + " " + redirect + " " + quote(file)
	}
}

func chown(arg string) string {
	words := strings.SplitN(arg, " ", 3)
	return command + "chown -- " + quote(words[1]+":"+words[2]) + " " + quote(words[0])
}

// quote returns one word for a shell.
func quote(s string) string { return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'" }

// never are the actions of uWSGI that uwsgo does not have.
var never = []struct{ names, why string }{
	{"mount umount", "file systems are neither mounted nor unmounted here: do it before the start, with exec:mount … as root, or in the systemd unit"},
	{"call callret callint callintret", "there are no functions of C to call: exec:COMMAND runs a command"},
	{"rpc retryrpc", "functions of RPC are in the workers, and hooks of the server cannot call them: exec:COMMAND runs a command"},
	{"setns", "processes get no namespaces of their own: set them for the service"},
}

// Parse reads an action. If it cannot be done the error says what to do.
func Parse(value string) (Action, error) {
	name, arg, ok := strings.Cut(value, ":")
	if !ok {
		return Action{}, fmt.Errorf("%q is not of the form ACTION:ARGUMENT, such as exec:COMMAND", value)
	}
	a := Action{Text: value}
	if private, hidden := strings.CutPrefix(name, "!"); hidden {
		name, a.Text = private, "--- PRIVATE HOOK ---"
	}
	if s, ok := shell[name]; ok {
		return a, a.shell(name, arg, s)
	}
	switch name {
	case "exec", "safeexec":
		a.Line, a.Safe = arg, name == "safeexec"
		return a, needs(arg, name, "COMMAND")
	case "cd", "chdir":
		a.Kind, a.Name = Chdir, arg
		return a, needs(arg, name, "DIRECTORY")
	case "putenv":
		a.Kind = Setenv
		if a.Name, a.Value, ok = strings.Cut(arg, "="); !ok {
			a.Kind = Unsetenv
		}
		return a, needs(a.Name, name, "NAME=VALUE")
	case "exit":
		a.Kind = Exit
		if len(arg) > 1 { // uWSGI leaves a single digit out
			a.Number = leading(arg) & 0xff
		}
		return a, nil
	case "hostname":
		a.Kind, a.Name = Hostname, arg
		return a, needs(arg, name, "NAME")
	case "wait_for_socket":
		a.Kind, a.Name = Wait, arg
		return a, needs(arg, name, "ADDRESS")
	case "alarm":
		a.Kind = Alarm
		if a.Name, a.Value, ok = strings.Cut(arg, " "); !ok || a.Name == "" {
			return a, fmt.Errorf("alarm: %q is not of the form alarm:NAME MESSAGE", arg)
		}
		return a, nil
	case "unix_signal":
		return a, a.signal(arg)
	case "call", "callret":
		// The two functions of C in uWSGI's documentation.
		function, text, _ := strings.Cut(arg, " ")
		switch function {
		case "uwsgi_log":
			return a, a.shell("print", text, shell["print"])
		case "putenv":
			a.Kind = Setenv
			a.Name, a.Value, _ = strings.Cut(text, "=")
			return a, needs(a.Name, name, "putenv NAME=VALUE")
		}
	}
	for _, n := range never {
		if slices.Contains(strings.Fields(n.names), name) {
			return a, fmt.Errorf("%s: %s", name, n.why)
		}
	}
	return a, fmt.Errorf("there is no action %q; there are %s", name, strings.Join(Names(), ", "))
}

// Names returns the actions that can be done.
func Names() []string {
	names := []string{"exec", "safeexec", "cd", "chdir", "putenv", "exit", "hostname", "wait_for_socket", "unix_signal", "alarm"}
	for name := range shell {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

func needs(arg, name, form string) error {
	if arg == "" {
		return fmt.Errorf("%s: it needs its argument: %s:%s", name, name, form)
	}
	return nil
}

func (a *Action) shell(name, arg string, s shellAction) error {
	words := strings.Fields(s.form)
	if got := strings.SplitN(arg, " ", max(1, len(words))); s.form != "" && (len(got) < len(words) || slices.Contains(got, "")) {
		return fmt.Errorf("%s: %q is not of the form %s:%s", name, arg, name, s.form)
	}
	switch name {
	case "chmod":
		_, mode, _ := strings.Cut(arg, " ")
		if len(mode) < 3 || len(mode) > 4 || strings.Trim(mode, "01234567") != "" {
			return fmt.Errorf("chmod: %q is not three octal digits such as 660", mode)
		}
	case "chown2":
		if _, ids, _ := strings.Cut(arg, " "); strings.Trim(ids, "0123456789 ") != "" {
			return fmt.Errorf("chown2: %q is not two numbers: chown takes names", ids)
		}
	}
	a.Line = s.line(arg)
	return nil
}

// signal reads NUMBER FUNCTION. The function is one of uWSGI's master.
func (a *Action) signal(arg string) error {
	number, function, ok := strings.Cut(arg, " ")
	a.Kind, a.Number = Signal, leading(number)
	if !ok || a.Number < 1 || a.Number > 64 {
		return fmt.Errorf("unix_signal: %q is not of the form unix_signal:NUMBER FUNCTION", arg)
	}
	if sig := syscall.Signal(a.Number); sig == syscall.SIGKILL || sig == syscall.SIGSTOP || sig == syscall.SIGCHLD {
		return fmt.Errorf("unix_signal: nobody can be told of signal %d, or the server needs it", a.Number)
	}
	if a.Name = tasks[function]; a.Name == "" {
		return fmt.Errorf("unix_signal: %q is none of gracefully_kill_them_all, kill_them_all (to stop), grace_them_all, reap_them_all (to reload), "+
			"stats, suspend_resume_them_all", function)
	}
	return nil
}

// leading returns the number at the beginning of s, as C's atoi does.
func leading(s string) int {
	s = strings.TrimLeft(s, " \t")
	end := 0
	for end < len(s) && end < 9 && '0' <= s[end] && s[end] <= '9' {
		end++
	}
	n, _ := strconv.Atoi(s[:end])
	return n
}
