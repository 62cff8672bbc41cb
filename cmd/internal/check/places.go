package check

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/uwsgo/uwsgo/cmd/internal/hook"
	"github.com/uwsgo/uwsgo/cmd/internal/privilege"
)

// Place is where and as whom a server would be.
type Place struct {
	Home string             // where relative paths begin before chdir
	Dir  string             // where they do after it, and where the app is imported
	As   privilege.Identity // whom it becomes
	// First binds addresses and opens the log: the caller, or already As.
	First privilege.Identity
}

// nobody is an identity that changes nothing: the caller stays as it is.
var nobody = privilege.Identity{UID: -1, GID: -1}

// The stages in order, for what hooks may have done before.
const (
	start = iota // before any hook
	jailed
	bound
	dropped
)

// stageOf maps hooks to the stage that they end.
var stageOf = map[string]int{
	"asap": jailed, "pre-jail": jailed, "post-jail": jailed, "in-jail": jailed, "as-root": bound, "as-user": dropped, "pre-app": dropped,
}

// hooks checks hooks, and never runs them.
func (c *checker) hooks() {
	told := false
	for _, h := range c.cfg.Hooks {
		if _, early := stageOf[h.Stage]; early && h.Kind == hook.Exit {
			c.tell(Error, Hooks, h.Where, fmt.Sprintf("the hook ends the start with exit code %d", h.Number))
		} else if early && h.Kind == hook.Run && !told {
			c.tell(Note, Hooks, h.Where, "a start runs this, and may end where it fails: here no hook is run")
			told = true
		}
	}
}

// after returns the level of a finding about files at a stage, and an addition to it: commands that
// run before may make what is missing.
func (c *checker) after(stage int) (Level, string) {
	for _, h := range c.cfg.Hooks {
		if at, ok := stageOf[h.Stage]; ok && at <= stage && h.Kind == hook.Run {
			return Warning, " (unless " + h.Where + " makes it, which is not run here)"
		}
	}
	return Error, ""
}

// missing adds a finding about a file.
func (c *checker) missing(stage int, option, value, text string) {
	level, unless := c.after(stage)
	c.tell(level, Paths, c.where(option, value), text+unless)
}

// place returns where and as whom the server would run. ok is false if it would not get as far as
// importing the app.
func (c *checker) place() (p Place, ok bool) {
	cfg, m := c.cfg, c.m
	p = Place{Home: m.Cwd, As: nobody, First: nobody}
	ok = true
	as, err := m.Lookup(privilege.Request{User: cfg.UID, Group: cfg.GID, Extra: cfg.AddGID, NoInitgroups: cfg.NoInitgroups})
	if err != nil {
		option, _, _ := strings.Cut(err.Error(), ":")
		c.at(Error, Users, option, err.Error())
		ok = false
	} else if m.UID != 0 {
		if why := cannotBecome(as, m.UID, os.Getgid()); why != "" {
			option, _, _ := strings.Cut(why, ":")
			c.at(Error, Users, option, why)
			ok = false
		}
	} else {
		p.As = as
		if as.UID <= 0 {
			c.tell(Warning, Users, "", "the server runs as root, and so does the app: set uid (and gid) to another user")
		}
	}
	if cfg.ImmediateDrop {
		p.First = p.As
	}
	if cfg.ChownSocket != "" {
		user, group, _ := strings.Cut(cfg.ChownSocket, ":")
		if _, err := m.Lookup(privilege.Request{User: user, Group: group, NoInitgroups: true}); err != nil && !strings.Contains(err.Error(), "its group is not known") {
			_, text, _ := strings.Cut(err.Error(), ": ")
			c.at(Error, Users, "chown-socket", text)
		}
	}
	for _, h := range cfg.Hooks {
		if stageOf[h.Stage] == jailed && h.Kind == hook.Chdir {
			p.Home = under(p.Home, h.Name)
		}
	}
	p.Dir = p.Home
	if cfg.Chroot != "" {
		if m.UID != 0 {
			c.at(Error, Users, "chroot", fmt.Sprintf("only root can do that, and this is user %d: start it as root", m.UID))
		}
		c.folder(bound, "chroot", cfg.Chroot, under(p.Home, cfg.Chroot), nobody, unix.X_OK)
		return p, false
	}
	if cfg.Chdir != "" {
		p.Dir = under(p.Home, cfg.Chdir)
		if !c.folder(jailed, "chdir", cfg.Chdir, p.Dir, p.First, unix.X_OK) {
			return p, false
		}
	}
	for _, h := range cfg.Hooks {
		if at := stageOf[h.Stage]; at >= bound && h.Kind == hook.Chdir {
			p.Dir = under(p.Dir, h.Name)
		}
	}
	return p, ok
}

// cannotBecome says what only root may ask for.
func cannotBecome(as privilege.Identity, uid, gid int) string {
	switch {
	case as.UID >= 0 && as.UID != uid:
		return fmt.Sprintf("uid: only root can become user %d, and this is user %d: check it as root, or leave out uid and gid where it is started as the user that is meant", as.UID, uid)
	case as.GID >= 0 && as.GID != gid:
		return fmt.Sprintf("gid: only root can become group %d, and this is group %d: check it as root, or leave out gid", as.GID, gid)
	}
	return ""
}

func under(dir, name string) string {
	if filepath.IsAbs(name) {
		return filepath.Clean(name)
	}
	return filepath.Join(dir, name)
}

// folder checks a directory that the start needs.
func (c *checker) folder(stage int, option, value, path string, as privilege.Identity, mode uint32) bool {
	info, err := c.m.Stat(path)
	switch {
	case err != nil:
		c.missing(stage, option, value, reason(path, err))
	case !info.IsDir():
		c.tell(Error, Paths, c.where(option, value), path+" is no directory")
	default:
		if err := c.m.Access(as, path, mode); err != nil {
			c.tell(Error, Paths, c.where(option, value), fmt.Sprintf("%s: %s may not enter it", path, who(as)))
			return false
		}
		return true
	}
	return false
}

// reason returns an error about a path without the system call's name.
func reason(path string, err error) string {
	if e, ok := errors.AsType[*fs.PathError](err); ok {
		err = e.Err
	}
	return path + ": " + err.Error()
}

func who(as privilege.Identity) string {
	if as.UID < 0 {
		return "this user"
	}
	return fmt.Sprintf("user %d", as.UID)
}

// paths checks files that the start opens, and those that requests need.
func (c *checker) paths(p Place) {
	cfg := c.cfg
	if to := cfg.LogTo; to != "" && (!strings.Contains(to, ":") || to[0] == '/' || to[0] == '.') {
		option := "logto"
		if cfg.Daemonize != "" {
			option = "daemonize"
			if c.where("daemonize", "") == "" || c.where("daemonize2", "") != "" {
				option = "daemonize2"
			}
		}
		c.written(start, option, to, under(c.m.Cwd, to), p.First, true)
	}
	base := under(c.m.Cwd, cfg.Chdir)
	if cfg.Chroot == "" {
		for _, s := range cfg.Log.Loggers {
			c.logger("logger", s.Path(), base, p)
		}
		for _, s := range cfg.Log.RequestLoggers {
			c.logger("req-logger", s.Path(), base, p)
		}
	}
	if cfg.PidFile != "" {
		c.written(jailed, "pidfile", cfg.PidFile, under(p.Home, cfg.PidFile), p.First, false)
	}
	if cfg.Chroot != "" {
		c.at(Note, Paths, "chroot", "what is inside the new root is not looked at, and the app is not imported")
		return
	}
	if cfg.LogTo2 != "" {
		c.written(bound, "logto2", cfg.LogTo2, under(p.Dir, cfg.LogTo2), p.As, true)
	}
	for _, f := range []struct{ option, path string }{{"pidfile2", cfg.PidFile2}, {"safe-pidfile", cfg.SafePidFile}, {"safe-pidfile2", cfg.SafePidFile2}} {
		if f.path != "" {
			c.written(bound, f.option, f.path, under(p.Dir, f.path), p.As, false)
		}
	}
	for _, name := range cfg.Fifos {
		c.fifo(name, under(p.Dir, name), p.As)
	}
	for _, m := range cfg.StaticMaps {
		c.served("static-map", "static-map2", m.Path, under(p.Dir, m.Path), p.As)
	}
	for _, name := range cfg.CheckStatic {
		c.served("check-static", "", name, under(p.Dir, name), p.As)
	}
	for _, name := range cfg.PythonPath {
		if _, err := c.m.Stat(under(p.Dir, name)); err != nil && !strings.ContainsAny(name, "*?[") {
			c.tell(Warning, Paths, c.where("pythonpath", name), reason(under(p.Dir, name), err))
		}
	}
}

func (c *checker) logger(option, path, dir string, p Place) {
	if path != "" {
		c.written(start, option, path, under(dir, path), p.First, true)
	}
}

// served checks files for clients. The server starts without them.
func (c *checker) served(option, other, value, path string, as privilege.Identity) {
	where := c.where(option, value)
	if where == "" && other != "" {
		where = c.where(other, value)
	}
	info, err := c.m.Stat(path)
	if err != nil {
		c.tell(Warning, Paths, where, reason(path, err)+": nothing is served from there until it exists")
		return
	}
	mode := uint32(unix.R_OK)
	if info.IsDir() {
		mode |= unix.X_OK
	}
	if c.m.Access(as, path, mode) != nil {
		c.tell(Warning, Paths, where, fmt.Sprintf("%s: %s may not read it, so nothing is served from there", path, who(as)))
	}
}

// written checks a file that the start writes or makes.
func (c *checker) written(stage int, option, value, path string, as privilege.Identity, special bool) {
	where := c.where(option, value)
	info, err := c.m.Stat(path)
	switch {
	case err == nil && info.IsDir():
		c.tell(Error, Paths, where, path+" is a directory: name a file")
		return
	case err == nil && !special && !info.Mode().IsRegular():
		c.tell(Error, Paths, where, path+" is no regular file: name another, or remove it")
		return
	case err == nil:
		if link, err := c.m.Lstat(path); !special && err == nil && link.Mode().Type() == fs.ModeSymlink {
			c.tell(Error, Paths, where, path+" is a symbolic link, which is not followed: name the file itself")
			return
		}
		if c.m.Access(as, path, unix.W_OK) != nil {
			level, unless := c.after(stage)
			c.tell(level, Paths, where, fmt.Sprintf("%s: %s may not write it%s", path, who(as), unless))
		}
		return
	case !errors.Is(err, fs.ErrNotExist):
		c.missing(stage, option, value, reason(path, err))
		return
	}
	c.parent(stage, where, path, as)
}

// parent checks the directory for a new file.
func (c *checker) parent(stage int, where, path string, as privilege.Identity) bool {
	level, unless := c.after(stage)
	dir := filepath.Dir(path)
	info, err := c.m.Stat(dir)
	switch {
	case err != nil:
		c.tell(level, Paths, where, reason(dir, err)+": make the directory for "+filepath.Base(path)+unless)
	case !info.IsDir():
		c.tell(Error, Paths, where, dir+" is no directory")
	case c.m.Access(as, dir, unix.W_OK|unix.X_OK) != nil:
		c.tell(level, Paths, where, fmt.Sprintf("%s: %s may not make files there%s", dir, who(as), unless))
	default:
		return true
	}
	return false
}

func (c *checker) fifo(value, path string, as privilege.Identity) {
	where := c.where("master-fifo", value)
	if info, err := c.m.Lstat(path); err == nil && info.Mode().Type() != fs.ModeNamedPipe {
		c.tell(Error, Paths, where, path+" exists and is no named pipe: remove it or choose another path")
		return
	}
	c.parent(dropped, where, path, as)
}

// importApps tries to import the apps as the server would.
func (c *checker) importApps(in Input, p Place) {
	level := Error
	if !c.cfg.NeedApp {
		level = Warning
	}
	if _, unless := c.after(dropped); unless != "" {
		defer func() { c.softened(level) }()
	}
	t, err := in.Import(c.cfg, p)
	output := ""
	if t != nil {
		output = t.Output
	}
	if err != nil {
		c.tell(Error, Apps, c.appOption(), err.Error()).Output = output
		return
	}
	for _, a := range t.Apps {
		if a.Reason != "" {
			c.tell(level, Apps, c.appOption(), fmt.Sprintf("cannot load app %s: %s", a.App, a.Reason)).Output = output
			output = "" // once
		}
	}
	if len(t.Threads) > 0 && !c.cfg.LazyApps && !c.cfg.ImportOnce {
		c.tell(Note, Apps, c.appOption(), "the app starts threads while it is imported: each worker imports it for itself (lazy-apps); lazy-apps = false imports it once")
	}
	c.space(t.Space)
}

// softened says that hooks may make what an import misses. The finding stays an error, because
// nobody can tell.
func (c *checker) softened(level Level) {
	if level != Error {
		return
	}
	if n := len(c.Findings); n > 0 && c.Findings[n-1].Rule == Apps && c.Findings[n-1].Level == Error {
		_, unless := c.after(dropped)
		c.Findings[n-1].Message += strings.Replace(unless, "makes it", "makes what is missing", 1)
	}
}

// appOption returns where the app is named.
func (c *checker) appOption() string {
	for _, name := range []string{"module", "wsgi-file", "mount"} {
		if where := c.where(name, ""); where != "" {
			return where
		}
	}
	return ""
}
