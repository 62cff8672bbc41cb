"""Runs as root of an overlay: makes what a configuration names, starts one server and asks it.

Arguments: PROGRAM TESTENV ROOT FILE [NAME=VALUE…]. /upper is what the overlay holds.
"""

import glob
import grp
import json
import os
import pwd
import re
import socket
import stat
import struct
import subprocess
import sys
import time

program, testenv, root, arg = sys.argv[1:5]
given = dict(v.split("=", 1) for v in sys.argv[5:])
rel = arg.partition(":")[0]
MARK = "/asked-by-collections"
NUMBER = "PORT|PROC|THREAD|WORKER|NUM|TIMEOUT|SIZE|CHEAP|LIMIT|MAX|CPU|LISTEN|REQUESTS"
APP = """
def _app(environ, start_response):
    names = environ.get("SCRIPT_NAME", ""), environ.get("PATH_INFO", "")
    body = ("hello %s|%s\\n" % names).encode()
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", str(len(body)))])
    return [body]


application = app = wsgi = flask_app = create_app = _app
"""


def quietly(*args):
    return subprocess.run(
        args, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL
    )


quietly("ip", "link", "set", "lo", "up")
os.chdir(root)
os.umask(0o022)
with open(rel, errors="replace") as f:
    text = plain = f.read()
if rel.endswith(".erb"):
    text = (
        "\n".join(x for x in re.sub(r"<%=.*?%>", "4", text).splitlines() if not x.startswith("<%"))
        + "\n"
    )
if "{{" in text or "{%" in text:
    text = re.sub(r"\{%.*?%\}\n?", "", re.sub(r"\{\{.*?\}\}", "proj", text))
if text != plain:
    with open(rel, "w") as f:
        f.write(text)
env = {"HOME": "/root", "LANG": "C.UTF-8"}
env["PATH"] = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
env.update(given)
for name in re.findall(r"\$\((\w+)\)", text):
    value = (
        "8000"
        if "PORT" in name
        else "4"
        if re.search(NUMBER, name)
        else "/venv"
        if "ENV" in name
        else "x"
    )
    env.setdefault(name, value)
kind = rel.rsplit(".", 1)[-1]
form = {"yaml": "--yaml", "yml": "--yml", "xml": "--xml", "json": "--json"}.get(kind, "--ini")
listed = subprocess.run(
    ["/uwsgo", "config", "--json", form.replace("--json", "--js"), arg],
    capture_output=True,
    text=True,
    env=env,
    check=False,
)
options = json.loads(listed.stdout)["options"] if listed.returncode == 0 else []


def get(*names):
    return [value for name, value in options if name in names]


def user(name, group=False):
    name = name.split()[0] if name.split() else ""
    if not name:
        return
    number = ["-u", name] if name.isdigit() else []
    try:
        if group:
            name.isdigit() or grp.getgrnam(name)
        else:
            pwd.getpwuid(int(name)) if number else pwd.getpwnam(name)
    except KeyError:
        called = "u" + name if number else name
        if group:
            quietly("groupadd", name)
        elif quietly("getent", "group", called).returncode:
            quietly("useradd", "-m", *number, called)
        else:
            quietly("useradd", "-m", "-g", called, *number, called)


def folder(path):
    if path:
        os.makedirs(path, exist_ok=True)
        os.chmod(path, 0o777)


def beside(path):
    folder(os.path.dirname(path))


for value in get("gid"):
    user(value, True)
for value in get("uid", "immediate-uid"):
    user(value)
for value in get("chown-socket"):
    owner, _, group = value.partition(":")
    user(owner)
    user(group, True)
os.chmod("/root", 0o755)
for value in get("virtualenv", "home", "venv", "pyhome"):
    venv = os.path.join(root, value)
    if not os.path.exists(venv + "/bin/python"):
        os.makedirs(os.path.dirname(venv), exist_ok=True)
        quietly(testenv + "/bin/python", "-m", "venv", "--without-pip", venv)
        for site in glob.glob(venv + "/lib/python*/site-packages"):
            with open(site + "/testenv.pth", "w") as f:
                f.write(glob.glob(testenv + "/lib/python*/site-packages")[0] + "\n")
current = os.path.join(root, (get("chdir") or [root])[-1])
folder(current)
extra = "".join(
    f"{name.rstrip('()')} = _app\n" for name in get("callable") if name.rstrip("()").isidentifier()
)


def python(path, more=""):
    path = os.path.join(current, path)
    beside(path)
    with open(path, "w") as f:
        f.write(APP + extra + more)


def app(spec, ends=(".py",)):
    """Make what is imported by that name; mysite.wsgi is a module, but a file of a mount."""
    if spec.endswith(ends) or "/" in spec:
        python(spec.partition(":")[0])
        return
    module, _, called = spec.partition(":")
    made, called = called.endswith("()"), called.rstrip("()")
    place = current
    *packages, last = module.split(".")
    for package in packages:
        place = os.path.join(place, package)
        folder(place)
        with open(os.path.join(place, "__init__.py"), "a"):
            pass
    place = os.path.join(place, last)
    file = place + "/__init__.py" if os.path.isdir(place) else place + ".py"
    python(
        file,
        f"{called} = {'lambda *a: _app' if made else '_app'}\n" if called.isidentifier() else "",
    )


for value in get("module", "wsgi", "pypy-wsgi", "import", "shared-import", "spooler-import"):
    app(value)
for value in get("wsgi-file", "file"):
    python(value)
for value in get("mount"):
    if "=" in value:
        app(value.split("=", 1)[1], (".py", ".wsgi"))
for value in get(
    "socket",
    "uwsgi-socket",
    "http",
    "http-socket",
    "stats",
    "pidfile",
    "pidfile2",
    "safe-pidfile",
    "logto",
    "logto2",
    "daemonize",
    "daemonize2",
    "master-fifo",
    "touch-reload",
):
    if "/" in value:
        beside(os.path.join(root, value))
for value in get("touch-reload"):
    beside(os.path.join(current, value))
    with open(os.path.join(current, value), "a"):
        pass
for value in get("logger", "req-logger", "log-route"):
    for path in re.findall(r"(?:file|logfile)[:=]([^,; ]+)", value):
        beside(os.path.join(current, path))
for value in get("static-map", "static-map2"):
    path = os.path.join(current, value.split("=", 1)[-1])
    os.path.exists(path) or folder(path)
for value in get("pythonpath", "python-path", "pp", "spooler"):
    "*" in value or folder(os.path.join(current, value))
for value in get("mule"):
    if value.endswith(".py"):
        beside(os.path.join(current, value))
        with open(os.path.join(current, value), "w") as f:
            f.write("import time\ntime.sleep(1000)\n")
for value in get("mimefile", "mime-file"):
    beside(value)
    with open(value, "a"):
        pass
quietly("chmod", "-R", "a+rwX", root, current)


def held():
    """Return what the overlay and /tmp hold, by path: kind, mode, owner."""
    found = {}
    for base in ("/upper", "/tmp"):
        for place, folders, files in os.walk(base):
            folders[:] = [x for x in folders if x != "__pycache__"]
            for name in files + folders:
                path = os.path.join(place, name)
                s = os.lstat(path)
                seen = path.removeprefix("/upper")
                found[seen] = stat.filemode(s.st_mode), s.st_uid, s.st_gid
    return found


checked = None
if program == "/uwsgo":
    checked = subprocess.run(
        [program, "check", form, arg],
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        env=env,
        cwd=root,
        timeout=20,
        check=False,
    )
before = held()
with open("/server.log", "w") as log:
    server = subprocess.Popen(
        [program, form, arg],
        stdout=log,
        stderr=log,
        stdin=subprocess.DEVNULL,
        env=env,
        cwd=root,
        start_new_session=True,
    )
asked = MARK
if get("mount") and not get("module", "wsgi", "wsgi-file", "file"):
    asked = get("mount")[0].split("=")[0].rstrip("/") + MARK


def connect(to):
    s = socket.socket(socket.AF_UNIX if isinstance(to, str) else socket.AF_INET)
    s.settimeout(5)
    s.connect(to)
    return s


def take(s):
    data = b""
    try:
        while len(data) < 65536 and (more := s.recv(65536)):
            data += more
    except OSError as err:
        data += str(err).encode()
    head, _, body = data.partition(b"\r\n\r\n")
    return head.split(b"\r\n")[0].decode("latin1") + " " + body.decode("latin1").strip()[:80]


def uwsgi(to):
    s = connect(to)
    sent = {
        "QUERY_STRING": "",
        "REQUEST_METHOD": "GET",
        "CONTENT_TYPE": "",
        "CONTENT_LENGTH": "",
        "REQUEST_URI": asked,
        "PATH_INFO": asked,
        "DOCUMENT_ROOT": "/srv",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "REQUEST_SCHEME": "http",
        "REMOTE_ADDR": "127.0.0.1",
        "REMOTE_PORT": "5000",
        "SERVER_PORT": "80",
        "SERVER_NAME": "localhost",
        "HTTP_HOST": "localhost",
    }
    packed = b"".join(struct.pack("<H", len(x)) + x.encode() for pair in sent.items() for x in pair)
    s.sendall(struct.pack("<BHB", 0, len(packed), 0) + packed)
    return take(s)


def http(to):
    s = connect(to)
    s.sendall(f"GET {asked} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode())
    return take(s)


def places(value):
    value = value.split(",")[0].split()[0] if value.split() else ""
    if port := re.match(r"^[^/]*:(\d+)", value):
        return [("127.0.0.1", int(port[1]))]
    return (
        [] if value.startswith("=") else [os.path.join(root, value), os.path.join(current, value)]
    )


background = bool(get("daemonize", "daemonize2"))
protocol = (get("protocol", "socket-protocol") or ["uwsgi"])[-1]
todo = [(http, v) for v in get("http", "http-socket", "http11-socket")]
todo += [(http if protocol.startswith("http") else uwsgi, v) for v in get("socket", "uwsgi-socket")]
answers = {}
patience = time.time() + 8
while time.time() < patience and len(answers) < len(todo):
    for ask, value in todo:
        for place in places(value) if value not in answers else []:
            try:
                answers[value] = ask(place)
                break
            except OSError:
                pass
    if server.poll() is not None and not background:
        break
    time.sleep(0.1)
time.sleep(1.5 if not todo else 0.5)


def others():
    """Return the commands that run beside the server and its workers."""
    found = set()
    for path in glob.glob("/proc/[0-9]*/cmdline"):
        try:
            with open(path, "rb") as f:
                command = f.read().replace(b"\0", b" ").decode(errors="replace").strip()
        except OSError:
            continue
        if command and not re.search(r"stage\.py|uwsg|uWSGI (master|worker|http|zygote)", command):
            found.add(command)
    return sorted(found)


routed = re.findall(r"\w+ file:([^,;\s]+)", "\n".join(get("logger", "req-logger")))
made = {}
told = ""  # into logs
logged = set()
started = set()
lost = re.search(
    r"^lost, and what to do instead \(\d+\)\n((?: .*\n)+)", checked.stdout if checked else "", re.M
)
losses = set(re.findall(r"^ +\S+:\d+: ([\w-]+)", lost.group(1), re.M)) if lost else set()
for path, (mode, uid, gid) in held().items():
    if path in before and path != "/server.log":
        continue
    if mode[0] == "-" and mode != "----------":
        try:
            with open(path if path.startswith("/tmp/") else "/upper" + path, errors="replace") as f:
                content = f.read(1 << 20)
        except OSError:
            content = ""
        if MARK in content and not path.endswith(".py"):
            logged.add(path)
        if path.endswith(".log") and not content:
            continue  # uWSGI makes those of loggers with their first line
        if path.endswith(".log") and path != "/server.log":
            told += content[-3000:]
        if "*** Starting uW" in content or "*** Starting uwsgo" in content:
            started.add(path)
    if mode[0] != "d" and path != "/server.log":
        made[path] = [mode[0] if mode[0] == "l" else mode, uid, gid]
with open("/server.log", errors="replace") as f:
    tail = f.read()[-3000:] + told
spoken = any(x.startswith("HTTP/") for x in answers.values())  # an end resets connections
alive = spoken if background else server.poll() is None
print(
    "SEEN "
    + json.dumps(
        {
            "alive": alive,
            "answers": answers,
            "logged": sorted(logged),
            "started": sorted(started),
            "made": made,
            "others": others(),
            "losses": sorted(losses),
            "routed": routed,
            "check": -1 if checked is None else checked.returncode,
            "checked": "" if checked is None else (checked.stdout + checked.stderr)[:1500],
            "options": len(options),
            "tail": tail,
            "error": listed.stderr[-300:],
        }
    ),
    flush=True,
)
