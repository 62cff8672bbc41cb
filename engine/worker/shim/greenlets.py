"""What gevent needs to be told, as it is used in several threads of a worker."""

import sys


class Settle:
    """A finder without modules that notices the import of gevent.monkey.

    gevent imports the classes of its hub with the first hub. After it has patched locks an
    import needs a hub in turn, and threads that make hubs at the same time deadlock. So do
    these imports first.
    """

    NAMES = ("loop", "libev_backend", "format_context", "resolver", "threadpool")

    def find_spec(self, name, path=None, target=None):
        if name == "gevent.monkey":
            config = getattr(sys.modules.get("gevent"), "config", None)
            for setting in self.NAMES:
                try:
                    getattr(config, setting)
                except Exception:
                    pass  # another gevent than we know: it is as it would be without us
        return None


def settle():
    sys.meta_path.insert(0, Settle())
