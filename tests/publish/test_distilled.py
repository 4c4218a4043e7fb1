"""`distill --publish` as a user runs it, against a Hub on loopback: what is published is what the folder holds."""

import io
import json
import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from huggingface_hub import DatasetCard
from support import BROKEN, Run, asking, parts, row, wait_until, write_rows

from sql_rl.testing.chat_server import ChatServer
from sql_rl.testing.hub_server import Fault, HubServer
from sql_rl.testing.hub_store import Repo

LOAD = """
import datasets, json, sys
configs = {name: datasets.load_dataset("me/rows", name, split="train") for name in ("default", "rejected", "all")}
json.dump({name: rows.to_list() for name, rows in configs.items()}, sys.stdout)
"""
OFFLINE = ("distill", "--provider", "offline", "--validate", "--output-dir", "out", "--publish-repo-id", "me/rows")


def source_on(hub: HubServer, rows: list[dict]) -> None:
    """A dataset of someone else, under CC BY-SA."""
    file = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(rows), file)
    repo = hub.store.repos["dataset", "them/shops"] = Repo(private=False)
    card = b"---\nlicense: cc-by-sa-4.0\n---\n# Shops\n"
    repo.add("data", {"train.parquet": file.getvalue(), "README.md": card}, [], None)


def test_from_the_hub_to_the_hub_and_back(
    run: Run, hub: HubServer, hub_environ: dict[str, str], clean_environ: dict[str, str], tmp_path: Path
):
    source_on(hub, [row(0), *BROKEN, row(1)])
    options = (*OFFLINE, "--remove-no-valid", "--dataset-repo-id", "them/shops", "--private-repo")
    hub.faults += [Fault("POST .*/commit/", 412), Fault("POST .*/commit/", 429, {"Retry-After": "0"})]
    ended = run(*options, **hub_environ)
    assert ended.returncode == 0, ended.stderr
    assert f"published: {hub.url}/datasets/me/rows" in ended.stdout
    repo = hub.repo("me/rows")
    assert repo.private
    assert [commit.title for commit in repo.commits] == ["initial commit", "4 rows, 2 accepted"]

    loaded = subprocess.run(
        [sys.executable, "-c", LOAD], env=clean_environ | hub_environ, cwd=tmp_path,
        capture_output=True, text=True, timeout=120, check=True,
    )  # fmt: skip
    configs, (kept, rejected, summary) = json.loads(loaded.stdout), parts(tmp_path / "out")
    assert (configs["default"], configs["rejected"]) == (kept, rejected)
    assert [r["id"] for r in configs["all"]] == [0, 1, 90, 91]

    published = json.loads(repo.head.files["run.json"])
    assert published["funnel"] == summary["funnel"]
    assert published["settings"]["distill"]["dataset_repo_id"] == "them/shops"
    card = DatasetCard(repo.head.files["README.md"].decode())
    assert (card.data.license, card.data.source_datasets) == ("cc-by-sa-4.0", ["them/shops"])
    assert 'load_dataset("me/rows", split="train")' in card.text
    assert "uv run main.py distill --provider offline --dataset-repo-id them/shops" in card.text
    assert "**Rejected (gold_broken)**" in card.text
    everything = b"".join(repo.head.files.values()) + b"".join(line.encode() + body for line, body in hub.requests)
    for secret in (hub.token, str(tmp_path)):
        assert secret.encode() not in everything
    assert not any(hub.token in p.read_text() for p in (tmp_path / "out").iterdir() if p.is_file())

    ended = run(*options, **hub_environ)
    assert (ended.returncode, len(repo.commits)) == (0, 2), "the same again changes nothing"


def test_shards_go_up_while_the_run_goes_on_and_nothing_twice(
    run: Run, hub: HubServer, hub_environ, clean_environ, command, chat_server: ChatServer, tmp_path: Path
):
    rows = write_rows(tmp_path / "rows.jsonl", [row(i) for i in range(40)])
    chat_server.answers, chat_server.hold_after = {row(i)["sql_prompt"]: row(i)["sql"] for i in range(40)}, 24
    arguments = asking(chat_server, rows, "--publish", "--publish-repo-id", "rows", "--batch-size", 4)
    environ = hub_environ | {"SQL_RL_DISTILL_SHARD_ROWS": "10"}
    process = subprocess.Popen(command(*arguments), cwd=tmp_path, env=clean_environ | environ)
    wait_until(lambda: chat_server.held == 4)
    name = "data/train-00001.parquet"
    wait_until(lambda: name in hub.repo("me/rows").head.files)
    assert process.poll() is None, "the run is still going"
    head = hub.repo("me/rows").head.files
    assert pq.read_table(io.BytesIO(head[name]))["id"].to_pylist() == list(range(10, 20))
    assert json.loads(head["run.json"])["status"] == "running"
    assert "rows of the source are not settled" in head["README.md"].decode()
    process.kill()
    process.wait()

    chat_server.hold_after = None
    edited = head["README.md"].decode().replace("## Limits", "## Limits, as I see them") + "\nBy hand.\n"
    stale = {"data/train-00009.parquet": b"older", "README.md": edited.encode()}
    hub.repo("me/rows").add("by hand", stale, [], None)
    ended = run(*arguments, **environ)
    assert ended.returncode == 0, ended.stderr
    head = hub.repo("me/rows").head.files
    shards = [path for path in head if path.endswith(".parquet")]
    assert sorted(shards) == [*(f"data/train-{i:05d}.parquet" for i in range(4)), "rejected/train-00000.parquet"]
    assert all(head[path] == (tmp_path / "out" / path).read_bytes() for path in shards)
    assert len(set(hub.uploads)) == len(hub.uploads), "nothing was sent twice"
    card = head["README.md"].decode()
    assert "40 rows: 40 accepted" in card
    assert "## Limits, as I see them" in card
    assert card.endswith("By hand.\n")


def test_a_hub_that_fails_in_mid_run_costs_the_run_nothing(
    run: Run, hub: HubServer, hub_environ, chat_server: ChatServer, tmp_path: Path
):
    rows = write_rows(tmp_path / "rows.jsonl", [row(i) for i in range(20)])
    chat_server.delay = 0.5
    hub.faults += [Fault("POST .*/commit/", 403, times=2)]
    arguments = asking(chat_server, rows, "--publish-repo-id", "rows", "--batch-size", 4)
    ended = run(*arguments, **hub_environ, SQL_RL_DISTILL_SHARD_ROWS="5")
    assert ended.returncode == 4
    assert "publishing waits for the end of the run: me/rows on the Hub" in ended.stderr
    assert "refused: 403" in ended.stderr.splitlines()[-1]
    assert parts(tmp_path / "out")[2]["status"] == "finished"
    assert run("publish", "out", "--repo-id", "rows", **hub_environ).returncode == 0
    assert len([path for path in hub.repo("me/rows").head.files if path.startswith("data/")]) == 4
    assert chat_server.answered.total() == 20


def test_rows_that_are_lost_here_are_not_lost_there(run: Run, hub: HubServer, hub_environ, tmp_path: Path):
    rows = write_rows(tmp_path / "rows.jsonl", [row(i) for i in range(3)])
    assert run(*OFFLINE, "--dataset-repo-id", rows, **hub_environ).returncode == 0
    head, shard = hub.repo("me/rows").head, tmp_path / "out" / "data" / "train-00000.parquet"
    shard.write_bytes(shard.read_bytes()[:-100])
    for said in ("data: a file cannot be read", "data: 0 rows, but run.json counts 3"):
        ended = run("publish", "out", "--repo-id", "rows", **hub_environ)
        assert (ended.returncode, ended.stderr.count("\n")) == (2, 1), ended.stderr
        assert said in ended.stderr
        shard.unlink(missing_ok=True)
    assert hub.repo("me/rows").head is head


@pytest.mark.parametrize(("owner", "code", "said"), [("them", 4, "refused: 403"), ("me/and", 2, "is no name")])
def test_who_may_not_write_pays_for_nothing(
    run: Run, hub: HubServer, hub_environ, chat_server: ChatServer, tmp_path: Path, owner: str, code: int, said: str
):
    rows = write_rows(tmp_path / "rows.jsonl", [row(0)])
    ended = run(*asking(chat_server, rows, "--publish-repo-id", f"{owner}/rows"), **hub_environ)
    assert (ended.returncode, chat_server.seen.total()) == (code, 0)
    assert said in ended.stderr
    assert len(ended.stderr.splitlines()) == 1
