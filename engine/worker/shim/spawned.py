"""Has the processes that an app spawns find the modules of its wsgi-files.

What multiprocessing and its kin pass to a child that is not forked goes through pickle:
functions by the name of their module. The child can import no module named
uwsgi_file_app, which no file is called. But it is given sys.argv first, pickled as well.
So where there is a wsgi-file, sys.argv[0] is a str which pickle restores by running what
follows, in the child and in the children of that.
"""

import sys

SOURCE = '''
import sys

class Finder:
    """Finds modules in files of other names."""

    def __init__(self, files):
        self.uwsgi_files = files

    def find_spec(self, name, path=None, target=None):
        file = self.uwsgi_files.get(name)
        if file is None:
            return None
        from importlib.machinery import SourceFileLoader
        from importlib.util import spec_from_file_location

        return spec_from_file_location(name, file, loader=SourceFileLoader(name, file))

class Program(str):
    def __reduce_ex__(self, protocol):
        known = {"source": self.source, "name": str(self), "files": self.files}
        return eval, ("exec(source) or install(name, source, files)", known)

def install(name, source, files):
    program = Program(name)
    program.source = source
    for finder in sys.meta_path:
        program.files = getattr(finder, "uwsgi_files", None)
        if program.files is not None:
            program.files.update(files)
            return program
    program.files = files
    sys.meta_path.append(Finder(files))
    return program
'''

_namespace = {}
exec(SOURCE, _namespace)


def tell(module, path):
    """Have processes that are spawned from now on find module in the file at path."""
    sys.argv[:1] = [_namespace["install"](str(*sys.argv[:1]), SOURCE, {module: path})]
