"""The entry point: `uv run main.py <command>`; `uv run main.py --help` lists the commands."""

import atexit
import gc
import os

from sql_rl.cli import run

if __name__ == "__main__":
    # How long torch's threads spin before they sleep while they wait for one another (about 0.2 ms). Without spinning,
    # small models on a quiet machine take 1.5 times as long; with libgomp's 300,000 turns twice as long where a core is
    # shared. Read when torch is first imported.
    if "OMP_WAIT_POLICY" not in os.environ:  # it says how they wait, and so would this
        os.environ.setdefault("GOMP_SPINCOUNT", "10000")
    # Of what imports make nothing is garbage: looking for it is a tenth of the start, and half of the end.
    gc.set_threshold(10_000)
    atexit.register(gc.freeze)
    run()
