"""How a run went on the wire: latency, window and throughput over time (distill/limits/timeline.py)."""

from collections.abc import Iterator, Mapping
from typing import Any

from sql_rl.publish.report.plots import Plot, lines


def wire_plots(summary: Mapping[str, Any]) -> Iterator[Plot]:
    """Latency and window over time, of runs that asked request by request."""
    timeline = (summary.get("wire") or {}).get("timeline")
    if not timeline or len(timeline["seconds"]) < 2:
        return

    def over_time(name: str) -> list[tuple[float, float]]:
        return list(zip(timeline["seconds"], timeline[name], strict=True))

    when = "since the command was last started"
    yield lines(
        "Latency",
        f"How long answers took on the wire, {when}.",
        "seconds",
        "seconds",
        {"mean": over_time("latency"), "longest": over_time("longest")},
    )
    yield lines(
        "Window",
        f"Requests on the wire, and how many were allowed at once, {when}.",
        "seconds",
        "requests",
        {"in flight": over_time("in_flight"), "allowed": over_time("limit")},
    )
    yield lines("Throughput", f"Answers a second, {when}.", "seconds", "answers a second", {
        "answers": over_time("answers_per_second")})  # fmt: skip
