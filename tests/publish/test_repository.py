"""Pushing: one commit for what differs, whatever the Hub does meanwhile; nothing is sent twice."""

import re
from pathlib import Path

import pytest

from sql_rl.configure import Secrets
from sql_rl.errors import SqlRlError
from sql_rl.publish.access import check_write_access
from sql_rl.publish.repository import Repository
from sql_rl.publish.sections import sealed
from sql_rl.testing.hub_server import Fault, HubServer

CARD = sealed("---\nlicense: mit\ntags:\n- a\n---\n\n# Rows\n\n<!-- sql-rl: one -->\nOne.\n<!-- sql-rl: end -->\n")


@pytest.fixture
def waits() -> list[float]:
    return []


@pytest.fixture
def repository(hub: HubServer, secrets: Secrets, waits: list[float]) -> Repository:
    return Repository(check_write_access("rows", "dataset", False, secrets), secrets, waits.append)


@pytest.fixture
def files(tmp_path: Path) -> dict[str, Path | bytes]:
    (tmp_path / "shard").write_bytes(b"PAR1 not really")
    return {"data/train-00000.parquet": tmp_path / "shard", "run.json": b"{}\n"}


def test_a_push_is_one_commit_and_the_second_is_none(hub: HubServer, repository: Repository, files):
    assert repository.push(files, "first", CARD)
    head = hub.repo("me/rows").head
    assert head.files["data/train-00000.parquet"] == b"PAR1 not really"
    assert head.files["README.md"].decode() == CARD
    assert not repository.push(files, "again", CARD)
    assert hub.repo("me/rows").head is head
    assert repository.push(files | {"run.json": b"[]\n"}, "changed", CARD)
    assert len(hub.uploads) == 1, "what is there is not sent again"


def test_files_of_an_older_version_go_and_those_of_others_stay(hub: HubServer, repository: Repository, files):
    hub.repo("me/rows").add("by hand", {"data/train-00009.parquet": b"old", "notes.txt": b"mine"}, [], None)
    repository.push(files, "first", CARD, owned=("data/*.parquet",))
    assert sorted(hub.repo("me/rows").head.files) == [
        ".gitattributes", "README.md", "data/train-00000.parquet", "notes.txt", "run.json",
    ]  # fmt: skip


FAULTS = {
    "a commit in between": (Fault("POST .*/commit/", 412), 1),
    "a conflict": (Fault("POST .*/commit/", 409), 1),
    "a server's trouble": (Fault("POST .*/commit/", 500, times=3), 3),
    "a connection cut before": (Fault("POST .*/commit/", 0), 1),
    "the answer lost": (Fault("POST .*/commit/", 0, after=True), 1),
    "listing fails": (Fault("GET .*/tree/", 502), 1),
    "an upload cut": (Fault("PUT /lfs/", 0), 0),  # the library itself tries these again
    "an upload fails": (Fault("PUT /lfs/", 500), 0),
    "a check fails": (Fault("POST /lfs/verify", 404), None),
}


@pytest.mark.parametrize(("fault", "tries_again"), FAULTS.values(), ids=FAULTS.keys())
def test_faults(hub: HubServer, repository: Repository, files, waits: list[float], fault: Fault, tries_again):
    hub.faults.append(Fault(**{name: getattr(fault, name) for name in Fault.__slots__}))
    if tries_again is None:
        with pytest.raises(SqlRlError, match="404"):
            repository.push(files, "first", CARD)
        repository.push(files, "first", CARD)
    else:
        repository.push(files, "first", CARD)
        assert len(waits) == tries_again
    repo = hub.repo("me/rows")
    assert [commit.title for commit in repo.commits] == ["initial commit", "first"]
    assert len(hub.uploads) == 1, "nothing that arrived is sent again"


def test_a_limit_is_kept_and_told(hub: HubServer, repository: Repository, files, waits: list[float], capsys):
    said = {"X-Error-Message": f"slow down, {hub.token}"}
    hub.faults += [Fault("POST .*/commit/", 503), Fault("POST .*/commit/", 429, {"Retry-After": "77"} | said)]
    assert repository.push(files, "first", CARD)
    assert waits[0] < 2
    assert 77 <= waits[1] <= 78
    told = capsys.readouterr().err
    assert re.fullmatch(rf"me/rows on the Hub \({hub.url}\): 429 slow down, \*\*\*; another try in 7[78] s\n", told), (
        "a short wait is not worth a word"
    )


def test_who_edits_in_between_loses_nothing(hub: HubServer, secrets: Secrets, repository: Repository, files):
    repository.push(files, "first", CARD)
    edited = CARD.replace("One.", "One, as I see it.").replace("# Rows", "# Rows\n\nMine.").encode()

    def edit(seconds: float) -> None:
        hub.repo("me/rows").add("by hand", {"README.md": edited}, [], None)

    hub.faults.append(Fault("POST .*/commit/", 412))
    repository.waiting(edit).push({"run.json": b"[]"}, "second", CARD.replace("One.", "Two."))
    assert hub.repo("me/rows").head.files["README.md"] == edited


def test_a_card_that_was_saved_with_a_byte_order_mark(hub: HubServer, repository: Repository, files):
    hub.repo("me/rows").add("by hand", {"README.md": b"\xef\xbb\xbf" + CARD.encode()}, [], None)
    repository.push(files, "first", CARD)
    assert hub.repo("me/rows").head.files["README.md"].decode() == CARD


def test_a_push_that_cannot_be_is_one_line_without_the_token(hub: HubServer, repository: Repository, files):
    hub.faults.append(Fault("POST .*/commit/", 403, {"X-Error-Message": f"no, {hub.token}"}, times=9))
    with pytest.raises(SqlRlError, match=r"me/rows on the Hub .* refused: 403 no, \*\*\*; check") as caught:
        repository.push(files, "first", CARD)
    assert caught.value.exit_code == 4
    assert not any(hub.token in line or hub.token.encode() in body for line, body in hub.requests)
