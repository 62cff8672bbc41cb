package main

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync/atomic"

	"golang.org/x/sys/unix"

	"github.com/uwsgo/uwsgo/cmd/internal/emperor"
	"github.com/uwsgo/uwsgo/cmd/internal/logger"
	"github.com/uwsgo/uwsgo/cmd/uwsgo/internal/life"
	"github.com/uwsgo/uwsgo/cmd/uwsgo/internal/succession"
	"github.com/uwsgo/uwsgo/engine/worker"
)

// vassal is the server's side of the talk with an emperor, uwsgo's or uWSGI's. A nil one has
// none. The emperor's end is the server's: without it nobody would stop the server.
type vassal struct {
	pipe *os.File
	code *os.File // with compiled code; nil for none
	name string   // by which its lines are told from others in the emperor's log; may be empty
	// renewing says that the emperor has asked for a reload: options that wait for a restart
	// get one.
	renewing atomic.Bool
}

// findVassal returns nil for a server that no emperor has started.
func findVassal() (*vassal, error) {
	name := os.Getenv(emperor.NameEnv)
	text, ok := os.LookupEnv(emperor.FDEnv)
	_ = os.Unsetenv(emperor.NameEnv) // not for the app
	_ = os.Unsetenv(emperor.FDEnv)
	code := os.Getenv(emperor.CodeEnv)
	_ = os.Unsetenv(emperor.CodeEnv)
	if !ok {
		return nil, nil
	}
	fd, err := strconv.Atoi(text)
	if err == nil && fd > 2 {
		_, err = unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_TYPE)
	}
	if err != nil || fd < 3 {
		return nil, fmt.Errorf("%s=%s in the environment: only an emperor sets that, for its vassals; unset it", emperor.FDEnv, text)
	}
	unix.CloseOnExec(fd)
	_ = unix.SetNonblock(fd, true)
	v := &vassal{pipe: os.NewFile(uintptr(fd), "emperor"), name: name}
	if fd, err := strconv.Atoi(code); err == nil && fd > 2 {
		v.code = worker.Compiled(fd)
	}
	return v, nil
}

// prefix is what each line in the emperor's log begins with; nil where lines go elsewhere, or
// have a form of their own.
func (v *vassal) prefix(c logger.Config) []logger.Encoder {
	if v == nil || v.name == "" || c.To != "" || c.JSON || len(c.Loggers)+len(c.RequestLoggers)+len(c.Encoders)+len(c.RequestEncoders) > 0 {
		return nil
	}
	name, err := logger.ParseEncoder("prefix [" + strings.ReplaceAll(v.name, "\n", " ") + "] ")
	if err != nil {
		return nil
	}
	return []logger.Encoder{name}
}

// The wishes of an emperor, which signals stand for elsewhere.
const (
	emperorReload = request("reload by the emperor")
	emperorStop   = request("stop by the emperor")
	emperorLost   = request("lost connection with my emperor !!!")
)

// listen passes on what the emperor says until its end, which is the server's: reloads to others.
func (v *vassal) listen(e *life.Ending, others chan<- os.Signal) {
	if v == nil {
		return
	}
	go func() {
		b := make([]byte, 1)
		for {
			n, err := v.pipe.Read(b)
			switch {
			case n == 0 || err != nil:
				e.Ask(emperorLost)
				return
			case b[0] == emperor.Reload:
				select {
				case others <- emperorReload:
				default: // others wait
				}
			case b[0] == emperor.StopNow, b[0] == emperor.Stop:
				e.Ask(emperorStop)
			}
		}
	}()
}

// tell tells the emperor. One that has gone is noticed elsewhere.
func (v *vassal) tell(what ...byte) {
	if v != nil {
		_, _ = v.pipe.Write(what)
	}
}

// onDemand takes the socket that an emperor has listened on until somebody came: it is the
// standard input.
func (v *vassal) onDemand() ([]succession.Socket, error) {
	if v == nil {
		return nil, nil
	}
	if on, err := unix.GetsockoptInt(0, unix.SOL_SOCKET, unix.SO_ACCEPTCONN); err != nil || on == 0 {
		return nil, nil
	}
	fd, err := unix.FcntlInt(0, unix.F_DUPFD_CLOEXEC, 3)
	if err != nil {
		return nil, fmt.Errorf("on-demand socket: %w", err)
	}
	s, err := succession.Inherited(os.NewFile(uintptr(fd), "on-demand socket"))
	if err != nil {
		return nil, err
	}
	null, err := os.Open(os.DevNull)
	if err != nil {
		return nil, err
	}
	defer null.Close()
	return []succession.Socket{s}, replace(int(null.Fd()), 0)
}

// restart ends the server, for its emperor to start it anew, where a reload that the
// emperor has asked for is not enough.
func (v *vassal) restart(waiting []string, e *life.Ending, logf func(format string, args ...any)) bool {
	if v == nil || !v.renewing.Swap(false) || len(waiting) == 0 {
		return false
	}
	logf("these options have changed, and the emperor restarts the server for them: %s", strings.Join(waiting, ", "))
	e.Ask(request("restart by the emperor"))
	return true
}

// errVassal says that a vassal is restarted otherwise.
var errVassal = errors.New("an emperor restarts its vassals, and would lose sight of a new process: touch the vassal's file")
