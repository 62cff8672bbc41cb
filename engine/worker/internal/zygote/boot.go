package zygote

import (
	"encoding/binary"
	"fmt"
	"net"
	"os"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/uwsgo/uwsgo/codec/pymarshal"
	"github.com/uwsgo/uwsgo/engine/worker/internal/proc"
	"github.com/uwsgo/uwsgo/engine/worker/internal/shared"
	"github.com/uwsgo/uwsgo/engine/worker/launch"
	"github.com/uwsgo/uwsgo/engine/worker/shim"
)

// Descriptors in the zygote, given to exec.
const (
	controlFD = 3
	sharedFD  = 4
	queueFD   = 5
)

// Inherited is what a zygote and its workers get from the server. Streams, and the channel of a
// worker, come with each fork; Calls is the zygote's own channel.
type Inherited struct {
	Memory *shared.Memory
	Queue  *os.File // workers receive requests from it; nil in stream mode
	Stacks *os.File // threads write their stacks into it; nil for none
	Calls  *os.File // the zygote's end of its channel; nil without c.Control
	Reload bool     // another zygote has served before
}

// boot turns a Python process into a zygote: theirs becomes its descriptor 3.
type boot struct {
	script string   // for python -c
	parts  [][]byte // to write to ours. The first separately: it is read at once, in one piece
	theirs *os.File // close it once the process has it
	ours   *net.UnixConn
}

// finds returns the script of a process that has the file of [Compile] as fd.
func (b *boot) finds(fd int) string {
	return fmt.Sprintf("memory=%d,'%s';%s", fd, digest(b.parts[1]), b.script)
}

func newBoot(c *launch.Config, lazy bool, in Inherited) (*boot, error) {
	sources, err := sources()
	if err != nil {
		return nil, err
	}
	settings, err := settings(c, lazy, in)
	if err != nil {
		return nil, err
	}
	bootstrap, err := shim.Bootstrap()
	if err != nil {
		return nil, err
	}
	fds, err := proc.Socketpair(unix.SOCK_STREAM)
	if err != nil {
		return nil, err
	}
	theirs, ours := os.NewFile(uintptr(fds[1]), "zygote"), os.NewFile(uintptr(fds[0]), "zygote")
	conn, err := net.FileConn(ours)
	_ = ours.Close()
	if err != nil {
		_ = theirs.Close()
		return nil, err
	}
	script := fmt.Sprintf("import os;exec(os.read(3,%d))", len(bootstrap))
	return &boot{script, [][]byte{bootstrap, sources, settings}, theirs, conn.(*net.UnixConn)}, nil
}

// sources returns the first message to a zygote: the shim.
func sources() ([]byte, error) {
	names, texts, err := shim.Modules()
	if err != nil {
		return nil, err
	}
	list := make([]any, 0, len(names))
	for i, name := range names {
		list = append(list, []any{name, texts[i]})
	}
	b, err := pymarshal.Marshal(list)
	return frame(b), err
}

// settings returns the second message to a zygote: its configuration.
func settings(c *launch.Config, lazy bool, in Inherited) ([]byte, error) {
	apps := make([]any, 0, len(c.Apps))
	for _, a := range c.Apps {
		from, how := a.Way()
		apps = append(apps, []any{a.Mount, from, a.Module, a.Callable, how})
	}
	imports := make([]any, 0, len(c.Imports))
	for _, i := range c.Imports {
		imports = append(imports, []any{i.Option, i.What})
	}
	host, _ := os.Hostname()
	queue, stacks, calls, next := -1, -1, -1, queueFD
	if in.Queue != nil {
		queue = next
		next++
	}
	if in.Stacks != nil {
		stacks = next
		next++
	}
	if c.Control != nil {
		calls = next
		next++
	}
	bodies, bodiesSize := -1, 0
	if c.Bodies != nil {
		bodies, bodiesSize = next, c.Bodies.Size()
		next++
	}
	module, err := module(c, in.Reload, next)
	if err != nil {
		return nil, err
	}
	b, err := pymarshal.Marshal(map[string]any{
		"exceptions": []any{c.Exceptions.Tell, c.Exceptions.Any, words(c.Exceptions.Types), words(c.Exceptions.Values), words(c.Exceptions.Traces)},
		"affinity":   c.Affinity,
		"apps":       apps, "imports": imports, "paste_logger": c.PasteLogger, "file_wrapper": !c.NoFileWrapper, "lazy": lazy, "once": c.ImportOnce, "python_from": c.PythonFrom, "started_in": c.StartedIn, "need_app": c.NeedApp,
		"places": c.Processes * shared.Places, "backgrounds": backgrounds(c),
		"argv": c.Argv, "pythonpath": c.PythonPath, "post_fork": steps(c.PostFork),
		"processes": c.Processes, "threads": c.Threads, "slots": max(c.Slots, 1), "gevent": gevent(c.Gevent), "websockets": []any{c.WebSockets.MaxSize, c.WebSockets.PingFreq, c.WebSockets.PongTolerance}, "loops": len(c.Loops),
		"limit_as": c.LimitAS, "stream_mode": c.StreamMode, "watch": c.Imported != nil, "unwatched": words(c.Unwatched),
		"write_errors": []any{c.WriteErrors.Silent, c.WriteErrors.Tolerant, c.WriteErrors.Thrown},
		"stacks":       stacks, "stack_signal": proc.StackSignal,
		"control": controlFD, "queue": queue, "shared": sharedFD, "calls": calls, "bodies": bodies, "bodies_size": bodiesSize,
		"shared_size": in.Memory.Size(), "cancel_at": in.Memory.CancelAt,
		"answers_at": in.Memory.AnswersAt, "answers_each": in.Memory.AnswersEach,
		"names": c.Names, "version": []byte(c.Version), "module": module, "node": []byte(host),
	})
	return frame(b), err
}

// words converts a list for the shim.
func words(list []string) []any {
	out := make([]any, 0, len(list))
	for _, s := range list {
		out = append(out, s)
	}
	return out
}

// gevent is what the shim makes of the use of gevent.
func gevent(g *launch.Gevent) any {
	if g == nil {
		return nil
	}
	return map[string]any{"early": g.Early, "patch": g.Patch, "wait": g.Wait}
}

// steps converts steps for the shim: the action and its argument.
func steps(list []launch.Step) []any {
	out := make([]any, 0, len(list))
	for _, s := range list {
		switch {
		case s.Chdir != "":
			out = append(out, []any{"chdir", s.Chdir})
		case s.Setenv != "":
			out = append(out, []any{"putenv", s.Setenv})
		default:
			out = append(out, []any{"exec", s.Command})
		}
	}
	return out
}

// backgrounds is what the shim has of the processes beside the workers, by place.
func backgrounds(c *launch.Config) []any {
	out := make([]any, 0, len(c.Backgrounds))
	for _, b := range c.Backgrounds {
		spec := b.Spec
		if spec == nil {
			spec = map[string]any{}
		}
		out = append(out, map[string]any{
			"kind": b.Kind, "number": b.Number, "title": b.Label(), "imports": b.Imports, "steps": steps(b.Steps), "spec": spec,
		})
	}
	return out
}

// frame puts the length in front of a message.
func frame(b []byte) []byte {
	return append(binary.LittleEndian.AppendUint32(make([]byte, 0, 4+len(b)), uint32(len(b))), b...)
}

// interpreterArgs returns the arguments that make the interpreter run a script.
func interpreterArgs(c *launch.Config, script string) []string {
	if c.Optimize > 0 {
		return []string{"-" + strings.Repeat("O", min(c.Optimize, 2)), "-c", script}
	}
	return []string{"-c", script}
}

// maxName bounds the name of a process in bytes.
const maxName = 4096

// longestName returns an argument that leaves room for each name.
func longestName(c *launch.Config) string {
	longest := fmt.Sprintf("uwsgo worker %d", c.Processes)
	names := slices.Clone(c.Names)
	for i := range c.Backgrounds {
		names = append(names, c.Backgrounds[i].Label())
	}
	for _, name := range names {
		if len(name) > len(longest) && len(name) <= maxName {
			longest = name
		}
	}
	return longest
}
