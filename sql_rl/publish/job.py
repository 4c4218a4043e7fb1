"""The job behind `publish`: the folder of a run that has ended, to the Hub."""

from dataclasses import dataclass
from pathlib import Path

from sql_rl.configure import Secrets
from sql_rl.errors import UsageError
from sql_rl.publish.access import Kind, check_write_access
from sql_rl.publish.dataset import publish_dataset
from sql_rl.publish.model import publish_model
from sql_rl.publish.repository import Repository
from sql_rl.runs.folder import RunFolder
from sql_rl.terminal.manner import Manner, narrator
from sql_rl.terminal.summary import Summary

KINDS: dict[str, Kind] = {"distill": "dataset", "train": "model"}


@dataclass(frozen=True, slots=True)
class Report:
    """Where it is. changed: False if all of it was there."""

    folder: Path
    kind: Kind
    repo_id: str
    url: str
    changed: bool


def publish(path: Path, repo_id: str | None, private: bool, secrets: Secrets, manner: Manner = "person") -> Report:
    """Publishes what `distill` or `train` left in a folder. repo_id: None takes the folder's name.

    Raises UsageError (2) for a folder that holds no such run or not all of it, RefusedError (4) where the Hub refuses,
    BusyError (75) while the run is going, SqlRlError (1) where the Hub cannot be reached.
    """
    folder = RunFolder(path)
    command = folder.read_summary().get("command")
    if command not in KINDS:
        what = f"what `{command}` left" if command else "no run.json"
        raise UsageError(f"{path}: {what}: give the output folder of a `distill` or `train` that has ended")
    with folder.held():
        target = check_write_access(repo_id or path.resolve().name, KINDS[command], private, secrets)
        repository = Repository(target, secrets, say=narrator(manner))
        push = publish_dataset if target.kind == "dataset" else publish_model
        try:
            changed = push(folder, repository)
        except KeyError as missing:
            raise UsageError(
                f"{path}: {missing} is missing in run.json, which another version wrote: run its command again"
            ) from missing
        except FileNotFoundError as missing:
            raise UsageError(f"{missing.filename}: missing; run the command that left this folder again") from missing
    return Report(path, target.kind, target.repo_id, target.url, changed)


def closing(report: Report) -> Summary:
    """What `publish` prints at its end."""
    use = f"train --dataset-repo-id {report.repo_id}"
    if report.kind == "model":
        use = f"chat --provider local --model {report.repo_id}"
    return Summary(
        title=f"{report.url}: {'published' if report.changed else 'all of it was there'}",
        content={
            "folder": str(report.folder),
            "kind": report.kind,
            "repo_id": report.repo_id,
            "url": report.url,
            "changed": report.changed,
        },
        next=f"uv run main.py {use}",
    )
