"""A hired worker, as its driver sees it: an actor of Ray's behind a few calls, each with an answer or `Lost`."""

import asyncio
from collections.abc import Awaitable
from pathlib import Path
from typing import TypeVar

from sql_rl.configure import Secrets
from sql_rl.distill.cluster.merge import Intake, has_ended
from sql_rl.distill.cluster.shards import Shard
from sql_rl.distill.cluster.share import Layout
from sql_rl.distill.cluster.worker import Beat, Ended, Worker
from sql_rl.distill.plan import Plan
from sql_rl.errors import SqlRlError

SILENT = 60.0  # seconds without an answer to a beat, after which a worker is lost
CLOSES_WITHIN = 15.0  # seconds
DIES_WITHIN = 5.0  # seconds

T = TypeVar("T")


class Lost(Exception):  # noqa: N818 (the worker's end, not the run's)
    """A worker is no more, or as good as that."""


class Hired:
    """One worker, from its hiring to its end. name: of its journal. place: its machine and process, once it is there.

    shards: the numbers of those it has; ended: how many it had before; spent: dollars, as its journal tells.
    """

    def __init__(self, name: str, folder: Path, layout: Layout) -> None:
        import ray

        self.name = name
        self.place = ""
        self.intake = Intake(folder / f"{name}.jsonl")
        self.shards: set[int] = set()
        self.ended = 0
        self.spent = 0.0
        # Nothing is tried again behind the driver's back.
        options = {"num_cpus": layout.cpus, "num_gpus": layout.gpus, "max_restarts": 0, "max_task_retries": 0}
        self._actor = ray.remote(Worker).options(**options).remote()
        self._where = asyncio.ensure_future(_answer(self._actor.where.remote()))
        self._where.add_done_callback(lambda where: where.cancelled() or where.exception())  # nobody may ask any more

    async def is_placed(self, within: float) -> bool:
        """Has the cluster room for it, within so many seconds? To be asked again where it has none yet."""
        if not (await asyncio.wait({self._where}, timeout=within))[0]:
            return False
        host, process = self._where.result()
        self.place = f"{host}, process {process}"
        return True

    async def open(self, run: Plan, secrets: Secrets, probe: tuple[Path, str]) -> None:
        """Raises what `Worker.open` raises, as do the calls below."""
        await _answer(self._actor.open.remote(run, secrets, self.intake.path, probe))

    async def settle(self, shard: Shard) -> Ended:
        return await _answer(self._actor.settle.remote(shard))

    async def beat(self, lent: float) -> Beat:
        """Raises Lost where it is silent for too long, too."""
        try:
            async with asyncio.timeout(SILENT):
                return await _answer(self._actor.beat.remote(lent))
        except TimeoutError:
            raise Lost(f"nothing was heard of it for {SILENT:g} s") from None

    async def close(self) -> dict[str, float | int]:
        try:
            async with asyncio.timeout(CLOSES_WITHIN):
                return await _answer(self._actor.close.remote())
        except TimeoutError:
            raise Lost(f"it did not close within {CLOSES_WITHIN:g} s") from None

    def stop(self, at_once: bool) -> None:
        """Tells it, and waits for nothing."""
        self._actor.stop.remote(at_once)

    def kill(self) -> None:
        """Whatever waits for an answer of it gets Lost."""
        import ray

        ray.kill(self._actor)

    async def killed(self) -> None:
        """Kills it, and waits a while until its process is gone: then its journal is all that there will be."""
        self.kill()
        await asyncio.to_thread(has_ended, self.intake.path, within=DIES_WITHIN)


async def _answer(reference: Awaitable[T]) -> T:
    """The result of a call. Raises the SqlRlError that it raised, or Lost where the worker did not live to answer."""
    from ray.exceptions import RayError, RayTaskError

    try:
        return await reference
    except RayTaskError as failure:
        if isinstance(failure.cause, SqlRlError):
            raise failure.cause from None
        raise
    except RayError as failure:
        raise Lost(str(failure).strip().partition("\n")[0]) from failure
