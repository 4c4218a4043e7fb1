"""Open files of this process: each request in flight holds one, and systems begin with few (macOS: 256)."""

import os
import resource

from sql_rl.errors import UsageError

SPARE = 96 + 4 * (os.cpu_count() or 1)  # journal, shards, libraries; pipes to the judge's workers, one a core


def allow_connections(count: int) -> None:
    """Raises the soft limit of open files so far that `count` connections fit in beside everything else.

    The hard limit is the administrator's: raises UsageError, with both numbers, where it is too low.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    needed = count + SPARE
    if soft == resource.RLIM_INFINITY or soft >= needed:
        return
    if hard != resource.RLIM_INFINITY and hard < needed:
        raise UsageError(
            f"batch_size: {count} requests in flight need {needed} open files, and this process may have {hard}: take "
            f"--batch-size {max(1, hard - SPARE)}, or raise the limit (ulimit -Hn)"
        )
    resource.setrlimit(resource.RLIMIT_NOFILE, (needed, hard))
