"""FastPySGI with settings that its command line does not have."""

import importlib
import os
import sys

import fastpysgi

host, port, backlog, processes, module = sys.argv[1:]
sys.path.insert(0, os.getcwd())
app = importlib.import_module(module).application

fastpysgi.server.backlog = int(backlog)
fastpysgi.server.tcp_nodelay = 1
fastpysgi.run(app, host, int(port), workers=int(processes))
