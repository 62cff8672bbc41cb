package main

import (
	"bytes"
	"os"
	"strconv"
)

// overwriteArgs writes name over the arguments of the process, which ps shows, as far as there is
// room. The kernel says where they are. os.Args has to be a copy. Where the system does not allow
// it the process keeps its name.
func overwriteArgs(name string) {
	stat, err := os.ReadFile("/proc/self/stat")
	if err != nil {
		return
	}
	// The name of the program, in brackets, may hold anything.
	fields := bytes.Fields(stat[bytes.LastIndexByte(stat, ')')+1:])
	if len(fields) < 47 {
		return
	}
	start, err1 := strconv.ParseInt(string(fields[45]), 10, 64)
	end, err2 := strconv.ParseInt(string(fields[46]), 10, 64)
	if err1 != nil || err2 != nil || start <= 0 || end <= start {
		return
	}
	mem, err := os.OpenFile("/proc/self/mem", os.O_WRONLY, 0)
	if err != nil {
		return
	}
	defer mem.Close()
	area := make([]byte, end-start)
	copy(area[:len(area)-1], name)
	_, _ = mem.WriteAt(area, start)
}
