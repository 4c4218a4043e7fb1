"""`distill` against a server that misbehaves: what is asked again, what is not, what ends a run."""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from support import Run, asking, parts, row, write_rows

from sql_rl.testing.chat_server import ChatServer, Faults, chat_completion
from sql_rl.testing.server_limits import ServerLimits

MIX = Faults(error_400=0.03, error_500=0.05, reset=0.05, stall=0.02, torn=0.02, empty=0.03, truncated=0.02)


def test_faults_cost_no_row_and_no_request_is_paid_twice(run: Run, tmp_path: Path, faulty_server: ChatServer):
    """Beside the mix, one in ten requests is turned away with a 429, in bursts with and without a Retry-After."""
    rows, server = write_rows(tmp_path / "rows.jsonl", [row(i) for i in range(2000)]), faulty_server
    options = ("--batch-size", 64, "--retries", 1, "--show-gold", "never")
    ended = run(*asking(server, rows, *options), SQL_RL_REQUEST_TIMEOUT="3")
    assert ended.returncode == 0, ended.stderr
    kept, rejected, summary = parts(tmp_path / "out")
    met = Counter(MIX.of(prompt) for prompt in server.seen)
    assert len(met) == 8, "every fault was met"
    assert server.gate.refused >= 200, "and eleven bursts of 20 at least: 2,000 rows take over 2,200 requests"
    assert len(kept) == summary["accepted"] == 2000 - met["error_400"] - met["empty"] - met["truncated"]
    assert Counter(r["id"] for r in kept + rejected) == Counter(range(2000))
    for prompt, times in server.seen.items():
        fault = MIX.of(prompt)
        assert times == {"": 1, "error_400": 1}.get(fault, 2), fault
    refused = [r for r in rejected if r["reason"].startswith("400 from")]
    assert len(refused) == met["error_400"]


@pytest.fixture
def faulty_server(server: ChatServer) -> Iterator[ChatServer]:
    """It does to a request what MIX says, and turns 20 in a row of each 200 away."""
    faulty = ChatServer(answers=server.answers, faults=MIX, limits=ServerLimits(burst=20), delay=0.02)
    with faulty.running():
        yield faulty


ENDS = {
    "refused key": (401, {"error": {"message": "Incorrect API key provided"}}, 4, "Incorrect API key"),
    "forbidden": (403, {"error": {"message": "Country not supported"}}, 4, "Country not supported"),
    "spent quota": (429, {"error": {"message": "quota", "code": "insufficient_quota"}}, 3, "the quota is spent"),
    "no such model": (404, {"error": {"message": "The model does not exist"}}, 2, "check --model"),
}


@pytest.mark.parametrize(("status", "body", "code", "said"), ENDS.values(), ids=ENDS.keys())
def test_what_ends_a_run(
    run_here: Run, tmp_path: Path, rows: Path, server: ChatServer, status: int, body: dict, code: int, said: str
):
    good = server.answers

    def respond(request: dict, visit: int) -> tuple[int, Any, dict]:
        question = request["messages"][-1]["content"].rpartition("Question: ")[2]
        if question in list(good)[:5]:
            return 200, chat_completion(request, f"<think>a</think><sql>{good[question]}</sql>"), {}
        return status, body, {}

    server.respond = respond
    ended = run_here(*asking(server, rows, "--validate"))
    assert ended.returncode == code
    assert said in ended.stderr.splitlines()[-1]
    assert "Traceback" not in ended.stderr
    kept, _, summary = parts(tmp_path / "out")
    assert len(kept) == 5, "what was answered before is kept"
    assert summary["status"] == "stopped"
    assert summary["remaining"] == 35
    server.respond = None
    assert run_here(*asking(server, rows, "--validate")).returncode == 0
    assert len(parts(tmp_path / "out")[0]) == 40
    assert all(n == 1 for n in server.answered.values())


def test_a_strange_teacher_ends_no_run(run: Run, tmp_path: Path, rows: Path, server: ChatServer):
    """A model without a price; another one answers; one row is too long for its context."""
    good = server.answers

    def respond(body: dict, visit: int) -> tuple[int, Any, dict]:
        question = body["messages"][-1]["content"].rpartition("Question: ")[2]
        if "chain 7 " in question:
            said = "This model's maximum context length is 4096 tokens. However, you requested 5000 tokens"
            return 400, {"object": "error", "message": said, "type": "BadRequestError"}, {}
        answer = chat_completion(body, f"<think>a</think><sql>{good[question]}</sql>")
        return 200, answer | {"model": "cheaper"}, {}

    server.respond = respond
    ended = run(*asking(server, rows, "--model", "unheard-of"))
    assert ended.returncode == 0, ended.stderr
    assert ended.stderr.count("warning: unheard-of was asked, cheaper answers") == 1
    kept, rejected, summary = parts(tmp_path / "out")
    assert {r["model_name"] for r in kept} == {"cheaper"}
    assert (len(kept), summary["cost_usd"], kept[0]["cost_usd"]) == (39, None, None)
    assert "cost unknown" in ended.stdout
    assert [(r["id"], r["reason"].partition(":")[0]) for r in rejected] == [(7, "too long for the model's context")]
    assert server.seen.total() == 40, "and is not asked for again"


def test_nobody_listens(run: Run, tmp_path: Path, rows: Path):
    ended = run("distill", "--base-url", "http://127.0.0.1:9/v1", "--dataset-repo-id", rows, "--output-dir", "out")
    assert ended.returncode == 1
    assert "cannot connect" in ended.stderr
    assert "--base-url" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_rows_that_could_not_be_had_are_asked_for_by_the_next_run(
    run: Run, tmp_path: Path, rows: Path, server: ChatServer
):
    server.faults, server.hang = Faults(stall=0.1), 2.0
    ended = run(*asking(server, rows), SQL_RL_REQUEST_TIMEOUT="0.2")
    assert ended.returncode == 0, "a stall is over at the second try"
    assert len(parts(tmp_path / "out")[0]) == 40
