package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"golang.org/x/sys/unix"
)

// adoptedEach is how often the first process of a container looks for zombies.
const adoptedEach = time.Second

// reapAdopted reaps the zombies that the kernel gives to the first process of a container, until
// stop is closed. Apps and commands leave such processes behind, and nobody else reaps them: in
// time no process could start. The server waits for a child of its own as soon as it ends, so only
// a zombie that two looks have seen is reaped.
func reapAdopted(stop <-chan struct{}) {
	if os.Getpid() != 1 {
		return
	}
	tick := time.NewTicker(adoptedEach)
	defer tick.Stop()
	before := map[string]bool{}
	for {
		select {
		case <-tick.C:
		case <-stop:
			return
		}
		now := map[string]bool{}
		for who, pid := range zombies() {
			if now[who] = true; before[who] {
				_, _ = unix.Wait4(pid, nil, unix.WNOHANG, nil)
			}
		}
		before = now
	}
}

// zombies returns the dead children of this process, by number and time of start.
func zombies() map[string]int {
	found := map[string]int{}
	parent := []byte(strconv.Itoa(os.Getpid()))
	paths, _ := filepath.Glob("/proc/[0-9]*/stat")
	for _, path := range paths {
		stat, err := os.ReadFile(path)
		if err != nil {
			continue
		}
		// The name before the state may hold anything, brackets too.
		fields := bytes.Fields(stat[bytes.LastIndexByte(stat, ')')+1:])
		pid, err := strconv.Atoi(filepath.Base(filepath.Dir(path)))
		if err != nil || len(fields) < 20 || string(fields[0]) != "Z" || !bytes.Equal(fields[1], parent) {
			continue
		}
		found[fmt.Sprintf("%d %s", pid, fields[19])] = pid
	}
	return found
}
