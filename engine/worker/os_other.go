//go:build !linux

package worker

const recvCloexec = 0
