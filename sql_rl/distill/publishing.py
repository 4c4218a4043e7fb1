"""A run's dataset on its way to the Hub while the run goes on: each shard as soon as its rows are settled.

What goes wrong on that way is told and costs the run nothing: whatever is missing goes up when the run has ended, or
with the next `distill` or `publish` of the folder.
"""

import asyncio
import sys
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from sql_rl.configure import Secrets
from sql_rl.distill.derive import Derivation
from sql_rl.distill.plan import Plan
from sql_rl.distill.window import Stopped
from sql_rl.errors import SqlRlError
from sql_rl.publish.access import check_write_access
from sql_rl.publish.dataset import push_dataset
from sql_rl.publish.repository import Repository

LOOK = 2.0  # seconds between two looks at how far the run has come


def open_repository(plan: Plan, secrets: Secrets) -> Repository | None:
    """The repository that the run publishes to, proven writable; None where it does not publish."""
    options = plan.settings.distill
    if not options.publish and options.publish_repo_id is None:
        return None
    name = options.publish_repo_id or plan.folder.path.resolve().name
    return Repository(check_write_access(name, "dataset", options.private_repo, secrets), secrets)


@asynccontextmanager
async def published_as_it_grows(derivation: Derivation, repository: Repository | None) -> AsyncIterator[None]:
    """Follows the run in the block and pushes the shards that close, until the block ends."""
    if repository is None:
        yield
        return
    ended, hurry = asyncio.Event(), threading.Event()

    def pause(seconds: float) -> None:
        if hurry.wait(seconds):
            raise Stopped

    following = asyncio.create_task(_follow(derivation, repository.waiting(pause), ended))
    try:
        yield
    finally:
        ended.set()
        hurry.set()
        await following


async def _follow(derivation: Derivation, repository: Repository, ended: asyncio.Event) -> None:
    there: set[str] = set()
    while not ended.is_set():
        try:
            await derivation.advance(ended)
            if (closed := derivation.closed()) and not ended.is_set():
                files, shown = {shard.name: shard.path for shard in closed}, derivation.shown
                summary = derivation.summary() | {"status": "running"}
                await asyncio.to_thread(push_dataset, repository, files, summary, shown[True], shown[False], set(there))
                there |= set(files)
        except OSError as error:
            derivation.restart()
            print(f"publishing waits for the end of the run: {error}", file=sys.stderr)
            return
        except Stopped:  # while it waited for another try
            return
        except SqlRlError as error:
            print(f"publishing waits for the end of the run: {error}", file=sys.stderr)
            return
        with suppress(TimeoutError):
            await asyncio.wait_for(ended.wait(), LOOK)
