package main

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
)

// measure returns the memory of a process, zeros if it has gone.
func measure(pid int, shared bool) (m memoryOf) {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/statm", pid))
	if err != nil {
		return m
	}
	fields := bytes.Fields(b)
	if len(fields) < 2 {
		return m
	}
	page := int64(os.Getpagesize())
	m.vsz, m.rss = page*decimal(fields[0]), page*decimal(fields[1])
	if !shared {
		return m
	}
	b, _ = os.ReadFile(fmt.Sprintf("/proc/%d/smaps_rollup", pid))
	for line := range bytes.Lines(b) {
		fields := bytes.Fields(line)
		if len(fields) < 2 {
			continue
		}
		switch string(fields[0]) {
		case "Pss:":
			m.pss = decimal(fields[1]) << 10
		case "Private_Clean:", "Private_Dirty:":
			m.uss += decimal(fields[1]) << 10
		}
	}
	return m
}

func decimal(text []byte) int64 {
	n, _ := strconv.ParseInt(string(text), 10, 64)
	return n
}
