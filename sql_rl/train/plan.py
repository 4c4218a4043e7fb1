"""The plan of a run: what the settings come to, as the arguments of TRL's trainers, before anything heavy is loaded.

Every hyper-parameter is stated, so that the same values reach TRL on every backend, whatever the defaults of TRL,
transformers or Unsloth are. What cannot work is refused here, with both numbers. Pure: settings in, values out.
"""

import math
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from sql_rl.errors import UsageError
from sql_rl.runs.folder import default_folder
from sql_rl.settings import Settings, TrainSettings
from sql_rl.students import StudentSpec
from sql_rl.students.micro import NAMES as MICRO
from sql_rl.students.student import LORA_TARGETS

Stage = Literal["sft", "grpo"]
SHARED = {  # what a run decides by itself
    "disable_tqdm": True,
    "eval_strategy": "no",  # TRL's evaluation samples; ours is greedy (evaluation.py)
    "logging_strategy": "steps",
    "logging_steps": 1,
    "save_strategy": "steps",
    "dataloader_num_workers": 0,
    "dataloader_drop_last": False,
    "remove_unused_columns": False,
    "push_to_hub": False,
    "log_level": "error",
}


@dataclass(frozen=True, slots=True)
class Batches:
    """The arithmetic of GRPO's batches.

    completions: of one generation, on all devices. groups: different questions in it. repeats: forward passes and
    iterations that share it. optimizer_steps: that it lasts for, may be below 1.
    """

    completions: int
    groups: int
    repeats: int
    optimizer_steps: float

    @property
    def stride(self) -> int:
        """Optimizer steps between two at which a generation has just been used up: only there is a resume exact."""
        return max(1, math.ceil(self.optimizer_steps))


def world_size() -> int:
    """Processes of this run: `accelerate launch` states them in WORLD_SIZE."""
    return int(os.environ.get("WORLD_SIZE", "1"))


def is_main_process() -> bool:
    return int(os.environ.get("RANK", "0")) == 0


def stages(settings: TrainSettings) -> tuple[Stage, ...]:
    return ("sft", "grpo") if settings.stage == "all" else (settings.stage,)


def folder_of(settings: TrainSettings) -> Path:
    if settings.output_dir:
        return Path(settings.output_dir)
    return default_folder("train", settings.dataset_repo_id, settings.model)


def batches(settings: TrainSettings, processes: int) -> Batches:
    """Raises UsageError where groups do not fit a generation, or generations do not fit the optimizer steps."""
    o = settings
    shared = o.steps_per_generation or o.gradient_accumulation_steps
    completions = o.batch_size * processes * shared
    if completions % o.num_generations:
        raise UsageError(
            f"train.num_generations: {o.num_generations} does not divide the {completions} completions of a generation "
            f"(batch_size {o.batch_size} x {processes} processes x {shared} forward passes); "
            f"take {_nearest_divisor(completions, o.num_generations)}, or another batch_size"
        )
    repeats = shared * o.num_iterations
    steps = repeats / o.gradient_accumulation_steps
    if repeats % o.gradient_accumulation_steps and o.gradient_accumulation_steps % repeats:
        raise UsageError(
            f"train.gradient_accumulation_steps: {o.gradient_accumulation_steps} and the {repeats} forward passes of a "
            f"generation (steps_per_generation {shared} x num_iterations {o.num_iterations}): "
            "one has to be a multiple of the other"
        )
    found = Batches(completions, completions // o.num_generations, repeats, steps)
    for name, value in (("save_steps", o.save_steps), ("eval_steps", o.eval_steps)):
        if value % found.stride:
            raise UsageError(
                f"train.{name}: {value} is not a multiple of the {found.stride} steps that a generation lasts: "
                f"the run could not be carried on exactly; take {math.ceil(value / found.stride) * found.stride}"
            )
    return found


def _nearest_divisor(number: int, wanted: int) -> int:
    return min((d for d in range(2, number + 1) if number % d == 0), key=lambda d: abs(d - wanted), default=2)


def check(settings: Settings) -> None:
    """Everything that settings alone can tell. Raises UsageError for what cannot work, with both numbers."""
    o = settings.train
    if sharded := _sharded():
        raise UsageError(
            f"accelerate: with {sharded} no process has whole weights, which evaluations and exports need: take "
            "docs/accelerate/deepspeed-zero2.yaml or ddp.yaml"
        )
    if "grpo" in stages(o):
        batches(o, world_size())
        longest = settings.max_prompt_length + o.max_completion_length
        if longest > settings.max_seq_length:
            raise UsageError(
                f"train.max_completion_length: {o.max_completion_length} and max_prompt_length "
                f"{settings.max_prompt_length} are {longest} tokens, but max_seq_length is {settings.max_seq_length}"
            )
        if o.reward_match <= max(o.reward_lucky, o.reward_mismatch, o.reward_failed):
            raise UsageError(
                f"train.reward_match: {o.reward_match} must be above what is paid for the rest: "
                f"lucky {o.reward_lucky}, mismatch {o.reward_mismatch}, failed {o.reward_failed}"
            )
        if o.resample_groups and world_size() > 1:
            raise UsageError(
                f"train.resample_groups: {o.resample_groups} needs one process, there are {world_size()}: the groups "
                "of a generation are spread over them; take 0, difficulty_sampling works with several"
            )
    if o.use_vllm == "server" and not o.vllm_server_base_url:
        raise UsageError("train.use_vllm: server needs train.vllm_server_base_url, the address of `trl vllm-serve`")
    if o.use_vllm in ("colocate", "server") and not loads_by_name(o.model):
        raise UsageError(f"train.use_vllm: {o.use_vllm}: vLLM cannot load {o.model}: take auto or never")
    parts, processes = settings.tensor_parallel_size, world_size()
    if "grpo" in stages(o) and processes % parts and vllm_arguments(settings).get("vllm_mode") == "colocate":
        raise UsageError(
            f"tensor_parallel_size: {parts} does not divide the {processes} processes that vLLM's rollouts are spread "
            "over: take 1 for train"
        )
    if o.full_finetuning and o.load_in_4bit:
        raise UsageError("train.full_finetuning: weights in 4 bits (train.load_in_4bit) cannot be trained; take one")
    if o.sft_stop_at and not (o.sft_eval_steps and o.eval_rows):
        raise UsageError(
            f"train.sft_stop_at: {o.sft_stop_at} would never be seen: SFT watches {o.eval_rows} rows every "
            f"{o.sft_eval_steps} steps; set train.eval_rows and train.sft_eval_steps"
        )
    if o.sft_stop_at and world_size() > 1:
        raise UsageError(
            f"train.sft_stop_at: {o.sft_stop_at} is watched by one process, and there are {world_size()}, which it "
            "would leave behind: take sft_max_steps"
        )
    if o.report_to != "none" and not _installed(o.report_to):
        raise UsageError(f"train.report_to: {o.report_to} is not installed: `uv pip install {o.report_to}`")


def _sharded() -> str:
    """How `accelerate launch` shards the weights, by the variables that it sets; '' where it does not."""
    if os.environ.get("ACCELERATE_USE_FSDP") == "true":
        return "FSDP"
    return "ZeRO-3" if os.environ.get("ACCELERATE_DEEPSPEED_ZERO_STAGE") == "3" else ""


def _installed(name: str) -> bool:
    from importlib.util import find_spec

    return find_spec(name) is not None


def student_spec(settings: Settings, fast_inference: bool) -> StudentSpec:
    o = settings.train
    return StudentSpec(
        model=o.model,
        max_seq_length=settings.max_seq_length,
        load_in_4bit=o.load_in_4bit,
        full_finetuning=o.full_finetuning,
        lora_rank=o.lora_rank,
        lora_alpha=o.lora_alpha,
        lora_dropout=o.lora_dropout,
        lora_targets=tuple(o.lora_targets or LORA_TARGETS),
        fast_inference=fast_inference,
        gpu_memory_utilization=o.gpu_memory_utilization,
        seed=o.seed,
        backend=o.backend,
    )


def sft_arguments(
    settings: Settings, folder: Path, rows: int, forced: dict[str, Any], chunked: bool = True
) -> dict[str, Any]:
    """The arguments of SFTConfig. rows: with an answer to imitate. forced: what the student leaves no choice about.

    chunked: logits are made of the answers' tokens only, a piece at a time. The loss is the same; of a vocabulary of
    262,144 the logits of whole rows are most of the work and of the memory.
    """
    o = settings.train
    steps = o.max_steps or o.sft_max_steps
    accumulated = o.sft_gradient_accumulation_steps or o.gradient_accumulation_steps
    per_step = o.batch_size * accumulated * world_size()
    return {
        **_optimisation(o, folder, o.learning_rate or o.sft_learning_rate),
        "gradient_accumulation_steps": accumulated,
        "max_steps": steps or max(1, math.ceil(rows / per_step * o.num_train_sft_epochs)),
        "max_length": None,  # rows that are too long were left out, none is cut
        "completion_only_loss": True,
        "packing": False,
        "padding_free": False,
        "loss_type": "chunked_nll" if chunked and "lm_head" not in (o.lora_targets or ()) else "nll",
        "shuffle_dataset": False,  # the trainer's own sampler shuffles
        **forced,
    }


def grpo_steps(settings: TrainSettings, rows: int) -> int:
    """Optimizer steps of GRPO over so many questions."""
    found = batches(settings, world_size())
    by_epochs = math.ceil(rows / found.groups * settings.num_train_grpo_epochs) * found.optimizer_steps
    return settings.max_steps or settings.grpo_max_steps or max(1, round(by_epochs))


def grpo_arguments(
    settings: Settings, folder: Path, rows: int, weights: list[float], forced: dict[str, Any]
) -> dict[str, Any]:
    """The arguments of GRPOConfig. rows: questions. weights: of the reward's parts."""
    o = settings.train
    return {
        **_optimisation(o, folder, o.learning_rate or o.grpo_learning_rate),
        "max_steps": grpo_steps(o, rows),
        "num_generations": o.num_generations,
        "steps_per_generation": o.steps_per_generation or o.gradient_accumulation_steps,
        "num_iterations": o.num_iterations,
        "max_completion_length": o.max_completion_length,
        "temperature": o.temperature,
        "top_p": o.top_p,
        "top_k": o.top_k,
        "min_p": None,
        "repetition_penalty": 1.0,
        "loss_type": o.loss_type,
        "beta": o.beta,
        "epsilon": o.epsilon,
        "epsilon_high": o.epsilon_high,
        "scale_rewards": o.scale_rewards,
        "importance_sampling_level": o.importance_sampling_level,
        "mask_truncated_completions": o.mask_truncated_completions,
        "reward_weights": weights,
        "multi_objective_aggregation": "sum_then_normalize",
        "disable_dropout": False,
        "shuffle_dataset": False,  # our sampler has the order
        "log_completions": False,  # samples.jsonl has them with their verdicts
        "vllm_importance_sampling_correction": True,
        "use_liger_kernel": False,
        **vllm_arguments(settings),
        **forced,
    }


def vllm_arguments(settings: Settings) -> dict[str, Any]:
    """Where rollouts come from. `auto`: a server where its address is given, in process with a CUDA GPU and vLLM."""
    o = settings.train
    where = o.use_vllm
    if where == "auto":
        here = loads_by_name(o.model) and _installed("vllm") and _cuda()
        where = "server" if o.vllm_server_base_url and loads_by_name(o.model) else "colocate" if here else "never"
    if where == "never":
        return {"use_vllm": False}
    if where == "server":
        return {"use_vllm": True, "vllm_mode": "server", "vllm_server_base_url": o.vllm_server_base_url}
    return {
        "use_vllm": True,
        "vllm_mode": "colocate",
        "vllm_gpu_memory_utilization": o.gpu_memory_utilization,
        "vllm_tensor_parallel_size": settings.tensor_parallel_size,
        "vllm_max_model_length": settings.max_seq_length,
    }


def loads_by_name(model: str) -> bool:
    """Whether TRL and vLLM can load the model anew by its name or folder: `micro` has none, a GGUF file is neither."""
    return model not in MICRO and not model.endswith(".gguf")


def rolls_out_inside(settings: Settings) -> bool:
    """Whether a student of Unsloth's is to have vLLM inside, which it has for adapters only."""
    o = settings.train
    inside = "grpo" in stages(o) and vllm_arguments(settings).get("vllm_mode") == "colocate"
    return inside and not (o.use_vllm == "auto" and o.full_finetuning)


def _cuda() -> bool:
    import torch

    return torch.cuda.is_available()


def _optimisation(o: TrainSettings, folder: Path, learning_rate: float) -> dict[str, Any]:
    return SHARED | {
        "output_dir": str(folder),
        "seed": o.seed,
        "data_seed": o.seed,
        "learning_rate": learning_rate,
        "per_device_train_batch_size": o.batch_size,
        "gradient_accumulation_steps": o.gradient_accumulation_steps,
        "optim": o.optim,
        "adam_beta1": o.adam_beta1,
        "adam_beta2": o.adam_beta2,
        "adam_epsilon": 1e-8,
        "weight_decay": o.weight_decay,
        "max_grad_norm": o.max_grad_norm,
        "warmup_steps": o.warmup_ratio,  # below 1 it is a share of the steps
        "lr_scheduler_type": o.lr_scheduler_type,
        "gradient_checkpointing": o.gradient_checkpointing,
        "save_steps": o.save_steps,
        "save_total_limit": o.save_total_limit,
        "report_to": o.report_to,
        "run_name": folder.parent.name,
    }
