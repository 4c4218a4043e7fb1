"""The settings of every job, as frozen dataclasses: what there is, its default, its bounds and its unit.

Each field is `Annotated[type, bounds…, "unit; what it is for"]`. The bounds are annotated-types, enforced when
`configure.py` loads the layers; the text becomes the comment in template.config.yaml. Only the standard library
and annotated-types are imported here, since judge workers and `--help` load this module.

One file for each section; the keys here serve several jobs.
"""

from dataclasses import dataclass, field
from typing import Annotated, Literal

from annotated_types import Ge, Gt, Le

from sql_rl.settings.audit import AuditSettings
from sql_rl.settings.chat import ChatSettings
from sql_rl.settings.distill import DistillSettings
from sql_rl.settings.evaluate import EvaluateSettings
from sql_rl.settings.judge import JudgeSettings
from sql_rl.settings.train import TrainSettings

__all__ = [
    "AuditSettings",
    "ChatSettings",
    "DistillSettings",
    "EvaluateSettings",
    "JudgeSettings",
    "Settings",
    "TrainSettings",
]


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
    tensor_parallel_size: Annotated[int, Ge(1), "GPUs; over how many vLLM in process splits one model"] = 1
    gpu_memory_utilization: Annotated[
        float, Gt(0), Le(1), "share of a GPU's memory; what vLLM in process may take of it, weights and cache together"
    ] = 0.9
    dtype: Annotated[
        Literal["auto", "bfloat16", "float16", "float32"],
        "of the weights in vLLM; auto as they are stored, float16 for GPUs without bfloat16",
    ] = "auto"
    report: Annotated[bool, "write report.html when a run ends; `main.py report` makes it at any time"] = True
    columns: Annotated[
        dict[str, str],
        "field: column, where a dataset names its columns otherwise (question, context, gold, id)",
    ] = field(default_factory=dict)
    distill: DistillSettings = field(default_factory=DistillSettings)
    audit: AuditSettings = field(default_factory=AuditSettings)
    chat: ChatSettings = field(default_factory=ChatSettings)
    evaluate: EvaluateSettings = field(default_factory=EvaluateSettings)
    judge: JudgeSettings = field(default_factory=JudgeSettings)
    train: TrainSettings = field(default_factory=TrainSettings)
