"""What gevent needs to be told, as it is used in several threads of a worker."""

import sys


class Settle:
    """A finder of no modules, which sees that gevent.monkey is about to be imported.

    gevent imports the classes of its hub when the first hub is made. Once it has
    patched locks an import needs a hub in turn, and threads that make theirs at the
    same time wait for each other for ever. So these imports are done before.
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
