"""`evaluate` as a user runs it: official verdicts, models asked, runs interrupted, whatever is wrong."""

import json
import random
import signal
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
from small_benchmark import GOLDS, QUESTIONS, exclusively_held, results, write_lines, write_questions
from support import Run, wait_until

from sql_rl.configure import Secrets
from sql_rl.errors import SqlRlError, UsageError
from sql_rl.evaluate.metrics import Result
from sql_rl.evaluate.run import evaluate
from sql_rl.settings import EvaluateSettings, Settings
from sql_rl.testing.chat_server import ChatServer, chat_completion

COLUMNS = [
    "id", "db_id", "question", "gold_sql", "predicted_sql", "verdict", "spider", "spider_keep_distinct", "bird",
    "strict", "spider_suite", "suite", "error", "seconds",
]  # fmt: skip


def test_the_official_verdicts(run: Run, shared: Path, tmp_path: Path):
    """All 972 verdicts of Spider's evaluator on a published system, with and without DISTINCT; its suite to 99 %."""
    predictions = shared / "spider/predictions/dail_gpt4.sql"
    ended = run("evaluate", "--benchmark", shared / "spider", "--predictions", predictions, "--output-dir", "out")
    assert ended.returncode == 0, ended.stderr
    found = results(tmp_path / "out")
    official = [json.loads(line) for line in predictions.with_suffix(".verdicts.jsonl").read_text().splitlines()]
    assert len(found) == len(official) == 972
    for metric in ("spider", "spider_keep_distinct"):
        assert [r[metric] for r in found] == [bool(o[metric]) for o in official]
    agreed = sum(r["spider_suite"] == bool(o["suite"]) for r, o in zip(found, official, strict=True))
    assert agreed / 972 >= 0.99
    metrics = json.loads((tmp_path / "out/metrics.json").read_text())
    assert metrics["spider"]["correct"] == sum(bool(o["spider"]) for o in official)
    assert list(metrics["by_hardness"]) == ["easy", "medium", "hard", "extra"]
    assert len(metrics["by_database"]) == 19
    failures = [json.loads(line) for line in (tmp_path / "out/failures.jsonl").read_text().splitlines()]
    assert [f["id"] for f in failures] == [r["id"] for r in found if not r["suite"]]
    assert all(
        (f["predicted_result"] is None) == (f["verdict"] == "error") for f in failures if f["verdict"] != "timeout"
    )


def test_what_a_run_leaves(run_here: Run, spider: Path, tmp_path: Path):
    wrong = "SELECT name FROM pet WHERE kind = 'dog'"
    lines = [*GOLDS[:2], "SELECT twn FROM shop", wrong, "", "SELECT name FROM pet WHERE weight > 10"]
    write_lines(tmp_path / "p.sql", lines)
    ended = run_here("evaluate", "--benchmark", spider, "--predictions", "p.sql", "--output-dir", "out", "--json")
    assert ended.returncode == 0, ended.stderr
    found = results(tmp_path / "out")
    assert all(list(row)[: len(COLUMNS)] == COLUMNS for row in found)
    assert [r["verdict"] for r in found] == ["match", "match", "error", "mismatch", "no_sql", "lucky"]
    assert [r["suite"] for r in found] == [True, True, False, False, False, False]
    assert [r["spider"] for r in found] == [True, True, False, False, False, True]
    assert "no such column: twn" in found[2]["error"]
    assert (found[4]["predicted_sql"], found[4]["error"]) == (None, "the file has no query for it")
    assert found[3]["error"] == ""
    assert all(r["seconds"] > 0 for r in found if r["verdict"] == "match")
    failure = json.loads((tmp_path / "out/failures.jsonl").read_text().splitlines()[1])
    assert failure["gold_result"] == {"columns": ["name"], "rows": [["Tom"], ["Ida"]], "cut": False}
    assert failure["predicted_result"]["rows"] == [["Rex"]]
    summary, metrics = (json.loads((tmp_path / "out" / name).read_text()) for name in ("run.json", "metrics.json"))
    assert (summary["status"], summary["questions"]) == ("finished", 6)
    assert (metrics["suite"]["correct"], metrics["suite"]["total"]) == (2, 6)
    assert metrics["settings"]["judge"]["variants"] == 8
    printed = json.loads(ended.stdout)
    assert printed["metrics"] == metrics


def test_a_gold_that_fails_counts_for_nobody_even_without_an_answer(run_here: Run, spider: Path, tmp_path: Path):
    rows = write_questions(spider / "dev.json")
    rows[0]["query"] = rows[1]["query"] = "SELECT missing FROM shop"
    (spider / "dev.json").write_text(json.dumps(rows))
    write_lines(tmp_path / "p.sql", ["SELECT 1", "", *GOLDS[2:]])
    ended = run_here("evaluate", "--benchmark", spider, "--predictions", "p.sql", "--output-dir", "out")
    assert ended.returncode == 0
    assert "2 golds cannot run and count for nobody" in ended.stdout
    metrics = json.loads((tmp_path / "out/metrics.json").read_text())
    assert (metrics["gold_broken"], metrics["suite"]["correct"], metrics["suite"]["total"]) == (2, 4, 4)


def test_a_page_that_is_damaged_costs_the_questions_that_need_it(run_here: Run, spider: Path, tmp_path: Path):
    path = spider / "database/pets/pets.sqlite"
    content = bytearray(path.read_bytes())
    content[4096:8192] = random.Random(0).randbytes(4096)
    path.write_bytes(content)
    write_lines(tmp_path / "p.sql", GOLDS)
    ended = run_here("evaluate", "--benchmark", spider, "--predictions", "p.sql", "--output-dir", "out")
    assert ended.returncode == 0, ended.stderr
    found = results(tmp_path / "out")
    assert [r["verdict"] for r in found] == ["match"] * 3 + ["gold_broken"] * 3
    assert "malformed" in found[3]["error"]


@pytest.fixture
def server(chat_server: ChatServer) -> ChatServer:
    chat_server.answers = {question: gold for _, question, gold in QUESTIONS}
    return chat_server


def asking(server: ChatServer, benchmark: Path, *more: object) -> tuple[object, ...]:
    return (
        "evaluate",
        "--benchmark",
        benchmark,
        "--model",
        "m",
        "--base-url",
        server.url,
        "--output-dir",
        "out",
        *more,
    )


def test_a_model_is_asked_greedily_and_sees_the_database(
    run_here: Run, spider: Path, server: ChatServer, tmp_path: Path
):
    server.answers = server.answers | {QUESTIONS[0][1]: "SELECT 5"}
    ended = run_here(*asking(server, spider))
    assert ended.returncode == 0, ended.stderr
    assert [r["suite"] for r in results(tmp_path / "out")] == [False, True, True, True, True, True]
    assert {body["temperature"] for body in server.bodies} == {0.0}
    assert "INSERT INTO \"shop\" VALUES(1,'Ulm',4);" in server.bodies[0]["messages"][-1]["content"]
    failure = json.loads((tmp_path / "out/failures.jsonl").read_text())
    assert failure["completion"].startswith("<think>")
    summary = json.loads((tmp_path / "out/run.json").read_text())
    assert (summary["requests"], summary["cost_usd"], summary["cut_off"]) == (6, None, 0)


def test_a_finished_run_is_left_alone_and_samples_add_to_it(
    run_here: Run, spider: Path, server: ChatServer, tmp_path: Path
):
    assert run_here(*asking(server, spider)).returncode == 0
    before = {p: p.stat().st_mtime_ns for p in (tmp_path / "out").iterdir()}
    again = run_here(*asking(server, spider, "--batch-size", 2))
    assert "nothing to do" in again.stdout
    assert {p: p.stat().st_mtime_ns for p in (tmp_path / "out").iterdir()} == before
    drawn: list[str] = ["SELECT count(*) FROM shop", "SELECT 4", "SELECT count(id) FROM shop", "SELECT nothing"]

    def respond(body: dict[str, Any], visit: int) -> tuple[int, Any, dict[str, str]]:
        question = body["messages"][-1]["content"].rpartition("Question: ")[2]
        sql = drawn.pop() if question == QUESTIONS[0][1] else server.answers[question]
        return 200, chat_completion(body, f"<think>\nso\n</think>\n<sql>\n{sql}\n</sql>"), {}

    server.respond = respond
    ended = run_here(*asking(server, spider, "--samples", 4))
    assert ended.returncode == 0, ended.stderr
    assert server.seen.total() == 6 + 6 * 4, "the greedy answers were there"
    assert {body["temperature"] for body in server.bodies[6:]} == {0.8}
    metrics = json.loads((tmp_path / "out/metrics.json").read_text())
    assert metrics["suite"]["correct"] == 6
    assert metrics["samples"] == 4
    # Of the first question two of four are right: 1 - C(2,1)/C(4,1), 1 - C(2,2)/C(4,2); the others always are.
    assert metrics["pass_at_k"]["suite"] == pytest.approx({"1": 5.5 / 6, "2": (5 + 5 / 6) / 6, "4": 1.0})
    assert metrics["vote"]["suite"]["correct"] == 6, "two agree, the others stand alone"
    first = json.loads((tmp_path / "out/samples.jsonl").read_text().splitlines()[0])
    assert sorted(s["verdict"] for s in first["samples"]) == ["error", "lucky", "match", "match"]
    assert first["samples"][first["elected"]]["suite"]


def test_two_runs_compared(run_here: Run, spider: Path, tmp_path: Path):
    write_lines(tmp_path / "one.sql", ["SELECT 1", *GOLDS[1:]])
    write_lines(tmp_path / "two.sql", [*GOLDS[:5], "SELECT 1"])
    assert (
        run_here("evaluate", "--benchmark", spider, "--predictions", "one.sql", "--output-dir", "one").returncode == 0
    )
    two = ("evaluate", "--benchmark", spider, "--predictions", "two.sql", "--output-dir", "two")
    for _ in range(2):  # also where the run had been finished before
        ended = run_here(*two, "--compare", "one")
        assert ended.returncode == 0, ended.stderr
        assert "suite, change" in ended.stdout
        found = json.loads((tmp_path / "two/comparison.json").read_text())
        assert [(c["id"], c["other_sql"]) for c in found["gained"]] == [("0", "SELECT 1")]
        assert [(c["id"], c["predicted_sql"]) for c in found["lost"]] == [("5", "SELECT 1")]
        assert (found["suite"]["difference"], found["suite"]["p"]) == (0.0, 1.0)
        (tmp_path / "two/comparison.json").unlink()


def test_a_model_that_answers_nonsense(run_here: Run, spider: Path, server: ChatServer, tmp_path: Path):
    texts = ["", "I cannot do that.", "<think>on and on", "```python\nprint(1)\n```", "<sql></sql>", "\x00\ud800"]
    server.respond = lambda body, visit: (200, chat_completion(body, texts.pop(), "length"), {})
    ended = run_here(*asking(server, spider))
    assert ended.returncode == 0, ended.stderr
    found = results(tmp_path / "out")
    assert {r["verdict"] for r in found} <= {"no_sql", "error"}
    assert all(r["error"] for r in found)
    assert json.loads((tmp_path / "out/run.json").read_text())["cut_off"] == 6


def test_a_model_that_no_request_reaches_is_not_measured(
    run_here: Run, spider: Path, server: ChatServer, tmp_path: Path
):
    """Not every provider has a code for a model or a setting that it does not know; 0 % would be said of the model."""
    server.respond = lambda body, visit: (400, {"error": {"message": "no such voice", "code": 400}}, {})
    ended = run_here(*asking(server, spider))
    assert ended.returncode == 2
    assert "no such voice; no request was answered, and 6 were refused" in ended.stderr
    server.respond = None
    assert run_here(*asking(server, spider)).returncode == 0
    assert all(r["suite"] for r in results(tmp_path / "out"))


def test_a_schema_that_fits_into_no_prompt_is_not_asked(
    run_here: Run, spider: Path, server: ChatServer, tmp_path: Path
):
    (tmp_path / "config.yaml").write_text("max_prompt_length: 100\n")
    ended = run_here(*asking(server, spider))
    assert ended.returncode == 0, ended.stderr
    assert server.seen.total() == 0
    assert all(r["verdict"] == "no_sql" and "max_prompt_length is 100" in r["error"] for r in results(tmp_path / "out"))


def test_ctrl_c_and_on(run: Run, start, spider: Path, server: ChatServer, tmp_path: Path):
    """Interrupted after some answers: exit 3, no metrics; the same command asks for the rest only."""
    server.hold_after = 2
    process = start(*asking(server, spider, "--batch-size", 1))
    wait_until(lambda: server.held == 1)
    process.send_signal(signal.SIGINT)
    assert any("finishing what is in flight" in line for line in process.stderr)
    server.hold_after = None
    _, said = process.communicate(timeout=180)
    assert process.returncode == 3
    assert said.splitlines()[-1] == "error: stopped by SIGINT; the same command carries on"
    summary = json.loads((tmp_path / "out/run.json").read_text())
    assert summary["status"] == "stopped"
    assert summary["remaining"] == 6 - server.answered.total() == 3
    assert not (tmp_path / "out/metrics.json").exists()
    assert run(*asking(server, spider)).returncode == 0
    assert server.answered.total() == 6
    assert sum(r["suite"] for r in results(tmp_path / "out")) == 6


MODEL = {"model": "m", "base_url": "http://127.0.0.1:9/v1"}
WRONG = {
    "no benchmark": ({"benchmark": None, **MODEL}, UsageError, "--benchmark is missing"),
    "nothing measured": ({}, UsageError, "--model or --predictions: neither given"),
    "two things measured": ({"predictions": "good.sql", **MODEL}, UsageError, "both given"),
    "samples of a file": ({"predictions": "good.sql", "samples": 2}, UsageError, "--samples 2 needs --model"),
    "too few": ({"predictions": "short.sql"}, UsageError, "4 predictions for 6 questions"),
    "no predictions": ({"predictions": "none.sql"}, UsageError, "none.sql: cannot be read"),
    "nowhere": ({"benchmark": "nowhere", "predictions": "good.sql"}, UsageError, "nowhere: no such file"),
    "no Hub": ({"benchmark": "no/where", "predictions": "good.sql"}, SqlRlError, "the Hub cannot be reached"),
    "no key": ({"model": "m"}, UsageError, "API_KEY is missing"),
    "no price": ({"max_cost": 1.0, **MODEL}, UsageError, "no price is known for m"),
    "no other run": ({"predictions": "good.sql", "compare": "small"}, UsageError, "no results of a finished run"),
    "another's run": (
        {"predictions": "good.sql", "compare": "other"},
        UsageError,
        "1 questions there, 6 here, and none",
    ),
}


@pytest.mark.parametrize(("given", "kind", "said"), WRONG.values(), ids=WRONG)
def test_what_is_wrong_is_told_before_anything_is_done(
    spider: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, given: dict[str, Any], kind: type, said: str
):
    write_lines(tmp_path / "short.sql", GOLDS[:4])
    write_lines(tmp_path / "good.sql", GOLDS)
    (tmp_path / "other").mkdir()
    elsewhere = Result("0", "cars", "?", "", "", "match", *[True] * 6, "", 0.0, "easy", "")
    (tmp_path / "other/results.jsonl").write_text(json.dumps(asdict(elsewhere)) + "\n")
    monkeypatch.chdir(tmp_path)
    given = {"benchmark": "small", **given}
    top = {"base_url": given.pop("base_url")} if "base_url" in given else {}
    with pytest.raises(kind) as refusal:
        evaluate(Settings(evaluate=EvaluateSettings(**given), **top), Secrets())
    assert type(refusal.value) is kind
    assert said in str(refusal.value)
    assert "\n" not in str(refusal.value)
    assert not (tmp_path / "outputs").exists()


def test_exit_codes(run_here: Run, spider: Path, server: ChatServer, tmp_path: Path):
    write_lines(tmp_path / "good.sql", GOLDS)
    server.api_key = "another"
    ended = run_here(*asking(server, spider), API_KEY="s3cret")
    assert ended.returncode == 4
    assert "s3cret" not in ended.stderr + ended.stdout
    with exclusively_held(spider / "database/pets/pets.sqlite"):
        ended = run_here("evaluate", "--benchmark", spider, "--predictions", "good.sql")
    assert ended.returncode == 75
    assert len(ended.stderr.splitlines()) == 1
    assert "the database is locked" in ended.stderr


def test_a_student_on_this_machine(run: Run, spider: Path, tmp_path: Path):
    """What a tiny untrained model says is no SQL; it is asked, by the batch, and the run ends as any other."""
    pytest.importorskip("torch")
    from sql_rl.students import StudentSpec, open_student

    open_student(StudentSpec(model="micro"), [gold for _, _, gold in QUESTIONS] * 20).save(tmp_path / "student")
    (tmp_path / "config.yaml").write_text("max_tokens: 16\n")
    arguments = ("evaluate", "--benchmark", spider, "--provider", "local", "--output-dir", "out", "--limit", 3)
    ended = run(*arguments, "--model", "student", "--samples", 1)
    assert ended.returncode == 0, ended.stderr
    summary = json.loads((tmp_path / "out/run.json").read_text())
    assert (summary["requests"], summary["cost_usd"]) == (6, 0.0)
    assert 0 < summary["completion_tokens"] <= 6 * 16
    assert len(results(tmp_path / "out")) == 3
    next((tmp_path / "student").glob("*.safetensors")).touch()
    ended = run(*arguments, "--model", "student", "--samples", 1)
    assert ended.returncode == 2
    assert "weights: " in ended.stderr, "other weights are another run"
    ended = run(*arguments, "--model", "nowhere/at-all")
    assert ended.returncode in (1, 2)
    assert len(ended.stderr.splitlines()) == 1
