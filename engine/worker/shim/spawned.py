"""Lets processes that an app spawns find the modules of its wsgi-files.

multiprocessing and its kin pickle the arguments of a spawned child, and functions by the name
of their module. The child cannot import a module named uwsgi_file_app: no file has that name.
But it first gets sys.argv, pickled too. So with a wsgi-file sys.argv[0] is a str that pickle
restores by running the code below, in the child and in its children.
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
