"""The offline teacher: no model at all. Its query is the row's own, its reasoning is written from that query's tree.

It costs nothing and needs no network: the first run of a new user, a cold start for SFT, and the baseline that a
real teacher has to beat.
"""

from typing import Literal, Self

from sql_rl.prompts import completion
from sql_rl.teachers.base import Completion, Refusal, Request
from sql_rl.teachers.narrate import narrate


class OfflineTeacher:
    """Writes what `narrate` makes of the gold. Refuses a row whose gold no SQL dialect can read.

    style: 'free' (prose) or 'query-plan' (numbered steps).
    """

    repeats = True

    def __init__(self, style: Literal["free", "query-plan"] = "free") -> None:
        self._style = style

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *failure: object) -> None:
        return None

    def identity(self, request: Request) -> dict[str, object]:
        return {"provider": "offline", "gold": request.example.gold, "style": self._style}

    async def ask(self, request: Request) -> Completion:
        example = request.example
        try:
            reasoning = narrate(example.question, example.context, example.gold, self._style)
        except ValueError as error:
            raise Refusal(str(error)) from error
        return Completion(
            text=completion(reasoning, example.gold), reasoning=None, finish_reason="stop", model="offline"
        )
