"""The settings of `chat`."""

from dataclasses import dataclass
from typing import Annotated, Literal

from annotated_types import Ge, Gt, Le


@dataclass(frozen=True, slots=True, kw_only=True)
class ChatSettings:
    """One conversation with a database: which model, which database, what is shown."""

    model: Annotated[str, "the model's name at its provider; with provider local a folder, a GGUF file or a Hub id"] = (
        "gpt-4.1-nano"
    )
    provider: Annotated[
        Literal["openai", "groq", "huggingface", "local"],
        "who answers; openai is any OpenAI-compatible server at base_url, local a student on this machine",
    ] = "openai"
    db: Annotated[
        str | None, "sqlite:///FILE, duckdb:///FILE or postgresql://…; null is an empty database in memory"
    ] = None
    run_at_once: Annotated[bool, "run each query at once, without waiting for Enter"] = False
    format: Annotated[Literal["table", "csv", "json"], "how the rows of a single question are written"] = "table"
    max_rows: Annotated[int, Ge(1), "rows of a result that are shown; /export writes all"] = 100
    seconds: Annotated[float, Gt(0), "seconds; how long a query may run"] = 60.0
    temperature: Annotated[float | None, Ge(0), Le(2), "sampling temperature; null leaves it to the model"] = 0.0
