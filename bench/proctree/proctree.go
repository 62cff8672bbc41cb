// Package proctree reads what a process and all its descendants have used, from
// Linux's /proc. Elsewhere every function fails with an error that says so.
package proctree

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// tick is the unit of the times in /proc/PID/stat. The kernel has given it to
// user space as 1/100 s on every architecture for which Go exists.
const tick = 10 * time.Millisecond

// PIDs gives root and every process descended from it, root first. A process
// that ends while the tree is read is left out.
func PIDs(root int) ([]int, error) {
	stats, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil || len(stats) == 0 {
		return nil, fmt.Errorf("cannot list processes: no /proc here: %w", os.ErrNotExist)
	}
	children := map[int][]int{}
	for _, path := range stats {
		pid, err := strconv.Atoi(filepath.Base(filepath.Dir(path)))
		if err != nil {
			continue
		}
		fields, err := statFields(pid)
		if err != nil {
			continue
		}
		ppid, err := strconv.Atoi(fields[1])
		if err != nil {
			continue
		}
		children[ppid] = append(children[ppid], pid)
	}
	pids := []int{root}
	for i := 0; i < len(pids); i++ {
		pids = append(pids, children[pids[i]]...)
	}
	return pids, nil
}

// CPU is the user and system time that the tree below root has used so far.
// What a process that has already ended used is lost, so compare two readings
// only while the tree stays the same.
func CPU(root int) (time.Duration, error) {
	pids, err := PIDs(root)
	if err != nil {
		return 0, err
	}
	var ticks int64
	for _, pid := range pids {
		fields, err := statFields(pid)
		if err != nil {
			continue
		}
		for _, field := range fields[11:13] {
			n, err := strconv.ParseInt(field, 10, 64)
			if err != nil {
				return 0, fmt.Errorf("reading CPU time of process %d: %w", pid, err)
			}
			ticks += n
		}
	}
	return time.Duration(ticks) * tick, nil
}

// PSS is the memory of the tree below root in bytes; a page that several
// processes share counts once over all who share it.
func PSS(root int) (int64, error) {
	pids, err := PIDs(root)
	if err != nil {
		return 0, err
	}
	var total int64
	for _, pid := range pids {
		rollup, err := os.ReadFile(fmt.Sprintf("/proc/%d/smaps_rollup", pid))
		if err != nil {
			continue
		}
		for line := range strings.Lines(string(rollup)) {
			rest, ok := strings.CutPrefix(line, "Pss:")
			if !ok {
				continue
			}
			kib, err := strconv.ParseInt(strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(rest), "kB")), 10, 64)
			if err != nil {
				return 0, fmt.Errorf("reading PSS of process %d: %w", pid, err)
			}
			total += kib << 10
			break
		}
	}
	if total == 0 {
		return 0, fmt.Errorf("no memory figures for process %d and its children", root)
	}
	return total, nil
}

// Alive says whether pid exists and is not a zombie.
func Alive(pid int) bool {
	fields, err := statFields(pid)
	return err == nil && fields[0] != "Z"
}

// statFields gives the fields of /proc/PID/stat from the state on (number 3 of
// proc(5)); the name before them may itself hold spaces and parentheses.
func statFields(pid int) ([]string, error) {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return nil, err
	}
	end := bytes.LastIndexByte(stat, ')')
	fields := strings.Fields(string(stat[end+1:]))
	if len(fields) < 13 {
		return nil, fmt.Errorf("process %d: short stat line", pid)
	}
	return fields, nil
}
