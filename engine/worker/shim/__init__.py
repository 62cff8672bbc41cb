"""The Python side of uwsgo's workers.

The server embeds these modules and hands them to each zygote over a socket,
where `bootstrap` makes them a package. Nothing here is installed or written to
disk. Runs on CPython 3.9 and later, and on PyPy.

own       what all of them use of Python, safe from what apps do to it
zygote    imports the apps once and forks a worker process on command
apps      finds and imports the apps
hooks     what a process does once it has been forked, before it begins
spawned   has processes that an app spawns find its wsgi-files
greenlets what gevent needs, as it is used in several threads
hints     says why a module is not found
imports   tells the server which files that took
worker    the threads of one worker process: take a request, run it, next
background  a process beside the workers, which is given no requests
mule      the mules among them, and messages to these
exchange  one request and its answer, by PEP 3333
head      status and headers: checked, marshalled, remembered
control   the channel to the server, for all but requests
port      a thread's stream to one of the server's event loops
trace     tracebacks of what apps raise
signals   leaves what ends a program to the server
interrupts  what an app has run in between, held where none of its code runs
forked    ends what apps fork when it comes back from them
files     request bodies in files, and wsgi.file_wrapper
module    the module uwsgi, as apps import it
sharing   what that has of caches, the queue and shared areas
metrics   what it has of metrics
stores    these, in memory that all processes share
arguments  what its functions are called with, taken as uWSGI takes it
events    signals of uWSGI: what calls the app's functions
"""
