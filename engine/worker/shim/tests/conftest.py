"""The server's side of a worker thread, played over socket pairs."""

import array
import marshal
import mmap
import os
import pathlib
import socket
import struct
import sys
import tempfile
import threading
import time

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).parents[2]))

from shim import port, worker

PATIENCE = 20  # seconds that anything may take


class Answer:
    """What came back for one request."""

    def __init__(self):
        self.kinds = []
        self.status = None
        self.headers = None
        self.body = b""
        self.file = None  # (content, offset, length)


class Server:
    """Runs a worker.Thread and plays the loop."""

    def __init__(self, *apps, stream_mode=False):
        self.slot = 0
        self.streamed = 0  # answers so far
        self.credit = True  # give credit as data comes
        self.memory = memoryview(mmap.mmap(-1, worker.CLAIM + worker.SLOTS))
        self.claim = self.memory[:40].cast("Q")
        self.cancelled = self.memory[worker.CLAIM :]
        self.stream, theirs = socket.socketpair()
        self.stream.settimeout(PATIENCE)
        self.port = port.Port(theirs.detach(), self.cancelled)
        if stream_mode:
            self.queue, source = None, worker.Streams([self.port])
        else:
            self.queue, end = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
            source = worker.Queue(end.detach())
        config = {"threads": 1, "slots": 1, "processes": 2, "version": b"1.0", "node": b"here"}
        config["file_wrapper"] = True
        self.worker = worker.Thread(source, [self.port], self.claim, apps, worker.base(config))
        self.thread = threading.Thread(target=self.worker.run, daemon=True)
        self.thread.start()

    def close(self):
        if self.queue:
            self.queue.shutdown(socket.SHUT_WR)
        else:
            self.tell(port.QUIT, 0)
        self.thread.join(PATIENCE)
        assert not self.thread.is_alive(), "the thread did not end"
        self.stream.close()
        self.port.sock.close()
        assert self.claim[0] == 0, "a claim was left"

    def tell(self, tag, n):
        self.stream.sendall(struct.pack("<II", tag, n))

    def send(self, method="GET", body=None, app=0, cancelled=False, **environ):
        self.slot += 1
        rid = 1 << 16 | self.slot
        self.cancelled[self.slot] = cancelled
        full = {
            "REQUEST_METHOD": method,
            "SCRIPT_NAME": "",
            "PATH_INFO": "/",
            "QUERY_STRING": "",
            "SERVER_NAME": "localhost",
            "SERVER_PORT": "80",
            "SERVER_PROTOCOL": "HTTP/1.1",
            "wsgi.url_scheme": "http",
        }
        full.update(environ)
        values = tuple(full.pop(name, "") for name in worker.VARIABLES)
        data = marshal.dumps((rid, app, time.monotonic(), values, full, body), 2)
        if self.queue:
            self.queue.send(data)
        else:
            self.tell(port.REQUEST, len(data))
            self.stream.sendall(data)
        return rid

    def exactly(self, size):
        data = b""
        while len(data) < size:
            part = self.stream.recv(size - len(data))
            assert part, "the stream ended"
            data += part
        return data

    def frame(self):
        """Return (id, kind, length of the head, payload) of the next frame."""
        size, rid, what = struct.unpack("<III", self.exactly(12))
        kind = what & 0xFF000000
        self.streamed += kind == port.HEAD
        return rid, kind, what & 0xFFFFFF, self.exactly(size)

    def answer(self, rid, file=None):
        """Collect the answer to a request; file is the body to hand out."""
        a = Answer()
        while True:
            got, kind, head, payload = self.frame()
            assert got == rid
            a.kinds.append(kind)
            if kind in (port.WHOLE, port.HEAD, port.FILE):
                a.status, a.headers = marshal.loads(payload[:head])
            if kind == port.WHOLE:
                a.body = payload[head:]
            elif kind == port.DATA:
                a.body += payload
                if self.credit:
                    self.tell(self.streamed, len(payload))
            elif kind == port.FILE:
                offset, length = struct.unpack("<QQ", payload[head:])
                self.tell(port.DESCRIPTOR, 1)
                _, rights, _, _ = self.stream.recvmsg(1, 64)
                fd = array.array("i", rights[0][2])[0]
                a.file = os.pread(fd, length, offset), offset, length
                os.close(fd)
                break
            elif kind == port.NEED_BODY:
                with tempfile.TemporaryFile() as f:
                    f.write(file)
                    f.flush()
                    rights = (socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [f.fileno()]))
                    self.stream.sendmsg([struct.pack("<II", port.DESCRIPTOR, 1)], [rights])
            if kind in (port.WHOLE, port.END, port.ABORT, port.FAILED, port.DROPPED):
                break
        return a

    def get(self, method="GET", file=None, **arguments):
        body = True if file is not None else None
        return self.answer(self.send(method, **{"body": body, **arguments}), file)


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [".", *sys.path])
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    sys.path_importer_cache.pop(".", None)  # that of the directory before
    before = set(sys.modules)
    (tmp_path / "sub").mkdir()
    yield tmp_path
    for name in set(sys.modules) - before:
        del sys.modules[name]


@pytest.fixture
def serve():
    """Return a function that serves apps until the test ends."""
    servers = []

    def start(*apps, **options):
        servers.append(Server(*apps, **options))
        return servers[-1]

    yield start
    for server in servers:
        server.close()
