"""How many workers there are, what each takes of the cluster, and its share of the run's limits. Pure."""

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass

from sql_rl.errors import UsageError
from sql_rl.settings import Settings

CPUS = 4  # of a worker: one for its engine, the others for its judge; fewer where nodes are smaller


@dataclass(frozen=True, slots=True)
class Node:
    """What a node of the cluster has."""

    cpus: int
    gpus: int = 0


@dataclass(frozen=True, slots=True)
class Layout:
    """workers: how many; cpus, gpus: what each of them reserves on its node."""

    workers: int
    cpus: int
    gpus: int

    def __str__(self) -> str:
        return f"{self.cpus} CPUs" + (f", {self.gpus} GPUs" if self.gpus else "")


def layout(nodes: Sequence[Node], settings: Settings) -> Layout:
    """The workers that the settings and the cluster come to.

    ray_workers of them where that is stated; else one for every CPUS CPUs of a node, at least one on each, or, where
    the model runs in the workers (vllm), one for every tensor_parallel_size GPUs of a node. Never more than there are
    slots (batch_size) or requests and tokens a minute to share out.
    Raises UsageError where no node can hold a worker of a model.
    """
    options = settings.distill
    gpus = settings.tensor_parallel_size if options.provider == "vllm" else 0
    if gpus and not any(node.gpus >= gpus for node in nodes):
        most = max((node.gpus for node in nodes), default=0)
        raise UsageError(
            f"--use-ray: tensor_parallel_size is {gpus}, but no node of the cluster has so many GPUs (most: {most})"
        )
    wanted = options.ray_workers or sum(node.gpus // gpus if gpus else _by_cpus(node) for node in nodes)
    workers = max(1, min(wanted, *_to_share_out(settings)))

    def room(cpus: int) -> int:
        return sum(min(node.cpus // cpus, node.gpus // gpus if gpus else workers) for node in nodes)

    return Layout(workers, next((cpus for cpus in range(CPUS, 1, -1) if room(cpus) >= workers), 1), gpus)


def _by_cpus(node: Node) -> int:
    return max(1, node.cpus // CPUS) if node.cpus else 0


def _to_share_out(settings: Settings) -> list[int]:
    options = settings.distill
    return [limit for limit in (options.batch_size, options.rpm, options.tpm) if limit is not None]


def split(total: int, parts: int) -> list[int]:
    """`total` in `parts` parts that differ by at most one, the larger ones first."""
    least, more = divmod(total, parts)
    return [least + (part < more) for part in range(parts)]


def share(settings: Settings, layout: Layout, number: int) -> Settings:
    """The settings of worker `number`, from 0: its part of the limits, a judge as large as its CPUs.

    Its money is lent to it while it works (purse.py).
    """
    options = settings.distill

    def part(limit: int | None) -> int | None:
        return None if limit is None else split(limit, layout.workers)[number]

    distill = dataclasses.replace(
        options, batch_size=part(options.batch_size), rpm=part(options.rpm), tpm=part(options.tpm)
    )
    judge = dataclasses.replace(settings.judge, workers=settings.judge.workers or layout.cpus)
    return dataclasses.replace(settings, distill=distill, judge=judge)
