"""The files of a batch: what fits into one, and what a line of its results means. Pure."""

import json
from typing import Any

import pytest

from sql_rl.distill.batches.lines import packed, result
from sql_rl.errors import UsageError
from sql_rl.teachers.base import Completion, Refusal, Transient
from sql_rl.testing.chat_server import chat_completion


@pytest.mark.parametrize(
    ("lines", "room", "files"),
    [
        (2, 10**6, [["a", "b"], ["c"]]),
        (9, 250, [["a", "b"], ["c"]]),
        (9, 1, [["a"], ["b"], ["c"]]),
        (9, 10**6, [["a", "b", "c"]]),
    ],
)
def test_files_keep_the_limits(lines: int, room: int, files: list[list[str]]):
    made = list(packed([(key, {"text": "ä\u2028"}) for key in "abc"], lines, room))
    assert [keys for keys, _ in made] == files
    for keys, content in made:
        assert [json.loads(line)["custom_id"] for line in content.splitlines()] == keys
        assert len(content) <= room or len(keys) == 1
    assert not list(packed([], lines, room))


LINES = {
    "answer": (
        {"response": {"status_code": 200, "body": chat_completion({"model": "m", "messages": []}, "x")}},
        Completion,
    ),
    "no completion": ({"response": {"status_code": 200, "body": {}}}, Transient),
    "refused": ({"response": {"status_code": 422, "body": {"error": {"message": "no"}}}}, Refusal),
    "overloaded": ({"response": {"status_code": 503, "body": "busy"}}, Transient),
    "no such model": ({"response": {"status_code": 404, "body": {"error": {"message": "no model"}}}}, UsageError),
    "never run": ({"response": None, "error": {"code": "batch_expired", "message": "expired"}}, Transient),
    "nothing at all": ({}, Transient),
}


@pytest.mark.parametrize(("content", "meaning"), LINES.values(), ids=LINES.keys())
def test_what_a_line_means(content: dict[str, Any], meaning: type):
    key, answer = result(json.dumps({"custom_id": "k"} | content).encode(), 0.5)
    assert key == "k"
    assert isinstance(answer, meaning)


@pytest.mark.parametrize(
    "line", [b'{"custom_id": "k", "resp', b"[]", b'{"response": {}}', b'{"custom_id": "k", "response": 7}']
)
def test_what_is_no_line(line: bytes):
    with pytest.raises(ValueError):
        result(line, 0.5)
