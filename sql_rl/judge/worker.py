"""A judge's worker process: reads requests from its standard input, answers on its standard output.

Run as `python -m sql_rl.judge.worker SETTINGS PARENT`: the judge's settings as JSON, and the process number of the
parent, with which it dies. The frames are those of `pool.py`; their bodies are JSON. What cannot be answered here (a
hang, a crash, a failure of our own) ends the process, and the parent answers for it.
"""

import json
import math
import os
import signal
import sys
import traceback
from typing import BinaryIO

from sql_rl.judge.bench import Bench, form_of
from sql_rl.judge.sandbox import confine
from sql_rl.settings import JudgeSettings


def read_frame(stream: BinaryIO) -> bytes | None:
    """The next frame's body, None at the end of the stream."""
    length = stream.read(4)
    return stream.read(int.from_bytes(length, "big")) if len(length) == 4 else None


def write_frame(stream: BinaryIO, body: bytes) -> None:
    """Send one frame."""
    stream.write(len(body).to_bytes(4, "big") + body)
    stream.flush()


def serve(settings: JudgeSettings, requests: BinaryIO, replies: BinaryIO) -> None:
    """Answer requests until there are no more."""

    def announce(phase: str) -> None:
        signal.alarm(lifetime)
        write_frame(replies, b"@" + phase.encode())

    # The parent kills what overruns its time. Should it be gone without a trace, an alarm nobody handles does.
    lifetime = math.ceil(settings.seconds) + 2
    bench = Bench(settings, announce)
    write_frame(replies, b"")
    while (body := read_frame(requests)) is not None:
        signal.alarm(lifetime)
        try:
            reply = json.dumps(bench.answer(json.loads(body)), default=form_of)
        except Exception as failure:  # noqa: BLE001 - a bug of ours costs one judgement, and the parent logs it
            write_frame(replies, b"!" + "".join(traceback.format_exception(failure)).encode())
            return
        signal.alarm(0)
        write_frame(replies, reply.encode())


def main() -> None:
    """Confine this process, keep its standard streams for frames alone, and serve."""
    settings = JudgeSettings(**json.loads(sys.argv[1]))
    confine(parent=int(sys.argv[2]))
    requests, replies = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    nowhere = os.open(os.devnull, os.O_RDWR)
    for stream in (0, 1, 2):
        os.dup2(nowhere, stream)
    serve(settings, requests, replies)


if __name__ == "__main__":
    main()
