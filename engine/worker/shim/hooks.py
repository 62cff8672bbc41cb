"""What a process does once it has been forked, before it begins: hook-post-fork and its kin."""

from .own import os, signal, suppress
from .trace import say

PR_SET_PDEATHSIG = 1


def run(option, steps, zygote, doing):
    """Do what an option, such as hook-post-fork, says. What fails ends the process."""
    # What the app has set here for its own children would hide how these end.
    before = signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    for action, argument in steps:
        try:
            code = _take(option, action, argument, zygote, doing)
        except (OSError, ValueError) as e:
            code = e
        if code:
            why = f"it failed ({code}), so this process ends"
            what = argument if action == "exec" else f"{action}:{argument}"
            say(f"{option}: {what}: {why}\n")
            os._exit(1)
    signal.signal(signal.SIGCHLD, before or signal.SIG_DFL)


def _take(option, action, argument, zygote, doing):
    """Do one thing; what it returns is 0 when all is well."""
    if action == "exec":
        return _run(option, argument, zygote, doing)
    doing(-1, f"running {option}: {action}:{argument}")
    if action == "chdir":
        os.chdir(argument)
        return 0
    name, has_value, value = argument.partition("=")
    if has_value:
        os.environ[name] = value
    else:
        os.environ.pop(name, None)
    return 0


def _run(option, command, zygote, doing):
    """Run a command by /bin/sh, as uWSGI does. It and what it starts end with this process."""
    told, tell = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            os.setpgid(0, 0)
            os.close(tell)
            # The server has to know the group first, as it ends that when this process dies.
            if not os.read(told, 1):
                os._exit(127)
            if zygote.prctl:
                zygote.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
            signal.pthread_sigmask(signal.SIG_SETMASK, zygote.mask)
            os.execv("/bin/sh", ["sh", "-c", command])
        finally:
            os._exit(127)
    with suppress(OSError):
        os.setpgid(pid, pid)  # whoever of both is first
    doing(-1, f"running {option}: {command}", pid)
    os.write(tell, b"1")
    os.close(tell)
    os.close(told)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
