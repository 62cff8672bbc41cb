"""bjoern on several processes, as its manual does it: one socket, then forks."""

import importlib
import os
import signal
import socket
import sys

import bjoern

host, port, backlog, processes, module = sys.argv[1:]
sys.path.insert(0, os.getcwd())
app = importlib.import_module(module).application

sock = bjoern.bind_and_listen(host, int(port), listen_backlog=int(backlog))
# Accepted connections inherit it. Without it answers wait for acknowledgements.
sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

children = []
for _ in range(int(processes)):
    pid = os.fork()
    if pid == 0:
        bjoern.server_run(sock, app)
        os._exit(0)
    children.append(pid)


def stop(*_):
    for pid in children:
        os.kill(pid, signal.SIGKILL)
    os._exit(0)


signal.signal(signal.SIGTERM, stop)
for _ in children:
    os.wait()
