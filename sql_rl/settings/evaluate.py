"""The settings of `evaluate`."""

from dataclasses import dataclass
from typing import Annotated, Literal

from annotated_types import Ge, Gt, Le


@dataclass(frozen=True, slots=True, kw_only=True)
class EvaluateSettings:
    """One run of `evaluate`: which questions, who answers them, and where it goes."""

    benchmark: Annotated[
        str | None, "a folder in Spider's or BIRD's layout, or rows: a file, a folder saved by datasets, a Hub id"
    ] = None
    split: Annotated[str | None, "of rows: which split; null is train of what lies here, test of a Hub id"] = None
    limit: Annotated[int | None, Ge(1), "questions; the first so many of the benchmark, null takes all"] = None
    predictions: Annotated[str | None, "a file of queries to measure, instead of a model (docs/evaluation.md)"] = None
    model: Annotated[str | None, "the model's name at its provider; of a local one a folder, a file or a Hub id"] = None
    provider: Annotated[
        Literal["openai", "vllm", "groq", "huggingface", "local"],
        "who answers; local runs the model here with transformers, vllm on a GPU",
    ] = "openai"
    temperature: Annotated[
        float | None, Ge(0), Le(2), "of the answer that is measured; 0 is greedy, null leaves it to the model"
    ] = 0.0
    samples: Annotated[int, Ge(0), Le(1024), "further answers to each question, drawn for pass@k and vote@n"] = 0
    sample_temperature: Annotated[float, Gt(0), Le(2), "of those further answers"] = 0.8
    reasoning_style: Annotated[Literal["free", "query-plan"], "how the model is asked to reason, as in distill"] = (
        "free"
    )
    templates: Annotated[str | None, "a folder with prompt templates of your own; null uses the bundled ones"] = None
    batch_size: Annotated[int, Ge(1), Le(65_536), "requests in flight; prompts in a batch of a local model"] = 16
    rpm: Annotated[int | None, Ge(1), "requests in any minute at most; null sets no limit of ours"] = None
    tpm: Annotated[int | None, Ge(1), "tokens in any minute at most; null sets no limit of ours"] = None
    service_tier: Annotated[str | None, "sent with each request to providers that have tiers (flex, priority)"] = None
    max_cost: Annotated[
        float | None, Gt(0), "dollars; nothing is asked that could take the run's cost over it; null sets no cap"
    ] = None
    prices: Annotated[str | None, "a YAML file of prices, in the form of sql_rl/teachers/prices.yaml"] = None
    compare: Annotated[str | None, "the folder of another run of evaluate, to be compared with"] = None
    output_dir: Annotated[
        str | None, "the run's folder; null derives outputs/evaluate-<benchmark>-<model or predictions>"
    ] = None
    resume: Annotated[bool, "carry on from the journal in output_dir; false starts anew and keeps the old one"] = True
    grace: Annotated[float, Ge(0), "seconds; how long requests in flight may finish after SIGTERM or Ctrl-C"] = 30.0
