# Run by an emperor, for its vassals to start faster: the sources, marshalled, come by standard
# input, and the code goes to standard output. bootstrap.py reads it.
import marshal
import sys

code = [
    (name, compile(text, f"<uwsgo>/{name}.py", "exec", dont_inherit=True))
    for name, text in marshal.load(sys.stdin.buffer)
]
key = f"{sys.argv[1]} {sys.version!r} {sys.flags.optimize}\n"
sys.stdout.buffer.write(key.encode() + marshal.dumps(code))
