package worker

import (
	"fmt"
	"os"
	"strings"
	"syscall"
	"testing"
)

// A zygote that reports nonsense is replaced. Its workers finish what they have.
func TestMalformedReport(t *testing.T) {
	t.Parallel()
	const speaks = paths + `
import marshal
def speak():
    data = marshal.dumps(%s, 2)
    os.write(3, len(data).to_bytes(4, "little") + data)
if %d:
    speak()
def at_fork():
    if os.path.exists(os.environ["TEST_SPEAK"]):
        os.remove(os.environ["TEST_SPEAK"])
        speak()
os.register_at_fork(before=at_fork)
`
	for _, c := range []struct {
		name, report string
		lazy         bool
	}{
		{name: "noise", report: `"noise"`},
		{name: "place", report: `("ended", 4000)`},
		{name: "question", report: `("reload",)`, lazy: true},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			source := fmt.Sprintf(speaks, c.report, 0)
			if c.lazy { // the zygote itself imports nothing
				source = paths + "import marshal\ndef speak():\n    data = marshal.dumps(" + c.report + `, 2)
    os.write(3, len(data).to_bytes(4, "little") + data)
if os.path.exists(os.environ["TEST_SPEAK"]):
    os.remove(os.environ["TEST_SPEAK"])
    speak()
`
			}
			speak := t.TempDir() + "/speak"
			r := start(t, Config{
				Apps: []App{app(t, source)}, Processes: 2, LazyApps: c.lazy, Env: append(os.Environ(), "TEST_SPEAK="+speak),
			}, 1)
			blocked, release := blocker(r)
			before := r.pool.Snapshot()
			if err := touch(speak); err != nil {
				t.Fatal(err)
			}
			if err := syscall.Kill(before.Workers[2-blocked.worker(r)].PID, syscall.SIGKILL); err != nil {
				t.Fatal(err)
			}
			r.waitLog("has sent a report that cannot be right")
			r.wait("another zygote", func() bool { return r.pool.Snapshot().Zygote != before.Zygote })
			r.get("/hello").body200("hello")
			if blocked.over() {
				t.Error("the request that was under way has ended")
			}
			release()
			blocked.wait().body200("waited")
			waitFor(t, "the end of the zygote", func() bool { return gonePid(before.Zygote) })
			r.get("/hello").body200("hello")
			if err := r.pool.Reload(t.Context()); err != nil {
				t.Error(err)
			}
			r.get("/hello").body200("hello")
		})
	}
	t.Run("start", func(t *testing.T) {
		t.Parallel()
		c := Config{Apps: []App{app(t, fmt.Sprintf(speaks, `("exit", 4000, 2, 0)`, 1))}}
		newRig(t, &c, 1)
		_, err := Start(t.Context(), c)
		if err == nil || !strings.Contains(err.Error(), "cannot be right") {
			t.Errorf("Start: %v, want it to say that a report cannot be right", err)
		}
	})
}
