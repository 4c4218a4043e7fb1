"""How answers came over time, for the report: few numbers, however long the run."""

from dataclasses import dataclass

MOST = 60  # buckets; when more are needed, each two become one


@dataclass(slots=True)
class _Bucket:
    answers: int = 0
    latency: float = 0.0
    longest: float = 0.0
    in_flight: int = 0
    limit: int = 0


class Timeline:
    """Answers in buckets of equal length, from the first one's sending on. Times in seconds."""

    def __init__(self) -> None:
        self._start: float | None = None
        self._length = 1.0
        self._buckets: list[_Bucket] = []

    def answered(self, sent: float, now: float, in_flight: int, limit: int) -> None:
        """An answer came now to what was sent then. in_flight, limit: of the window at this moment."""
        if self._start is None:
            self._start = sent
        while (place := int((now - self._start) / self._length)) >= MOST:
            self._fold()
        self._buckets += [_Bucket() for _ in range(place + 1 - len(self._buckets))]
        bucket = self._buckets[place]
        bucket.answers += 1
        bucket.latency += now - sent
        bucket.longest = max(bucket.longest, now - sent)
        bucket.in_flight += in_flight
        bucket.limit += limit

    def report(self) -> dict[str, list[float]]:
        """Columns, a value for each bucket in which answers came: `seconds` is its middle; latency, in_flight and
        limit are means over its answers, longest is the longest latency."""
        named = [((n + 0.5) * self._length, b) for n, b in enumerate(self._buckets) if b.answers]
        return {
            "seconds": [at for at, _ in named],
            "answers_per_second": [round(b.answers / self._length, 3) for _, b in named],
            "latency": [round(b.latency / b.answers, 3) for _, b in named],
            "longest": [round(b.longest, 3) for _, b in named],
            "in_flight": [round(b.in_flight / b.answers, 2) for _, b in named],
            "limit": [round(b.limit / b.answers, 2) for _, b in named],
        }

    def _fold(self) -> None:
        """Buckets of twice the length."""
        self._length *= 2
        pairs = [self._buckets[n : n + 2] for n in range(0, len(self._buckets), 2)]
        self._buckets = [
            _Bucket(
                sum(b.answers for b in pair),
                sum(b.latency for b in pair),
                max(b.longest for b in pair),
                sum(b.in_flight for b in pair),
                sum(b.limit for b in pair),
            )
            for pair in pairs
        ]
