"""Checks before the first step: each proves one thing that would otherwise fail silently, or hours later.

The template loses nothing, the judge tells right from wrong and the rewards differ accordingly, and what the trainer
changes is what rollouts come from.
"""

from sql_rl.answers import parse
from sql_rl.errors import UsageError
from sql_rl.judge.verdict import Verdict
from sql_rl.prompts import completion
from sql_rl.settings import Settings, TrainSettings
from sql_rl.students import Student
from sql_rl.students.chat_template import check_round_trip, render_prompt
from sql_rl.train.data import Row
from sql_rl.train.jury import Jury
from sql_rl.train.plan import loads_by_name, stages, vllm_arguments
from sql_rl.train.rewards import Scored, parts

BROKEN_SQL = "SELECT nothing_of_this_name FROM nowhere_to_be_found"
SHIFT = 0.05  # added to an adapter's weights: enough to be seen in bfloat16


def check_student(student: Student, settings: Settings, row: Row, jury: Jury) -> None:
    """All of them. row: one that is trained on. Raises UsageError."""
    if settings.train.export_gguf and student.backend != "unsloth":
        raise UsageError(
            f"train.export_gguf: only Unsloth makes GGUF files, and {student.name} is trained by {student.backend}: "
            "leave it out, and convert merged/ with llama.cpp's convert_hf_to_gguf.py"
        )
    check_resampling(student, settings.train)
    check_round_trip(student.tokenizer, student.name)
    check_rewards(settings.train, row, jury)
    check_rollouts(student, settings)
    if student.kind != "full":
        check_adapter(student, row)
    check_beta(student, settings.train)


def check_rewards(settings: TrainSettings, row: Row, jury: Jury) -> None:
    """The gold of a row, a query that cannot run, and no query at all: the first has to be paid more than the rest."""
    texts = [completion("Because.", row.example.gold), completion("Because.", BROKEN_SQL), "I do not know."]
    answers = [parse(text) for text in texts]
    judged = jury.judge([(row.example, answer.sql) for answer in answers])
    if judged[0].verdict is not Verdict.MATCH:
        raise UsageError(
            f"row {row.example.row}: its own query is judged {judged[0].verdict.value} ({judged[0].reason}); "
            "set train.audit to leave such rows out"
        )
    totals = []
    for answer, judgement in zip(answers, judged, strict=True):
        scored = Scored(answer, judgement, 0.5)
        totals.append(sum(weight * (part(scored) or 0.0) for part, weight in parts(settings).values()))
    right, broken, nothing = totals
    if right <= max(broken, nothing):
        raise UsageError(
            f"train.reward_*: the right query is paid {right:g}, one that cannot run {broken:g}, none {nothing:g}: "
            "there is nothing to learn; raise reward_match"
        )


def check_beta(student: Student, settings: TrainSettings) -> None:
    """The KL term's reference is the model as TRL loads it from its place, unless an adapter is copied."""
    if not settings.beta or "grpo" not in stages(settings):
        return
    if not loads_by_name(settings.model):
        raise UsageError(
            f"train.beta: {settings.beta} compares with the student as GRPO found it, which TRL would load anew, and "
            f"cannot for {settings.model}: take beta 0"
        )
    if settings.stage == "all" and (student.backend == "unsloth" or student.kind == "full"):
        raise UsageError(
            f"train.beta: {settings.beta} compares with the student as GRPO found it, but {student.backend} would "
            "compare with the untrained model: take beta 0, or --stage sft first and its merged/ as --model of "
            "--stage grpo"
        )


def check_resampling(student: Student, settings: TrainSettings) -> None:
    """Unsloth lays out log-probabilities by the padding of their generation, so that two cannot be joined."""
    if student.backend == "unsloth" and settings.resample_groups and "grpo" in stages(settings):
        raise UsageError(
            f"train.resample_groups: {settings.resample_groups} joins generations, which Unsloth's trainer cannot: "
            "take 0 (difficulty_sampling works with it), or train.backend transformers"
        )


def check_rollouts(student: Student, settings: Settings) -> None:
    """LoRA by Unsloth with vLLM rollouts that are not its own would leave them on the initial weights, silently."""
    rollouts = vllm_arguments(settings)
    if student.backend == "unsloth" and rollouts["use_vllm"] and not student.fast_inference:
        raise UsageError(
            "train.use_vllm: Unsloth's adapter reaches vLLM only in process (fast_inference); "
            "take train.use_vllm never, or colocate"
        )


def check_adapter(student: Student, row: Row) -> None:
    """Changing the adapter has to change what rollouts come from; otherwise they stay on the initial weights.

    Seen in the logits behind a prompt; where vLLM has the weights (fast_inference), in what it writes.
    """
    import torch

    adapter = [p for name, p in student.model.named_parameters() if p.requires_grad and "lora_B" in name]
    with torch.no_grad():
        before = _seen(student, row)
        kept = [parameter.clone() for parameter in adapter]
        for parameter in adapter:
            parameter.add_(SHIFT)
        after = _seen(student, row)
        for parameter, value in zip(adapter, kept, strict=True):
            parameter.copy_(value)
    if before == after:
        raise UsageError(
            f"{student.name}: changing its adapter ({len(adapter)} matrices) changes nothing in its rollouts: name "
            "modules that the model has in train.lora_targets, or take train.use_vllm never"
        )


def _seen(student: Student, row: Row) -> str | list[float]:
    """What the weights make of a prompt."""
    if student.fast_inference:
        return student.generate([row.prompt], max_tokens=16)[0].text
    prompt = render_prompt(student.tokenizer, row.prompt)
    ids = student.tokenizer(prompt, add_special_tokens=False, return_tensors="pt")["input_ids"]
    device = next(student.model.parameters()).device
    return student.model(ids.to(device)).logits[0, -1].tolist()
