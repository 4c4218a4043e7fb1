"""The dataset that a run leaves: distilled rows in one fixed Arrow schema, as parquet files.

data/train-*.parquet      the kept rows: accepted, and without --remove-no-valid also the answered ones that are not
rejected/train-*.parquet  all other rows
"""

from typing import Any

from sql_rl.arrow import pa
from sql_rl.distill.settle import Outcome
from sql_rl.prompts import completion

MESSAGE = pa.struct([("role", pa.string()), ("content", pa.string())])
DISTILLED = pa.schema(
    [
        ("messages", pa.list_(MESSAGE)),  # system, user, assistant: the chat format of TRL
        ("generation", pa.string()),  # the completion as the teacher wrote it
        ("reasoning", pa.string()),  # its parsed reasoning
        ("answer_sql", pa.string()),  # its parsed query; the source's own `sql` column is the gold
        ("verdict", pa.string()),  # the judge's; null where the run did not validate
        ("reason", pa.string()),  # why the row is not accepted; null if it is
        ("attempts", pa.int32()),  # answers asked for
        ("model_name", pa.string()),
        ("finish_reason", pa.string()),
        ("prompt_tokens", pa.int64()),  # of all attempts together, as are the next two
        ("completion_tokens", pa.int64()),
        ("cost_usd", pa.float64()),  # null where no price is known
        ("hint", pa.bool_()),  # was the gold shown to the teacher?
    ]
)


def schema(source: pa.Schema) -> pa.Schema:
    """The source's columns as they are, then the distilled ones; a source column in their way gets `source_`."""
    return pa.schema([pa.field(_kept_name(f.name), f.type) for f in source] + list(DISTILLED))


_TAKEN = frozenset(DISTILLED.names)


def _kept_name(name: str) -> str:
    return f"source_{name}" if name in _TAKEN else name


def row(outcome: Outcome, cost: float | None) -> dict[str, Any]:
    """The distilled row of an outcome, its keys those of `schema`. cost: dollars for all attempts."""
    taken = outcome.taken
    answer = taken.answer if taken else None
    reply = taken.completion if taken else None
    paid = [a.completion for a in outcome.attempts if a.completion is not None]
    assistant = (
        [{"role": "assistant", "content": completion(answer.reasoning, answer.sql)}] if answer and answer.sql else []
    )
    return {
        **{_kept_name(name): value for name, value in outcome.example.source.items()},
        "messages": [*outcome.prompt, *assistant],
        "generation": reply.text if reply else None,
        "reasoning": answer.reasoning if answer else None,
        "answer_sql": answer.sql if answer else None,
        "verdict": outcome.verdict.value if outcome.verdict else None,
        "reason": outcome.reason or None,
        "attempts": len(outcome.attempts),
        "model_name": reply.model if reply else None,
        "finish_reason": reply.finish_reason if reply else None,
        "prompt_tokens": sum(c.prompt_tokens for c in paid),
        "completion_tokens": sum(c.completion_tokens for c in paid),
        "cost_usd": cost,
        "hint": taken is not None and taken.hint,
    }


def kept(outcome: Outcome, only_accepted: bool) -> bool:
    """Does the row go to data/? Rows without a query never do: there is nothing to learn from them."""
    answered = outcome.taken is not None and outcome.taken.answer.sql is not None
    return outcome.accepted or (answered and not only_accepted)
