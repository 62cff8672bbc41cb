package chaos

import (
	"bytes"
	"net/http"
	"path/filepath"
	"slices"
	"syscall"
	"testing"
	"time"
)

// TestPatchedApps has an app that patches the standard library live in the same workers as
// one that does not, through kills and reloads.
func TestPatchedApps(t *testing.T) {
	patched, err := filepath.Abs("testdata/patched.py")
	if err != nil {
		t.Fatal(err)
	}
	s := start(t, append(slices.Clone(pool), "--mount", "/patched="+patched, "--manage-script-name")...)
	upload := route("/patched/upload")
	upload.Request.Method, upload.Request.Body = http.MethodPost, bytes.Repeat([]byte("x"), 300<<10)
	short, streamed := route("/short"), route("/patched/streamed")
	short.Weight, streamed.Weight, upload.Weight = 45, 50, 5
	o := steady(time.Minute, 5*time.Second, short, streamed, upload)
	o.Rate = rate(500, 200)
	f := newFinding(t, "Apps patched by gevent", under(o)+
		"; half of the requests go to an app that calls monkey.patch_all() and streams its answers, a tenth of these with an upload of 300 KiB; the others to one that is not patched, "+
		"in the same workers. SIGHUP every two seconds, and SIGKILL to a worker every second.")
	k := &killer{s: s}
	stopKills := during(time.Second, k.kill)
	stopReloads := during(2*time.Second, func() { _ = s.cmd.Process.Signal(syscall.SIGHUP) })
	a := s.ask(t, o, allowed{killed: k.all})
	stopKills()
	stopReloads()
	f.account(a)
	f.killings(a, k)
	s.waitLog(t, "uwsgo has reloaded", 1)
	f.must(s.respawns(t) > 0, "workers replaced", s.respawns(t), "at least 1")
}
