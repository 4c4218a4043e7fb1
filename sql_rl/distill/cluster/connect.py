"""The cluster: the one at RAY_ADDRESS, or one of this machine's that ends with the run."""

import asyncio
import logging
import os
import signal
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from functools import partial
from importlib.util import find_spec

from sql_rl.distill.cluster.share import Node
from sql_rl.errors import SqlRlError, UsageError

ANSWERS_WITHIN = 10.0  # seconds
JOINS_WITHIN = 60.0  # seconds
OBJECT_STORE = 256 * 2**20  # bytes of shared memory for a cluster of our own; only shards under way lie there


def check_ray() -> None:
    """Raises UsageError where --use-ray cannot work: the package is missing, or the address is a client's."""
    if find_spec("ray") is None:
        raise UsageError("--use-ray needs the package ray: install it with `uv sync --group ray`, or leave it out")
    address = os.environ.get("RAY_ADDRESS", "")
    if "://" in address:
        raise UsageError(
            f"--use-ray: RAY_ADDRESS={address} is not a cluster's own address: start the run on the cluster with "
            "`ray job submit`, or give host:port of its head"
        )


@asynccontextmanager
async def cluster(least_cpus: int) -> AsyncIterator[list[Node]]:
    """Joins the cluster at RAY_ADDRESS, or starts one here with at least so many CPUs; gives its nodes.

    Leaving it leaves the cluster, or ends the one that was started. Raises SqlRlError where it does not answer.
    """
    # Before the import: read then. Nothing of this run is reported, shown on a dashboard or mixed into our output.
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    os.environ["RAY_DEDUP_LOGS_SKIP_REGEX"] = "."  # else what it says of a dead worker is on stdout, and no option's
    # Under `uv run` each worker would get a copy of this folder, and an environment of its own made there.
    os.environ.setdefault("RAY_ENABLE_UV_RUN_RUNTIME_ENV", "0")
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
    address = os.environ.get("RAY_ADDRESS") or "local"
    own = address == "local"
    if not own and address != "auto":
        await _check_port(address)
    import ray

    logging.getLogger("ray").setLevel(logging.ERROR)
    options = {"num_cpus": max(least_cpus, os.cpu_count() or 1), "object_store_memory": OBJECT_STORE} if own else {}
    if own:
        options["include_dashboard"] = False
    join = partial(
        ray.init, address, logging_level=logging.ERROR, configure_logging=False, log_to_driver=False, **options
    )
    try:
        # In a thread, where signals are heard meanwhile. The system ends a cluster of our own with the thread that
        # started it, so that one lives as long as the loop; one that joins may hang, and is left alone then.
        await (asyncio.to_thread(join) if own else _within(JOINS_WITHIN, join))
    except Exception as error:  # Ray raises a bare one where its own processes do not start in time
        said = " ".join(str(error).split()).rstrip(".")
        if own:
            raise SqlRlError(f"--use-ray: no cluster can be started here: {said}") from error
        raise SqlRlError(
            f"--use-ray: the cluster at RAY_ADDRESS={address} cannot be joined: {said}; is it of this version of Ray, "
            "and RAY_AUTH_MODE=token set where it asks for a token?"
        ) from error
    _take_sigterm_back()
    try:
        alive = [node["Resources"] for node in ray.nodes() if node["Alive"]]
        yield [Node(int(has.get("CPU", 0)), int(has.get("GPU", 0))) for has in alive]
    finally:
        await asyncio.to_thread(ray.shutdown)


async def _within(seconds: float, function: Callable[[], object]) -> None:
    """Calls the function in a thread that nobody has to wait for. Raises TimeoutError, or what the function raises."""
    loop = asyncio.get_running_loop()
    done: asyncio.Future[None] = loop.create_future()

    def tell(error: Exception | None) -> None:
        if not done.done():
            done.set_exception(error) if error else done.set_result(None)

    def call() -> None:
        error = None
        try:
            function()
        except Exception as failure:  # noqa: BLE001 (raised again for whoever waits)
            error = failure
        with suppress(RuntimeError):  # the loop has gone on without us, to its end
            loop.call_soon_threadsafe(tell, error)

    threading.Thread(target=call, daemon=True).start()
    try:
        async with asyncio.timeout(seconds):
            await done
    except TimeoutError:
        raise TimeoutError(f"no answer in {seconds:g} s") from None


def _take_sigterm_back() -> None:
    """Ray's core sets a handler beneath Python's, which prints a stack and aborts the process three seconds later."""
    signal.signal(signal.SIGTERM, signal.getsignal(signal.SIGTERM))
    signal.siginterrupt(signal.SIGTERM, False)


async def _check_port(address: str) -> None:
    host, _, port = address.rpartition(":")
    try:
        async with asyncio.timeout(ANSWERS_WITHIN):
            _, writer = await asyncio.open_connection(host, int(port))
    except (OSError, ValueError) as error:
        why = "no answer" if isinstance(error, TimeoutError) else getattr(error, "strerror", None) or error
        raise SqlRlError(
            f"--use-ray: no cluster answers at RAY_ADDRESS={address} ({why}); without RAY_ADDRESS one is started here"
        ) from error
    writer.close()
