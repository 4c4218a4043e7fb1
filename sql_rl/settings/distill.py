"""The settings of `distill`."""

from dataclasses import dataclass
from typing import Annotated, Literal

from annotated_types import Ge, Gt, Le


@dataclass(frozen=True, slots=True, kw_only=True)
class DistillSettings:
    """One run of `distill`: which rows, which teacher, what is kept, where it goes."""

    model: Annotated[str, "the teacher's name at its provider"] = "gpt-4.1-nano"
    provider: Annotated[
        Literal["openai", "vllm", "groq", "huggingface", "offline"],
        "who answers; openai is any OpenAI-compatible server at base_url, offline needs no model",
    ] = "openai"
    dataset_repo_id: Annotated[
        str, "a Hub id, a .jsonl/.json/.csv/.parquet file, a folder saved by datasets, or `sample`"
    ] = "gretelai/synthetic_text_to_sql"
    split: Annotated[str, "which split of the dataset"] = "train"
    limit: Annotated[int | None, Ge(1), "rows; the first so many of the split, null takes all"] = 100
    batch_size: Annotated[int, Ge(1), Le(65_536), "requests in flight at once; a sliding window, no barrier"] = 8
    rpm: Annotated[int | None, Ge(1), "requests in any minute at most; null sets no limit of ours"] = None
    tpm: Annotated[int | None, Ge(1), "tokens in any minute at most; null sets no limit of ours"] = None
    service_tier: Annotated[str | None, "sent with each request to providers that have tiers (flex, priority)"] = None
    stop: Annotated[list[str] | None, "strings that end an answer; for a base model behind a server"] = None
    batch_api: Annotated[bool, "ask by the batch (OpenAI, Groq): for less, with an answer within a day"] = False
    validate: Annotated[bool, "judge each answer by execution against the row's own query"] = False
    remove_no_valid: Annotated[bool, "leave rows that are not proven out of data/; needs validate"] = False
    retries: Annotated[int, Ge(0), Le(100), "further attempts where an answer came but is no good"] = 3
    num_generations: Annotated[int, Ge(1), Le(128), "answers; fresh ones to each question, before any retry"] = 1
    select: Annotated[
        Literal["first", "vote"], "of several answers: the first good one, or the one whose result most agree on"
    ] = "first"
    show_gold: Annotated[
        Literal["never", "on-failure", "always"],
        "may the teacher see the row's own query? on-failure: as a hint on the last retry; such rows are marked",
    ] = "on-failure"
    reasoning_style: Annotated[
        Literal["free", "query-plan"], "how the teacher is asked to reason: in prose, or in the steps of a query plan"
    ] = "free"
    templates: Annotated[str | None, "a folder with prompt templates of your own; null uses the bundled ones"] = None
    target_accepted: Annotated[
        int | None, Ge(1), "rows; go on until so many are accepted; limit is then null unless it is given"
    ] = None
    max_cost: Annotated[
        float | None, Gt(0), "dollars; nothing is asked that could take the run's cost over it; null sets no cap"
    ] = None
    prices: Annotated[str | None, "a YAML file of prices, in the form of sql_rl/teachers/prices.yaml"] = None
    log_format: Annotated[Literal["plain", "json"], "of the lines on stderr where that is no terminal"] = "plain"
    seed: Annotated[int | None, "sent to the provider with each request, attempt number added; null sends none"] = None
    output_dir: Annotated[str | None, "the run's folder; null derives outputs/distill-<dataset>-<model>"] = None
    resume: Annotated[bool, "carry on from the journal in output_dir; false starts anew and keeps the old one"] = True
    shard_rows: Annotated[
        int, Ge(1), "rows; of the source in one parquet file, which is published as soon as they are settled"
    ] = 10_000
    publish: Annotated[bool, "push the dataset to the Hub, finished files while the run goes on"] = False
    publish_repo_id: Annotated[str | None, "Hub id to publish to; null is one of the folder's name"] = None
    private_repo: Annotated[bool, "make the published repository private"] = False
    use_ray: Annotated[bool, "spread the run over the Ray cluster at RAY_ADDRESS, or over one that it starts"] = False
    ray_workers: Annotated[
        int | None,
        Ge(1),
        "workers; null is one for every 4 CPUs of a node, or with vllm for every tensor_parallel_size GPUs",
    ] = None
    grace: Annotated[float, Ge(0), "seconds; how long in-flight requests may finish after SIGTERM or Ctrl-C"] = 30.0
