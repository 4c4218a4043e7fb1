"""The settings of every job, as frozen dataclasses: what there is, its default, its bounds and its unit.

Each field is `Annotated[type, bounds…, "unit; what it is for"]`. The bounds are annotated-types, enforced when
`configure.py` loads the layers; the text becomes the comment in template.config.yaml. Only the standard library
and annotated-types are imported here, since judge workers and `--help` load this module.
"""

from dataclasses import dataclass, field
from typing import Annotated, Literal

from annotated_types import Ge, Gt, Le


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgeSettings:
    """Is this query right? Budgets are for one query on one database unless they say otherwise."""

    variants: Annotated[int, Ge(0), Le(64), "databases; generated beside the given one to tell near misses apart"] = 8
    seed: Annotated[int, Ge(0), "the variants are drawn from it; same seed, same verdicts"] = 0
    steps: Annotated[int, Ge(1000), "SQLite virtual-machine steps; the same on slow and fast machines"] = 20_000_000
    seconds: Annotated[float, Gt(0), "seconds; wall clock for one whole judgement, beside the step budget"] = 5.0
    memory_mb: Annotated[int, Ge(16), Le(384), "MB; SQLite's hard heap limit in a worker"] = 256
    max_rows: Annotated[int, Ge(1), "rows; a gold result larger than this is not judged"] = 100_000
    column_order: Annotated[Literal["any", "given"], "may the columns stand in another order than the gold's?"] = "any"
    now: Annotated[str, "ISO date and time; what NOW() and CURRENT_DATE return, so verdicts do not age"] = (
        "2024-06-01 12:00:00"
    )
    workers: Annotated[int, Ge(0), "processes; 0 is one for each core"] = 0
    cache_mb: Annotated[int, Ge(1), "MB; built databases and gold results kept in each worker"] = 64


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
    batch_size: Annotated[int, Ge(1), Le(4096), "requests in flight at once; a sliding window, no barrier"] = 8
    rpm: Annotated[int | None, Ge(1), "requests in any minute at most; null sets no limit of ours"] = None
    tpm: Annotated[int | None, Ge(1), "tokens in any minute at most; null sets no limit of ours"] = None
    service_tier: Annotated[str | None, "sent with each request to providers that have tiers (flex, priority)"] = None
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
    publish: Annotated[bool, "push the dataset to the Hub when the run has ended"] = False
    publish_repo_id: Annotated[str | None, "Hub id to publish to"] = None
    private_repo: Annotated[bool, "make the published repository private"] = False
    use_ray: Annotated[bool, "spread the run over a Ray cluster"] = False
    grace: Annotated[float, Ge(0), "seconds; how long in-flight requests may finish after SIGTERM or Ctrl-C"] = 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditSettings:
    """One run of `audit`: which golds are looked at, and where the findings go."""

    dataset_repo_id: Annotated[str, "what is audited: like distill's"] = "gretelai/synthetic_text_to_sql"
    split: Annotated[str, "which split of the dataset"] = "train"
    limit: Annotated[int | None, Ge(1), "rows; the first so many of the split, null takes all"] = None
    output_dir: Annotated[str | None, "the folder of the findings; null derives outputs/audit-<dataset>"] = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainSettings:
    """One run of `train`. MODEL, REPO_ID and PUBLISH_REPO_ID in .train or the environment win over this section."""

    model: Annotated[str, "the student: a Hub id or a folder"] = "unsloth/gemma-3-1b-it"
    dataset_repo_id: Annotated[str, "what it learns from: like distill's"] = "gretelai/synthetic_text_to_sql"
    publish_repo_id: Annotated[str | None, "Hub id to publish the trained student to"] = None
    private_repo: Annotated[bool, "make the published repository private"] = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Everything, as `configure.load` leaves it. Keys at the top serve teachers and students alike."""

    base_url: Annotated[str | None, "URL; an OpenAI-compatible API, null is the provider's own"] = None
    temperature: Annotated[float | None, Ge(0), Le(2), "sampling temperature; null leaves it to the model"] = 0.7
    max_tokens: Annotated[int, Ge(16), "tokens; the longest completion asked for"] = 2048
    max_seq_length: Annotated[int, Ge(64), "tokens; prompt and completion together: the model's context"] = 8192
    max_prompt_length: Annotated[
        int,
        Ge(16),
        "tokens; a longer prompt is not asked (4 characters count as one token for a remote model)",
    ] = 6144
    request_timeout: Annotated[float, Gt(0), "seconds; one request, from sending to the last byte"] = 180.0
    tensor_parallel_size: Annotated[
        int, Ge(1), "GPUs; over how many vLLM in process splits one model (that provider is not there yet)"
    ] = 1
    columns: Annotated[
        dict[str, str],
        "field: column, where a dataset names its columns otherwise (question, context, gold, id)",
    ] = field(default_factory=dict)
    distill: DistillSettings = field(default_factory=DistillSettings)
    audit: AuditSettings = field(default_factory=AuditSettings)
    judge: JudgeSettings = field(default_factory=JudgeSettings)
    train: TrainSettings = field(default_factory=TrainSettings)
