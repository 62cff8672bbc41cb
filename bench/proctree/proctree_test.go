package proctree

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

func needProc(t testing.TB) {
	t.Helper()
	if runtime.GOOS != "linux" {
		t.Skip("needs Linux's /proc")
	}
}

// shell runs a script that prints a line when it is ready. It and what it started
// are ended with the test.
func shell(t *testing.T, script string) (pid int, line string) {
	t.Helper()
	cmd := exec.Command("sh", "-c", script)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
		_ = cmd.Wait()
	})
	line, err = bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	return cmd.Process.Pid, strings.TrimSpace(line)
}

// eventually waits until a condition holds.
func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); !holds(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("not so after 30 s: %s", what)
		}
	}
}

func TestTreeHoldsGrandchildren(t *testing.T) {
	needProc(t)
	pid, line := shell(t, "sleep 60 & echo $!; wait")
	child, err := strconv.Atoi(line)
	if err != nil {
		t.Fatal(err)
	}
	pids, err := PIDs(pid)
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(pids, []int{pid, child}) {
		t.Fatalf("tree of a shell with one child = %v, want %d and %d", pids, pid, child)
	}
	if children, err := Children(pid); err != nil || !slices.Equal(children, []int{child}) {
		t.Errorf("children of the shell = %v, %v, want %d", children, err, child)
	}
	mine, err := PIDs(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	if mine[0] != os.Getpid() || !slices.Contains(mine, child) {
		t.Errorf("tree of the test %v lacks its grandchild %d", mine, child)
	}
	if !Alive(child) {
		t.Errorf("grandchild %d is said to be dead", child)
	}
}

func TestGroupHoldsOrphans(t *testing.T) {
	needProc(t)
	pid, line := shell(t, "(sleep 60 & echo $!); sleep 60; :")
	orphan, err := strconv.Atoi(line)
	if err != nil {
		t.Fatal(err)
	}
	eventually(t, "the orphan has left the tree but not the group", func() bool {
		tree, err := PIDs(pid)
		if err != nil {
			t.Fatal(err)
		}
		group, err := Group(pid)
		if err != nil {
			t.Fatal(err)
		}
		return !slices.Contains(tree, orphan) && slices.Contains(group, orphan)
	})
}

func TestZombiesAndTheGoneAreNotAlive(t *testing.T) {
	needProc(t)
	cmd := exec.Command("true")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	eventually(t, "a process that nobody has waited for is not alive", func() bool { return !Alive(cmd.Process.Pid) })
	_ = cmd.Wait()
	if Alive(cmd.Process.Pid) {
		t.Error("a process that has gone is alive")
	}
	for name, read := range map[string]func(int) error{
		"pids":     func(pid int) error { _, err := PIDs(pid); return err },
		"cpu":      func(pid int) error { _, err := CPU(pid); return err },
		"switches": func(pid int) error { _, err := Switches(pid); return err },
		"pss":      func(pid int) error { _, err := PSS(pid); return err },
	} {
		if err := read(cmd.Process.Pid); err == nil || !strings.Contains(err.Error(), "has ended") {
			t.Errorf("%s of a process that has gone: error %v", name, err)
		}
	}
}

func TestCPUTellsUserFromSystem(t *testing.T) {
	needProc(t)
	tests := []struct {
		name, script string
		more         func(Usage) bool
	}{
		{"user", "echo; while :; do :; done", func(u Usage) bool { return u.User > 2*u.System }},
		{"system", "echo; exec dd if=/dev/zero of=/dev/null bs=4M 2>/dev/null", func(u Usage) bool { return u.System > 2*u.User }},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			pid, _ := shell(t, tt.script)
			eventually(t, "300 ms are used, mostly of that kind", func() bool {
				used, err := CPU(pid)
				if err != nil {
					t.Fatal(err)
				}
				return used.Total() >= 300*time.Millisecond && tt.more(used)
			})
		})
	}
}

// A worker that was recycled has worked all the same.
func TestCPUOfTheDeadIsKept(t *testing.T) {
	needProc(t)
	// The child ends once it has used 200 ms; then the shell is ready and idle.
	pid, line := shell(t, `sh -c '
		while read -r line </proc/$$/stat; do
			set -- ${line##*)}
			[ "$((${12} + ${13}))" -ge 20 ] && exit
		done'
		echo done; sleep 60; :`)
	if line != "done" {
		t.Fatal(line)
	}
	used, err := CPU(pid)
	if err != nil {
		t.Fatal(err)
	}
	if used.Total() < 180*time.Millisecond {
		t.Errorf("CPU = %v, want the 200 ms of the child that ended", used)
	}
}

func TestSwitchesOfAllThreads(t *testing.T) {
	needProc(t)
	pid, _ := shell(t, "echo; while :; do sleep 0.01; done")
	first, err := Switches(pid)
	if err != nil {
		t.Fatal(err)
	}
	eventually(t, "a process that sleeps again and again is switched", func() bool {
		now, err := Switches(pid)
		return err == nil && now >= first+10
	})
}

func TestPSSIsPlausible(t *testing.T) {
	needProc(t)
	pss, err := PSS(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	if pss < 1<<20 || pss > 8<<30 {
		t.Errorf("PSS of this test = %d bytes", pss)
	}
}

func TestNumber(t *testing.T) {
	tests := []struct {
		name, text string
		want       int64
	}{
		{"in_the_middle", "a:\t1\nPss:      12 kB\nb: 3\n", 12},
		{"at_the_end", "a: 1\nPss: 7", 7},
		{"not_there", "a: 1\nSwapPss: 4\n", 0},
		{"no_number", "\nPss:", 0},
		{"other_text", "\nPss: many\n", 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := number([]byte(tt.text), "\nPss:"); got != tt.want {
				t.Errorf("number = %d, want %d", got, tt.want)
			}
		})
	}
}

func BenchmarkRead(b *testing.B) {
	needProc(b)
	for name, read := range map[string]func(int) error{
		"cpu":      func(pid int) error { _, err := CPU(pid); return err },
		"switches": func(pid int) error { _, err := Switches(pid); return err },
		"pss":      func(pid int) error { _, err := PSS(pid); return err },
	} {
		b.Run(fmt.Sprintf("what=%s", name), func(b *testing.B) {
			for b.Loop() {
				if err := read(os.Getpid()); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
