// Package proctree reads what a process and all its descendants have used, from
// Linux's /proc. Elsewhere every function fails with an error that says so.
//
// A reading costs about 10 µs per process of the machine, because it asks each for its parent.
// PSS costs about 100 µs per process of the tree.
package proctree

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"syscall"
	"time"
)

// tick is the unit of the times in /proc/PID/stat. The kernel has given it to
// user space as 1/100 s on every architecture for which Go exists.
const tick = 10 * time.Millisecond

// Usage is processor time. Each process adds an error of up to 10 ms to either part.
type Usage struct{ User, System time.Duration }

// Total is both together.
func (u Usage) Total() time.Duration { return u.User + u.System }

// Sub returns the usage between an older reading and u.
func (u Usage) Sub(older Usage) Usage {
	return Usage{u.User - older.User, u.System - older.System}
}

// stat is the used part of /proc/PID/stat.
type stat struct {
	pid, parent, group int
	zombie             bool
	ticks              [4]int64 // user, system, then the same of children waited for
}

// PIDs gives root and every process descended from it, parents before their
// children. A process that ends while the tree is read is left out.
func PIDs(root int) ([]int, error) {
	tree, err := read(root)
	if err != nil {
		return nil, err
	}
	pids := make([]int, len(tree))
	for i, s := range tree {
		pids[i] = s.pid
	}
	return pids, nil
}

// Group returns the processes of a process group, orphans included.
func Group(pgid int) ([]int, error) {
	return pidsWhere(func(s stat) bool { return s.group == pgid })
}

func pidsWhere(fits func(stat) bool) ([]int, error) {
	all, err := list()
	if err != nil {
		return nil, err
	}
	var pids []int
	for _, s := range all {
		if fits(s) {
			pids = append(pids, s.pid)
		}
	}
	return pids, nil
}

// Children returns the children of pid.
func Children(pid int) ([]int, error) {
	return pidsWhere(func(s stat) bool { return s.parent == pid })
}

// CPU is the time that the tree below root has used so far. It includes exited processes, as
// children of the process that waited for them. It lacks those whose parent ignores SIGCHLD, or
// died first.
func CPU(root int) (Usage, error) {
	// A process that is waited for while the tree is read would be missing, or
	// count twice, as itself and as a child. When one has gone it is read again.
	before, err := read(root)
	for range 5 {
		if err != nil {
			return Usage{}, err
		}
		var after []stat
		if after, err = read(root); err == nil && slices.EqualFunc(before, after, samePID) {
			break
		}
		before = after
	}
	var ticks [4]int64
	for _, s := range before {
		for i, n := range s.ticks {
			ticks[i] += n
		}
	}
	return Usage{time.Duration(ticks[0]+ticks[2]) * tick, time.Duration(ticks[1]+ticks[3]) * tick}, nil
}

func samePID(a, b stat) bool { return a.pid == b.pid }

// Switches is how often the living threads of the tree below root have been
// switched away from so far, by waiting or by the kernel.
func Switches(root int) (int64, error) {
	pids, err := PIDs(root)
	if err != nil {
		return 0, err
	}
	var total int64
	for _, pid := range pids {
		tasks := fmt.Sprintf("/proc/%d/task", pid)
		threads, err := names(tasks)
		if err != nil {
			continue // it has ended
		}
		for _, thread := range threads {
			status, err := os.ReadFile(tasks + "/" + thread + "/status")
			if err != nil {
				continue
			}
			total += number(status, "\nvoluntary_ctxt_switches:") + number(status, "\nnonvoluntary_ctxt_switches:")
		}
	}
	if total == 0 {
		return 0, fmt.Errorf("no context switches are told for process %d and its children", root)
	}
	return total, nil
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
		if rollup, err := os.ReadFile(fmt.Sprintf("/proc/%d/smaps_rollup", pid)); err == nil {
			total += number(rollup, "\nPss:") << 10 // it is told in KiB
		}
	}
	if total == 0 {
		return 0, fmt.Errorf("no memory figures for process %d and its children", root)
	}
	return total, nil
}

// Alive says whether pid exists and is not a zombie.
func Alive(pid int) bool {
	s, err := readStat(pid)
	return err == nil && !s.zombie
}

// read gives the tree below root, which is first; parents come before children.
func read(root int) ([]stat, error) {
	all, err := list()
	if err != nil {
		return nil, err
	}
	at := slices.IndexFunc(all, func(s stat) bool { return s.pid == root })
	if at < 0 {
		return nil, fmt.Errorf("process %d has ended", root)
	}
	children := map[int][]stat{}
	for _, s := range all {
		children[s.parent] = append(children[s.parent], s)
	}
	tree := []stat{all[at]}
	for i := 0; i < len(tree); i++ {
		tree = append(tree, children[tree[i].pid]...)
	}
	return tree, nil
}

// list reads the stat files of all processes.
func list() ([]stat, error) {
	entries, err := names("/proc")
	if err != nil {
		return nil, fmt.Errorf("cannot list processes: %w", err)
	}
	var all []stat
	for _, entry := range entries {
		if pid, err := strconv.Atoi(entry); err == nil {
			if s, err := readStat(pid); err == nil {
				all = append(all, s)
			}
		}
	}
	if len(all) == 0 {
		return nil, errors.New("cannot list processes: this system has none in /proc")
	}
	return all, nil
}

// names lists a directory without asking what each entry is.
func names(dir string) ([]string, error) {
	f, err := os.Open(dir)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return f.Readdirnames(-1)
}

// readStat reads /proc/PID/stat; proc(5) numbers its fields. The second, the
// name, may itself hold spaces and parentheses.
func readStat(pid int) (stat, error) {
	s := stat{pid: pid}
	// All processes are read for each tree, so without what os.File does for files
	// that can be waited for, which takes longer than the rest.
	fd, err := syscall.Open("/proc/"+strconv.Itoa(pid)+"/stat", syscall.O_RDONLY|syscall.O_CLOEXEC, 0)
	if err != nil {
		return s, err
	}
	var buf [1024]byte
	n, err := syscall.Read(fd, buf[:])
	_ = syscall.Close(fd)
	if err != nil {
		return s, err // it ended after the file was opened
	}
	line := buf[:n]
	fields := bytes.Fields(line[bytes.LastIndexByte(line, ')')+1:]) // from the third on
	if len(fields) < 15 {
		return s, fmt.Errorf("process %d: short stat line", pid)
	}
	s.zombie = string(fields[0]) == "Z"
	s.parent, err = strconv.Atoi(string(fields[1]))
	if err != nil {
		return s, fmt.Errorf("process %d: %w", pid, err)
	}
	s.group, err = strconv.Atoi(string(fields[2]))
	if err != nil {
		return s, fmt.Errorf("process %d: %w", pid, err)
	}
	for i := range s.ticks {
		s.ticks[i], err = strconv.ParseInt(string(fields[11+i]), 10, 64) // 14 to 17
		if err != nil {
			return s, fmt.Errorf("process %d: %w", pid, err)
		}
	}
	return s, nil
}

// number gives the number behind a label in a file of lines; 0 without one.
func number(text []byte, label string) int64 {
	_, rest, found := bytes.Cut(text, []byte(label))
	fields := bytes.Fields(rest[:min(len(rest), 40)])
	if !found || len(fields) == 0 {
		return 0
	}
	n, err := strconv.ParseInt(string(fields[0]), 10, 64)
	if err != nil {
		return 0
	}
	return n
}
