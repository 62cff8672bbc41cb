package worker

import "golang.org/x/sys/unix"

// recvCloexec has received descriptors closed on exec.
const recvCloexec = unix.MSG_CMSG_CLOEXEC
