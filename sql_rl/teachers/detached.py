"""Run as a program: starts another one in a session of its own, that ends when its parent does.

    python detached.py PROGRAM ARGUMENT...

Ctrl-C reaches every process of the terminal's foreground group, `timeout` signals its whole group too: an engine that
is to finish what is in flight must be in neither. And a parent that dies by kill -9 can stop nobody: the kernel does
(PR_SET_PDEATHSIG, prctl(2)), so that no orphan keeps a GPU's memory. Linux only, as vLLM is.
"""

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1

if __name__ == "__main__":
    os.setsid()
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    os.execv(sys.argv[1], sys.argv[1:])
