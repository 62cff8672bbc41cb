package proctree

import (
	"os"
	"os/exec"
	"runtime"
	"slices"
	"testing"
	"time"
)

func needProc(t *testing.T) {
	t.Helper()
	if runtime.GOOS != "linux" {
		t.Skip("needs Linux's /proc")
	}
}

func TestTreeHoldsGrandchildren(t *testing.T) {
	needProc(t)
	cmd := exec.Command("sh", "-c", "sleep 60 & echo $!; wait")
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Wait() })
	line := make([]byte, 16)
	if _, err := out.Read(line); err != nil {
		t.Fatal(err)
	}
	pids, err := PIDs(cmd.Process.Pid)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		for _, pid := range pids {
			if p, err := os.FindProcess(pid); err == nil {
				_ = p.Kill()
			}
		}
	})
	if len(pids) != 2 || pids[0] != cmd.Process.Pid {
		t.Fatalf("tree of a shell with one child = %v, want it and the child", pids)
	}
	mine, err := PIDs(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Contains(mine, pids[1]) {
		t.Errorf("tree of the test %v lacks its grandchild %d", mine, pids[1])
	}
	if !Alive(pids[1]) {
		t.Errorf("grandchild %d is said to be dead", pids[1])
	}
}

func TestCPUGrowsWithWork(t *testing.T) {
	needProc(t)
	before, err := CPU(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	deadline := time.Now().Add(20 * time.Second)
	for {
		after, err := CPU(os.Getpid())
		if err != nil {
			t.Fatal(err)
		}
		if after >= before+5*tick {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("CPU time stayed at %v though the test was busy", after)
		}
	}
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
