"""The model card: README.md of a trained student. Made of run.json and the curves; its text is templates/model.md."""

import dataclasses
import shlex
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from huggingface_hub import EvalResult, ModelCardData

from sql_rl.prompts import load_prompts
from sql_rl.publish.curves import Curve
from sql_rl.publish.rendering import cell, fence_for, rendered
from sql_rl.settings import TrainSettings

TAGS = ["text-to-sql", "sql", "reasoning", "sql-rl"]
_BESIDE = {
    "output_dir",
    "resume",
    "publish_repo_id",
    "private_repo",
    "report_to",
    "sample_rows",
    "save_total_limit",
    "vllm_server_base_url",
}
_STAGES = {"sft": "imitation (SFT)", "grpo": "reinforcement (GRPO) with execution as the reward"}
_TRAINERS = {"sft": ["sft", "trl"], "grpo": ["grpo", "trl"]}


def model_card(
    summary: Mapping[str, Any],
    repo_id: str,
    curves: Sequence[tuple[str, Curve]],
    licence: Mapping[str, Any],
    base: str | None,
) -> str:
    """The card's text. summary: run.json of `train`. curves: path of each picture, and what it shows.

    licence: the base model's, as Repository.licence_of gives it. base: its Hub id, None if it has none.
    """
    options, source, model = summary["settings"]["train"], summary["source"], summary["model"]
    templates = Path(options["templates"]) if options["templates"] else None
    system = load_prompts(folder=templates if templates and templates.is_dir() else None).system
    evaluations = summary["evaluations"]
    dataset = source["title"] if source["on_hub"] else None
    return rendered(
        "model.md",
        metadata=_metadata(summary, repo_id, licence, base, dataset),
        title=repo_id.partition("/")[2],
        scratch=model["backend"] == "micro",
        base=f"[{base}](https://huggingface.co/{base})" if base else f"`{Path(model['name']).name}`",
        stages=", then ".join(_STAGES[stage] for stage in summary["stages"]),
        dataset=f"[{dataset}](https://huggingface.co/datasets/{dataset})" if dataset else f"`{source['title']}`",
        parameters=f"{model['parameters']:,}",
        trained=f"{model['trained_parameters']:,}",
        kind={"lora": "LoRA", "qlora": "QLoRA", "full": "all weights"}[model["kind"]],
        licence=_said(licence, scratch=model["backend"] == "micro"),
        evaluations=[(n, _percent(e["ex"]), *map(_percent, e["ci95"])) for n, e in evaluations.items()],
        test_rows=next(iter(evaluations.values()))["rows"] if evaluations else 0,
        differences=[
            f"{d['from']} to {d['to']}: {100 * d['difference']:+.1f} points, paired 95 % interval "
            f"{100 * d['ci95'][0]:+.1f} to {100 * d['ci95'][1]:+.1f}"
            for d in summary["differences"]
        ],
        repo_id=repo_id,
        system=system.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n"),
        system_text=system,
        fence=fence_for(system),
        max_new_tokens=options["max_completion_length"],
        adapter=summary["exported"]["trained"] == "adapter",
        rows=summary["rows"],
        curves=curves,
        command=command(summary, base),
        settings=list(_stated(summary)),
    )


def public(summary: Mapping[str, Any]) -> dict[str, Any]:
    """run.json as others may read it: of paths on this machine the last part, and no address."""
    options = dict(summary["settings"]["train"])
    del options["output_dir"], options["vllm_server_base_url"]
    for name in ("model", "dataset_repo_id", "eval_dataset", "templates"):
        options[name] = _without_folders(options[name])
    model = {**summary["model"], "name": _without_folders(summary["model"]["name"])}
    return {**summary, "model": model, "settings": {**summary["settings"], "train": options}}


def command(summary: Mapping[str, Any], base: str | None) -> str:
    """The command that does the same: what differs from the defaults, as flags and variables."""
    options, variables = summary["settings"]["train"], []
    flags = [f"--model {shlex.quote(base or _without_folders(options['model']))}"]
    flags.append(f"--dataset-repo-id {shlex.quote(summary['source']['title'])}")
    for key in dataclasses.fields(TrainSettings):
        value = options.get(key.name, key.default)
        if key.name in _BESIDE or key.name in ("model", "dataset_repo_id") or value == key.default:
            continue
        variables.append(f"SQL_RL_TRAIN_{key.name.upper()}={shlex.quote(str(_without_folders(value)))}")
    return " ".join([*variables, "uv run main.py train", *flags])


def _metadata(
    summary: Mapping[str, Any], repo_id: str, licence: Mapping[str, Any], base: str | None, dataset: str | None
) -> str:
    evaluations = summary["evaluations"]
    last = evaluations[list(evaluations)[-1]] if evaluations else None
    result = last and EvalResult(
        task_type="text-generation",
        task_name="Text to SQL",
        dataset_type=dataset or "held-out",
        dataset_name=f"{summary['source']['title']}, {last['rows']} held-out rows",
        metric_type="execution_accuracy",
        metric_name="EX, greedy",
        metric_value=round(100 * last["ex"], 2),
    )
    content = ModelCardData(
        model_name=repo_id.partition("/")[2],
        **licence,
        language="en",
        library_name="transformers",
        pipeline_tag="text-generation",
        base_model=base,
        datasets=[dataset] if dataset else None,
        tags=[*TAGS, *dict.fromkeys(tag for stage in summary["stages"] for tag in _TRAINERS[stage])],
        eval_results=[result] if result else None,
    )
    return f"---\n{content.to_yaml()}\n---"


def _said(licence: Mapping[str, Any], scratch: bool) -> str:
    if not licence:
        return f"unknown: see {'' if scratch else 'the base model and '}the dataset"
    stated = licence["license"]
    name = licence.get("license_name") or (", ".join(stated) if isinstance(stated, list) else stated)
    return f"[{name}]({licence['license_link']})" if "license_link" in licence else name


def _stated(summary: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Every setting of the run that decided something."""
    settings = summary["settings"]
    for name, value in settings["train"].items():
        if name not in _BESIDE:
            yield name, cell(_without_folders(value))
    yield from ((name, cell(settings[name])) for name in ("max_prompt_length", "max_seq_length"))
    yield from ((f"judge.{name}", cell(settings["judge"][name])) for name in ("variants", "seed", "now"))
    yield "sql-rl", settings["version"]


def _without_folders(value: Any) -> Any:
    """A path's last part; a Hub id (OWNER/NAME that is no path here) and whatever is no text stay as they are."""
    if not isinstance(value, str) or "/" not in value:
        return value
    is_path = value.count("/") > 1 or value.startswith((".", "/", "~")) or Path(value).exists()
    return Path(value).name if is_path else value


def _percent(share: float) -> str:
    return f"{100 * share:.1f}"
