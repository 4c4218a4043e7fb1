"""A run's dataset while the run goes on: rows are written as they are settled, while it waits for answers anyway, and
each shard that is full is on its way to the Hub, where the run publishes.

What goes wrong with that is told and costs the run nothing: whatever is missing is written or goes up when the run has
ended, or with the next `distill` or `publish` of the folder.
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

LOOK = 0.2  # seconds between two looks at how far the run has come


def open_repository(plan: Plan, secrets: Secrets) -> Repository | None:
    """The repository that the run publishes to, proven writable; None where it does not publish."""
    options = plan.settings.distill
    if not options.publish and options.publish_repo_id is None:
        return None
    name = options.publish_repo_id or plan.folder.path.resolve().name
    return Repository(check_write_access(name, "dataset", options.private_repo, secrets), secrets)


@asynccontextmanager
async def followed(derivation: Derivation, repository: Repository | None) -> AsyncIterator[None]:
    """Derives the dataset of the run in the block, and pushes the shards that close, until the block ends."""
    ended, hurry = asyncio.Event(), threading.Event()

    def pause(seconds: float) -> None:
        if hurry.wait(seconds):
            raise Stopped

    patient = repository.waiting(pause) if repository else None
    following = asyncio.create_task(_follow(derivation, patient, ended))
    try:
        yield
    finally:
        ended.set()
        hurry.set()
        await following


async def _follow(derivation: Derivation, repository: Repository | None, ended: asyncio.Event) -> None:
    there: set[str] = set()
    while not ended.is_set():
        try:
            await derivation.advance(ended)
            if repository and (closed := derivation.closed()) and not ended.is_set():
                files, shown = {shard.name: shard.path for shard in closed}, derivation.shown
                summary = derivation.summary() | {"status": "running"}
                await asyncio.to_thread(push_dataset, repository, files, summary, shown[True], shown[False], set(there))
                there |= set(files)
        except OSError as error:
            derivation.restart()
            print(f"the dataset is written at the end of the run: {error}", file=sys.stderr)
            return
        except Stopped:  # while it waited for another try
            return
        except SqlRlError as error:
            print(f"publishing waits for the end of the run: {error}", file=sys.stderr)
            return
        with suppress(TimeoutError):
            await asyncio.wait_for(ended.wait(), LOOK)
