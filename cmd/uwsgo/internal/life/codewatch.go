package life

import (
	"fmt"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/fsnotify/fsnotify"
)

// CodeWatch sees changes of Python files, for py-autoreload. It watches the directories of imported
// files: editors replace files rather than write them, and the cure of a failed reload may be in a
// file that was never imported.
type CodeWatch struct {
	// Changed gets the name of a changed file, once for all changes of a moment.
	Changed chan string

	watcher *fsnotify.Watcher
	logf    func(format string, args ...any)
	ended   chan struct{}

	mu   sync.Mutex
	dirs map[string]bool // watched ones
}

// settle is how long further changes belong to the first: editors and git write several files, or
// one in steps.
const settle = 100 * time.Millisecond

// NewCodeWatch returns a watch without files.
func NewCodeWatch(logf func(format string, args ...any)) (*CodeWatch, error) {
	w, err := fsnotify.NewWatcher()
	if err != nil {
		return nil, fmt.Errorf("py-autoreload: %w", err)
	}
	c := &CodeWatch{Changed: make(chan string), watcher: w, logf: logf, ended: make(chan struct{}), dirs: make(map[string]bool)}
	go c.run()
	return c, nil
}

// Add watches the directories of these files. Any goroutine.
func (c *CodeWatch) Add(files []string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, name := range files {
		dir := filepath.Dir(name)
		if c.dirs[dir] {
			continue
		}
		c.dirs[dir] = true
		if err := c.watcher.Add(dir); err != nil {
			c.logf("py-autoreload: changes in %s will not be seen: %v", dir, err)
		}
	}
}

// Close ends the watch.
func (c *CodeWatch) Close() {
	_ = c.watcher.Close()
	<-c.ended
}

func (c *CodeWatch) run() {
	defer close(c.ended)
	var name string      // the last change; empty for none
	var tell chan string // nil until it has settled
	settled := time.NewTimer(settle)
	settled.Stop()
	for {
		select {
		case ev, ok := <-c.watcher.Events:
			if !ok {
				return
			}
			if isCode(ev) {
				if name == "" {
					settled.Reset(settle)
				}
				name = ev.Name
			}
		case err, ok := <-c.watcher.Errors:
			if !ok {
				return
			}
			c.logf("py-autoreload: %v", err)
		case <-settled.C:
			tell = c.Changed
		case tell <- name:
			name, tell = "", nil
		}
	}
}

// isCode reports whether a Python file has new content.
func isCode(ev fsnotify.Event) bool {
	return (ev.Has(fsnotify.Write) || ev.Has(fsnotify.Create)) && strings.HasSuffix(ev.Name, ".py")
}
