"""A trained student as a repository on the Hub: merged weights at the top, the adapter beside them, curves and card."""

import json
from pathlib import Path
from typing import Any

from sql_rl.errors import UsageError
from sql_rl.publish.curves import pictures
from sql_rl.publish.model_card import model_card, public
from sql_rl.publish.repository import CARD, Repository
from sql_rl.runs.folder import RunFolder

# Of an older version these would be in the way of the new ones; a person's own files are nobody's business.
OWNED = ("model*.safetensors*", "adapter/*", "curves/*")


def publish_model(folder: RunFolder, repository: Repository) -> bool:
    """Brings what a run of `train` left; False if all of it was there. Raises as Repository.push does, and UsageError
    where the weights are missing: the Hub's would go, too."""
    summary = folder.read_summary()
    metrics = _lines(folder.path / "metrics.jsonl")
    drawn = pictures(metrics)
    merged = folder.path / summary["exported"]["merged"]
    files: dict[str, Path | bytes] = _below(merged)
    if not any(name.endswith(".safetensors") for name in files):
        raise UsageError(f"{merged}: no weights (*.safetensors): run its command again")
    if summary["exported"]["trained"] == "adapter":
        files |= {f"adapter/{name}": path for name, path in _below(folder.path / "adapter").items()}
    files |= {path: picture for path, (_, picture) in drawn.items()}
    files["metrics.jsonl"] = folder.path / "metrics.jsonl"
    files["run.json"] = (json.dumps(public(summary), indent=2, ensure_ascii=False) + "\n").encode()
    base = summary["model"]["name"]
    base, licence = (base, repository.licence_of(base)) if _is_on_hub(summary) else (None, {})
    curves = [(path, curve) for path, (curve, _) in drawn.items()]
    card = model_card(summary, repository.target.repo_id, curves, licence, base)
    return repository.push(files, _title(summary), card, OWNED)


def _is_on_hub(summary: dict[str, Any]) -> bool:
    name = summary["model"]["name"]
    return summary["model"]["backend"] != "micro" and name.count("/") == 1 and not Path(name).exists()


def _below(folder: Path) -> dict[str, Path]:
    """Path in the folder -> file; without a card, which is ours to write."""
    found = {path.relative_to(folder).as_posix(): path for path in sorted(folder.rglob("*")) if path.is_file()}
    found.pop(CARD, None)
    return found


def _lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def _title(summary: dict[str, Any]) -> str:
    scores = [f"{name} {100 * e['ex']:.1f} %" for name, e in summary["evaluations"].items()]
    return " and ".join(stage.upper() for stage in summary["stages"]) + (f": EX {', '.join(scores)}" if scores else "")
