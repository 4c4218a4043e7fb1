"""Failures that end a command, each with the exit code that cron sees.

Raised where the cause is known, with the value, the place and the way out in the message; `cli.run` prints that one
line and exits. Whatever else escapes is a bug of ours and shows its traceback.
"""


class SqlRlError(Exception):
    """A failure a person can act on. exit_code: 1, any failure without a code of its own."""

    exit_code = 1


class UsageError(SqlRlError):
    """Wrong usage, settings or input: nothing was started."""

    exit_code = 2


class StoppedEarlyError(SqlRlError):
    """Stopped before the end and resumable with the same command: a signal, a budget, a quota."""

    exit_code = 3


class RefusedError(SqlRlError):
    """A provider or the Hub refused the credentials."""

    exit_code = 4


class BusyError(SqlRlError):
    """What is needed is held by someone else for now: another run its output folder, another program a database."""

    exit_code = 75
