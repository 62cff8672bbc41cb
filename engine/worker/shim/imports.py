"""Which files the apps' code is in, for a server that reloads when they change."""

import sys

from .own import os, thread, time

EACH = 1.0  # seconds between looks at sys.modules
AT_ONCE = 50  # files in a message


class Imports:
    """Tells the server of files that have been imported, each once."""

    def __init__(self, config, send):
        self.unwatched = set(config["unwatched"])
        self.send = send
        self.told = set()
        import sysconfig  # few servers need it

        paths = sysconfig.get_paths()
        names = ("stdlib", "platstdlib", "purelib", "platlib")
        self.others = tuple(os.path.join(paths[name], "") for name in names)

    def tell(self):
        files = []
        for name, module in list(sys.modules.items()):
            try:
                path = getattr(module, "__file__", None)
            except Exception:
                continue  # a module that is none
            if not isinstance(path, str) or name in self.unwatched or path in self.told:
                continue
            self.told.add(path)
            path = os.path.abspath(path)
            if path.endswith(".py") and not path.startswith(self.others) and os.path.isfile(path):
                files.append(path)
        while files:
            self.send(("imported", files[:AT_ONCE]))
            del files[:AT_ONCE]

    def watch(self):
        """Go on telling, in a thread of its own: apps also import in requests."""

        def run():
            known = 0
            try:
                while True:
                    if len(sys.modules) != known:
                        known = len(sys.modules)
                        self.tell()
                    time.sleep(EACH)
            except OSError:
                pass  # the server has gone, or this generation

        thread.start_new_thread(run, ())
