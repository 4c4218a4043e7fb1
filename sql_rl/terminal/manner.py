"""How a command speaks: to a person, to a machine (`--json`), or only of what went wrong (`--quiet`)."""

import sys
from collections.abc import Callable
from functools import partial
from typing import Literal

from sql_rl.errors import UsageError

Manner = Literal["person", "json", "quiet"]


def manner_of(quiet: bool, as_json: bool) -> Manner:
    """From the two flags. Raises UsageError for both at once."""
    if quiet and as_json:
        raise UsageError("--quiet and --json contradict each other: give one of them")
    return "quiet" if quiet else "json" if as_json else "person"


def narrator(manner: Manner) -> Callable[[str], None]:
    """Says a line on the way, on stderr: to a person, and to nobody else."""
    return partial(print, file=sys.stderr) if manner == "person" else lambda line: None
