"""The journal: nothing that was finished is lost, and what it holds is found again."""

import errno
import json
import os
from pathlib import Path

import pytest

from sql_rl.distill.journal import Journal, keep_synced, key_of, retire
from sql_rl.errors import SqlRlError, UsageError
from sql_rl.runs.drive import Stop

IDENTITY = {"model": "m", "seed": None}


def opened(path: Path, **identity: object) -> Journal:
    return Journal(path, IDENTITY | identity, window=1, on_full=lambda: None)


def test_what_was_added_is_found_by_this_and_by_the_next(tmp_path: Path):
    path = tmp_path / "journal.jsonl"
    long = "ä'\n" * 10_000
    with opened(path) as journal:
        journal.add("completion", key_of({"a": 1}), {"text": long})
        journal.add("judgement", key_of({"a": 1}), {"verdict": "match"})
        assert journal.get("completion", key_of({"a": 1}))["text"] == long
    with opened(path) as journal:
        assert len(journal) == 2
        assert journal.get("completion", key_of({"a": 1}))["text"] == long
        assert journal.get("judgement", key_of({"a": 1}))["verdict"] == "match"
        assert journal.get("completion", key_of({"a": 2})) is None


def test_every_line_is_json_with_kind_and_key(tmp_path: Path):
    path = tmp_path / "journal.jsonl"
    with opened(path) as journal:
        journal.add("refusal", key_of({}), {"message": "no"})
    first, second = map(json.loads, path.read_text().splitlines())
    assert (first["kind"], first["identity"]) == ("run", IDENTITY)
    assert second == {"kind": "refusal", "key": key_of({}), "message": "no"}


def test_a_line_is_never_changed_and_each_kind_is_listed_in_order(tmp_path: Path):
    with opened(tmp_path / "journal.jsonl") as journal:
        for number in (2, 1, 2, 3):
            journal.add("batch", key_of({"a": number}), {"number": number})
        journal.add("batch", key_of({"a": 1}), {"number": 99})
        journal.add("submitted", key_of({"a": 1}), {"id": "b"})
        assert [line["number"] for line in journal.all("batch")] == [2, 1, 3]
        assert [line["id"] for line in journal.all("submitted")] == ["b"]
        assert journal.get("batch", key_of({"a": 1}))["number"] == 1


@pytest.mark.parametrize("cut", range(1, 60, 7))
def test_a_torn_last_line_is_cut_off(tmp_path: Path, cut: int):
    path = tmp_path / "journal.jsonl"
    with opened(path) as journal:
        journal.add("completion", key_of({"a": 1}), {"text": "one"})
    whole = path.read_bytes()
    with opened(path) as journal:
        journal.add("completion", key_of({"a": 2}), {"text": "two"})
    path.write_bytes(path.read_bytes()[:-cut])
    with opened(path) as journal:
        assert path.read_bytes() == whole
        assert journal.get("completion", key_of({"a": 1}))["text"] == "one"
        assert journal.get("completion", key_of({"a": 2})) is None


@pytest.mark.parametrize(
    "damaged",
    [
        '"kind":com,"key"',
        '"kind":7,"key"',
        '"kind":"","key"',
        '"kind":"completion","key":"zz","was"',
        '"kind":"completion","key":5,"was"',
        '"kind":"completion","was"',
    ],
)
def test_a_damaged_line_in_the_middle_is_an_error(tmp_path: Path, damaged: str):
    path = tmp_path / "journal.jsonl"
    with opened(path) as journal:
        journal.add("completion", key_of({"a": 1}), {"text": "one"})
    path.write_text(path.read_text().replace('"kind":"completion","key"', damaged))
    with pytest.raises(SqlRlError, match="line 2 is damaged"):
        opened(path)


def test_another_run_is_refused_and_told_what_differs(tmp_path: Path):
    path = tmp_path / "journal.jsonl"
    with opened(path):
        pass
    with pytest.raises(UsageError, match="model: 'm' there, 'n' now") as caught:
        opened(path, model="n")
    assert "seed" not in str(caught.value)


def test_another_version_is_refused(tmp_path: Path):
    path = tmp_path / "journal.jsonl"
    path.write_text('{"kind": "run", "version": 99, "identity": {}}\n')
    with pytest.raises(UsageError, match="journal version 99, this one writes 2"):
        opened(path)


def test_retired_journals_are_kept(tmp_path: Path):
    path = tmp_path / "journal.jsonl"
    assert retire(path) is None
    for number in (1, 2):
        path.write_text(str(number))
        assert retire(path) == tmp_path / f"journal-{number}.jsonl"
    assert (tmp_path / "journal-1.jsonl").read_text() == "1"


def test_keys_depend_on_content_alone():
    assert key_of({"a": 1, "b": [2]}) == key_of({"b": [2], "a": 1})
    assert key_of({"a": 1}) != key_of({"a": "1"})
    assert len(key_of({})) == 32


def test_the_reserve_is_real_and_given_back(tmp_path: Path):
    journal = opened(tmp_path / "journal.jsonl")
    reserve = tmp_path / "journal.reserve"
    assert reserve.stat().st_blocks * 512 >= 32_768
    with journal:
        pass
    assert not reserve.exists()


async def test_storage_that_keeps_nothing_ends_the_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """NFS tells of a quota or a broken disk when it is asked to sync, and not before."""

    def broken(_: int) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    stop = Stop()
    with opened(tmp_path / "journal.jsonl") as journal:
        with monkeypatch.context() as patched:
            patched.setattr(os, "fsync", broken)
            await keep_synced(journal, stop)
        assert "journal.jsonl: cannot be written: Input/output error" in str(stop.why)
