"""Loads somebody's own app where it lies, as `application`.

Written beside the other apps with OWN before it: {"dir", "module", "file",
"callable", "paths", "site", "env", "unset"}. Servers run it like any other app.
"""

import importlib
import importlib.util
import os
import site
import sys


def load(own):
    os.environ.update(own["env"])
    for name in own["unset"]:
        os.environ.pop(name, None)
    before = list(sys.path)
    for directory in own["site"]:  # with the .pth files in it
        site.addsitedir(directory)
    added = [path for path in sys.path if path not in before]
    # The app's own folders and packages come before those of the servers.
    sys.path[:] = own["paths"] + [own["dir"]] + added + before
    os.chdir(own["dir"])
    if own["file"]:
        spec = importlib.util.spec_from_file_location("own_wsgi_file", own["file"])
        module = importlib.util.module_from_spec(spec)
        sys.modules[spec.name] = module
        spec.loader.exec_module(module)
    else:
        module = importlib.import_module(own["module"])
    target = module
    for name in own["callable"].split("."):
        target = getattr(target, name)
    return target


application = load(OWN)  # noqa: F821
