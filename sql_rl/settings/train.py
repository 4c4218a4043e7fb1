"""The settings of `train`."""

from dataclasses import dataclass
from typing import Annotated, Literal

from annotated_types import Ge, Gt, Le


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainSettings:
    """One run of `train`. MODEL, REPO_ID and PUBLISH_REPO_ID in .train or the environment win over this section."""

    model: Annotated[str, "the student: a Hub id, a folder, a .gguf file, or micro (made from scratch)"] = (
        "unsloth/gemma-3-1b-it"
    )
    dataset_repo_id: Annotated[str, "what it learns from: like distill's, and what distill writes"] = (
        "gretelai/synthetic_text_to_sql"
    )
    split: Annotated[str, "which split of the dataset"] = "train"
    limit: Annotated[int | None, Ge(1), "rows; the first so many of the split, null takes all"] = None
    eval_dataset: Annotated[
        str | None, "rows to measure on, that are not learned; null holds some back, by question and database"
    ] = None
    eval_split: Annotated[str, "which split of eval_dataset"] = "train"
    eval_rows: Annotated[
        int, Ge(0), "rows; watched during the run, they choose the best checkpoint; 0 watches nothing"
    ] = 100
    test_rows: Annotated[int, Ge(0), "rows; others than those, for the table of before and after"] = 400
    audit: Annotated[bool, "audit the golds first, and leave broken ones out"] = True
    templates: Annotated[str | None, "a folder with prompt templates of your own, for rows without messages"] = None
    publish_repo_id: Annotated[str | None, "Hub id to publish the trained student to"] = None
    private_repo: Annotated[bool, "make the published repository private"] = False
    output_dir: Annotated[str | None, "the run's folder; null derives outputs/train-<dataset>-<model>"] = None
    resume: Annotated[bool, "carry on from the last checkpoint in output_dir; false starts anew"] = True
    stage: Annotated[Literal["sft", "grpo", "all"], "imitation, reinforcement, or the one and then the other"] = "all"
    seed: Annotated[int, Ge(0), "of new weights, the order of rows, and sampling"] = 0
    backend: Annotated[
        Literal["auto", "unsloth", "transformers"],
        "who trains: auto is Unsloth with a CUDA GPU, where it is installed, else transformers and PEFT",
    ] = "auto"

    load_in_4bit: Annotated[bool, "train LoRA on weights in 4 bits (QLoRA; needs a CUDA GPU)"] = False
    full_finetuning: Annotated[bool, "train all weights, not LoRA; a micro student is always trained so"] = False
    lora_rank: Annotated[int, Ge(1), "rank of LoRA's matrices"] = 32
    lora_alpha: Annotated[int, Ge(1), "LoRA's scale; its update is multiplied by alpha / rank"] = 64
    lora_dropout: Annotated[float, Ge(0), Le(0.9), "share; dropout before LoRA's matrices"] = 0.0
    lora_targets: Annotated[list[str] | None, "modules that get LoRA; null: all of attention and feed-forward"] = None
    gradient_checkpointing: Annotated[
        bool, "recompute activations in the backward pass: less memory, slower; Unsloth does always"
    ] = False

    learning_rate: Annotated[float | None, Gt(0), "of every stage that runs; null takes the two below"] = None
    sft_learning_rate: Annotated[float, Gt(0), "learning rate of SFT"] = 2e-4
    grpo_learning_rate: Annotated[float, Gt(0), "learning rate of GRPO"] = 1e-5
    max_steps: Annotated[int | None, Ge(1), "optimizer steps of every stage that runs; null takes the epochs"] = None
    sft_max_steps: Annotated[int | None, Ge(1), "optimizer steps of SFT; null takes the epochs"] = None
    grpo_max_steps: Annotated[int | None, Ge(1), "optimizer steps of GRPO; null takes the epochs"] = None
    num_train_sft_epochs: Annotated[float, Gt(0), "passes over the rows with reasoning"] = 2.0
    num_train_grpo_epochs: Annotated[float, Gt(0), "passes over the questions, num_generations completions each"] = 1.0
    batch_size: Annotated[int, Ge(1), "rows (SFT) or completions (GRPO) in one forward pass, on each device"] = 8
    gradient_accumulation_steps: Annotated[int, Ge(1), "forward passes in one optimizer step"] = 4
    sft_gradient_accumulation_steps: Annotated[int | None, Ge(1), "the same for SFT; null takes the above"] = None
    optim: Annotated[str, "the optimizer, by the name it has in transformers"] = "adamw_torch"
    adam_beta1: Annotated[float, Ge(0), Le(1), "decay of Adam's first moment"] = 0.9
    adam_beta2: Annotated[float, Ge(0), Le(1), "decay of Adam's second moment"] = 0.99
    weight_decay: Annotated[float, Ge(0), "decoupled weight decay of AdamW"] = 0.0
    max_grad_norm: Annotated[float, Gt(0), "gradients are clipped to this norm"] = 1.0
    warmup_ratio: Annotated[float, Ge(0), Le(1), "share of the steps in which the learning rate rises"] = 0.05
    lr_scheduler_type: Annotated[
        Literal["constant_with_warmup", "linear", "cosine"], "how the learning rate goes on after that"
    ] = "constant_with_warmup"

    num_generations: Annotated[int, Ge(2), "completions; of one question, compared with one another (a group)"] = 8
    steps_per_generation: Annotated[
        int | None, Ge(1), "forward passes that share one generation; null is gradient_accumulation_steps"
    ] = None
    num_iterations: Annotated[int, Ge(1), "optimisation passes over each batch of completions"] = 1
    max_completion_length: Annotated[int, Ge(8), "tokens; the longest completion that is rolled out"] = 1024
    temperature: Annotated[float, Gt(0), Le(2), "sampling temperature of the rollouts"] = 0.8
    top_p: Annotated[float, Gt(0), Le(1), "share of probability that rollouts sample from"] = 1.0
    top_k: Annotated[int, Ge(0), "tokens that rollouts sample from; 0 is all"] = 0
    loss_type: Annotated[Literal["grpo", "bnpo", "dr_grpo", "dapo"], "how token losses are averaged (TRL)"] = "dapo"
    beta: Annotated[float, Ge(0), "weight of the KL divergence from the student as GRPO found it"] = 0.0
    epsilon: Annotated[float, Gt(0), "the probability ratio is clipped below at 1 - epsilon"] = 0.2
    epsilon_high: Annotated[float, Gt(0), "… and above at 1 + epsilon_high (DAPO's clip-higher)"] = 0.28
    scale_rewards: Annotated[
        Literal["group", "batch", "none"], "advantages are divided by the standard deviation of this"
    ] = "batch"
    importance_sampling_level: Annotated[Literal["token", "sequence"], "of the ratio; sequence is GSPO"] = "token"
    mask_truncated_completions: Annotated[bool, "cut-off completions take no part in the loss"] = False

    reward_match: Annotated[float, "for a query that is right"] = 1.0
    reward_lucky: Annotated[float, "for one that is right on the given data only"] = 0.05
    reward_mismatch: Annotated[float, "for one that runs and answers something else; partial credit is a trap"] = 0.05
    reward_failed: Annotated[float, "for one that does not run, or none at all"] = 0.0
    format_weight: Annotated[float, Ge(0), "for <think> and <sql> as asked for, beside the above"] = 0.05
    length_weight: Annotated[float, Ge(0), "penalty for a right answer of the full length; 0 leaves length alone"] = 0.0

    difficulty_sampling: Annotated[
        bool, "ask questions that are sometimes answered right more often than those that always or never are"
    ] = True
    resample_groups: Annotated[
        int, Ge(0), "rounds; in which groups whose rewards are all equal are replaced by other questions"
    ] = 0

    use_vllm: Annotated[
        Literal["auto", "colocate", "server", "never"],
        "rollouts by vLLM: auto is a server where its URL is given, in process with a CUDA GPU where it is installed",
    ] = "auto"
    vllm_server_base_url: Annotated[str | None, "URL; of `trl vllm-serve`"] = None
    gpu_memory_utilization: Annotated[
        float, Gt(0), Le(1), "share of the GPU's memory; for vLLM's rollouts in process, beside what training needs"
    ] = 0.4

    eval_steps: Annotated[int, Ge(0), "steps; of GRPO between greedy evaluations, 0 evaluates at its end only"] = 25
    sft_eval_steps: Annotated[int, Ge(0), "steps; the same for SFT"] = 0
    sft_stop_at: Annotated[
        float | None, Gt(0), Le(1), "share; SFT ends when so many watched rows are right, which leaves GRPO room"
    ] = None
    eval_batch_size: Annotated[int, Ge(1), "rows; generated together in an evaluation"] = 32
    save_steps: Annotated[int, Ge(1), "steps; between checkpoints"] = 25
    save_total_limit: Annotated[int, Ge(2), "checkpoints; kept of a stage"] = 2
    sample_rows: Annotated[int, Ge(0), "completions; of each GRPO step that are kept with their verdicts"] = 8
    export_gguf: Annotated[str | None, "quantization, such as q4_k_m; write a .gguf file too (Unsloth only)"] = None
    report_to: Annotated[Literal["none", "tensorboard", "wandb", "trackio"], "where else metrics are logged"] = "none"
