"""`distill` as a user runs it: what a run leaves, and what each option does to it."""

from collections import Counter
from pathlib import Path
from typing import Any

import datasets
import pytest
from support import BROKEN, Run, asking, parts, row, write_rows

from sql_rl.distill.dataset import DISTILLED
from sql_rl.testing.batch_server import BatchServer
from sql_rl.testing.chat_server import ChatServer, chat_completion


@pytest.mark.parametrize("remove", [False, True])
def test_offline_leaves_a_dataset_that_opens_and_adds_up(run: Run, tmp_path: Path, remove: bool):
    source = [row(0), *BROKEN, row(1)]
    rows = write_rows(tmp_path / "rows.jsonl", source)
    options = ("--provider", "offline", "--validate", *(["--remove-no-valid"] if remove else []))
    ended = run("distill", "--dataset-repo-id", rows, "--output-dir", "out", *options)
    assert ended.returncode == 0, ended.stderr
    kept, rejected, summary = parts(tmp_path / "out")
    assert (summary["rows"], summary["accepted"], summary["rejected"]) == (4, 2, 2)
    assert summary["rejected_by_verdict"] == {"gold_broken": 2}
    assert len(kept) + len(rejected) == summary["rows"]
    assert len(kept) == summary["kept"] == (2 if remove else 4)
    assert [r["verdict"] for r in kept] == (
        ["match"] * 2 if remove else ["match", "gold_broken", "gold_broken", "match"]
    )

    loaded = datasets.load_dataset(str(tmp_path / "out"), split="train", cache_dir=str(tmp_path / "cache"))
    assert loaded.to_list() == kept
    everything = datasets.load_dataset(str(tmp_path / "out"), "all", split="train", cache_dir=str(tmp_path / "cache"))
    assert len(everything) == 4
    first = loaded[0]
    assert {name: first[name] for name in source[0]} == source[0], "source columns are untouched"
    assert list(first) == [*source[0], *DISTILLED.names]
    assert [m["role"] for m in first["messages"]] == ["system", "user", "assistant"]
    assert first["messages"][2]["content"] == first["generation"]
    assert first["answer_sql"] == source[0]["sql"]
    assert "shop_0" in first["reasoning"]
    assert (first["attempts"], first["hint"], first["cost_usd"], first["model_name"]) == (1, True, 0.0, "offline")


def test_a_server_s_answers_become_rows(run: Run, tmp_path: Path, rows: Path, server: ChatServer):
    server.api_key = "sk-very-secret"
    ended = run(*asking(server, rows, "--validate"), API_KEY="sk-very-secret", HF_TOKEN="hf-very-secret")
    assert ended.returncode == 0, ended.stderr
    kept, rejected, summary = parts(tmp_path / "out")
    assert (len(kept), len(rejected), summary["accepted"], summary["requests"]) == (40, 0, 40, 40)
    assert [r["id"] for r in kept] == list(range(40)), "rows stand in the order of the source"
    assert summary["prompt_tokens"] == sum(r["prompt_tokens"] for r in kept) > 0
    assert summary["cost_usd"] == pytest.approx(sum(r["cost_usd"] for r in kept), abs=1e-6)
    assert (kept[0]["model_name"], kept[0]["hint"], kept[0]["finish_reason"]) == ("gpt-4.1-nano", False, "stop")
    assert server.most_in_flight <= 8
    assert summary["wire"]["retried"] == 0
    assert 0 < summary["wire"]["fullness"] <= 1
    texts = [p.read_text() for p in (tmp_path / "out").rglob("*") if p.suffix in (".json", ".jsonl", ".md")]
    assert not any("very-secret" in t for t in [*texts, ended.stdout, ended.stderr])
    assert "next: " in ended.stdout


@pytest.mark.parametrize("rows", [3, 400])
def test_a_run_of_nothing_but_refusals_blames_no_row(run: Run, tmp_path: Path, rows: int, server: ChatServer):
    """Not every provider has a code for a model, a key or a setting that it does not know."""
    source = write_rows(tmp_path / "rows.jsonl", [row(i) for i in range(rows)])
    server.respond = lambda body, visit: (400, {"error": {"message": "x is not a valid model ID", "code": 400}}, {})
    ended = run(*asking(server, source))
    assert ended.returncode == 2
    assert "400 from" in ended.stderr
    assert "x is not a valid model ID; no request was answered" in ended.stderr
    assert server.seen.total() < 80, "it is not tried with all rows"
    server.respond = None
    ended = run(*asking(server, source))
    assert ended.returncode == 0, ended.stderr
    assert parts(tmp_path / "out")[2]["accepted"] == rows


def test_rows_are_blamed_for_refusals_that_come_before_the_first_answer(
    run: Run, tmp_path: Path, rows: Path, server: ChatServer
):
    """Refusals come quickly, answers do not: of the first requests of a run many a one may be refused by chance."""
    refused = {row(i)["sql_prompt"] for i in range(0, 40, 4)}

    def respond(body: dict[str, Any], visit: int) -> tuple[int, Any, dict[str, str]]:
        if body["messages"][-1]["content"].rpartition("Question: ")[2].strip() in refused:
            return 400, {"error": {"message": "not to our taste"}}, {}
        return 200, chat_completion(body, "<sql>SELECT 1</sql>"), {}

    server.respond = respond
    ended = run(*asking(server, rows, "--batch-size", 64))
    assert ended.returncode == 0, ended.stderr
    assert parts(tmp_path / "out")[2]["rejected"] == 10
    assert set(server.seen.values()) == {1}
    assert run(*asking(server, rows)).returncode == 0
    assert server.seen.total() == 40


def test_answers_that_are_no_good_are_repaired_and_at_last_hinted(run: Run, tmp_path: Path, server: ChatServer):
    rows = write_rows(tmp_path / "rows.jsonl", [row(0), row(1), row(2), row(3)])
    script = {
        0: ["", row(0)["sql"]],
        1: ["SELECT 99", row(1)["sql"]],
        2: ["SELECT COUNT(*) FROM nowhere", "SELECT 99", row(2)["sql"]],
        3: ["SELECT COUNT(*) FROM nowhere"] * 3,
    }
    told: dict[int, list[str]] = {number: [] for number in script}

    def respond(body: dict, visit: int) -> tuple[int, Any, dict]:
        number = int(body["messages"][1]["content"].split("chain ")[1].split()[0])
        told[number].append(body["messages"][-1]["content"])
        sql = script[number][len(told[number]) - 1]
        return 200, chat_completion(body, f"<think>so</think><sql>{sql}</sql>" if sql else ""), {}

    server.respond = respond
    assert run(*asking(server, rows, "--validate", "--retries", 2)).returncode == 0
    kept, _, summary = parts(tmp_path / "out")
    assert [(r["id"], r["attempts"], r["verdict"], r["hint"]) for r in kept] == [
        (0, 2, "match", False),
        (1, 2, "match", False),
        (2, 3, "match", True),
        (3, 3, "error", False),
    ]
    assert "no such table: nowhere" in told[2][1]
    assert row(2)["sql"] in told[2][2]
    assert row(2)["sql"] not in told[2][0] + told[2][1], "the gold is shown on the last attempt only"
    assert "nowhere" in kept[3]["reason"]
    assert all(len(r["messages"]) == 3 for r in kept), "the dataset holds the blind prompt and the answer"
    assert (summary["requests"], summary["accepted"]) == (10, 3)


def test_a_vote_by_execution(run: Run, tmp_path: Path, server: ChatServer):
    rows = write_rows(tmp_path / "rows.jsonl", [row(0)])
    texts = ["SELECT 99", "SELECT COUNT(town) FROM shop_0 WHERE town = 'Ulm'", row(0)["sql"], "SELECT 98", "SELECT 97"]
    server.respond = lambda body, visit: (
        200, chat_completion(body, f"<think>so</think><sql>{texts[visit - 1]}</sql>"), {},
    )  # fmt: skip
    ended = run(*asking(server, rows, "--validate", "--num-generations", 5, "--select", "vote", "--retries", 0))
    assert ended.returncode == 0, ended.stderr
    kept, _, _ = parts(tmp_path / "out")
    assert (kept[0]["verdict"], kept[0]["answer_sql"], kept[0]["attempts"]) == ("match", texts[1], 5)


def test_own_templates_and_styles(run: Run, tmp_path: Path, rows: Path, server: ChatServer):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "user.md").write_text("Schema: $context\nQuestion: $question")
    options = ("--limit", 1, "--templates", "mine", "--reasoning-style", "query-plan")
    assert run(*asking(server, rows, *options)).returncode == 0
    system, user = server.bodies[0]["messages"]
    assert "query plan" in system["content"]
    assert user["content"].startswith("Schema: CREATE TABLE shop_0")
    ended = run(*asking(server, rows, "--limit", 1))
    assert ended.returncode == 2
    assert "prompts: " in ended.stderr, "another prompt makes it another run"
    (tmp_path / "mine" / "user.md").write_text("Question: $question")
    ended = run(*asking(server, rows, *options))
    assert ended.returncode == 2
    assert "user.md: its places must be $context, $question" in ended.stderr


def test_a_target_ends_the_run_with_exactly_so_many_accepted_rows(run: Run, tmp_path: Path, server: ChatServer):
    rows = write_rows(tmp_path / "rows.jsonl", [*BROKEN, *(row(i) for i in range(80))])
    options = ("--base-url", server.url, "--dataset-repo-id", rows, "--output-dir", "out", "--validate")
    ended = run("distill", *options, "--target-accepted", 30)
    assert ended.returncode == 0, ended.stderr
    kept, _, summary = parts(tmp_path / "out")
    assert summary["accepted"] == 30
    assert [r["id"] for r in kept] == [90, 91, *range(30)]
    assert server.seen.total() < 82
    assert (summary["status"], summary["remaining"]) == ("finished", 0)
    assert "nothing to do" in run("distill", *options, "--target-accepted", 30).stdout


def test_a_cap_on_dollars_is_never_passed(run: Run, tmp_path: Path, server: ChatServer):
    rows = write_rows(tmp_path / "rows.jsonl", [row(i) for i in range(200)])
    (tmp_path / "prices.yaml").write_text("models: {mine: {input: 10, cached: 1, output: 100}}")
    options = ("--model", "mine", "--prices", "prices.yaml", "--batch-size", 16, "--retries", 0)
    settings = {"SQL_RL_MAX_TOKENS": "256"}
    ended = run(*asking(server, rows, *options, "--max-cost", 0.5), **settings)
    assert ended.returncode == 3
    assert "--max-cost $0.5" in ended.stderr
    _, _, summary = parts(tmp_path / "out")
    assert 0.4 < summary["cost_usd"] <= 0.5
    assert summary["requests"] == server.answered.total() < 200
    ended = run(*asking(server, rows, *options, "--max-cost", 0.5), **settings)
    assert (ended.returncode, parts(tmp_path / "out")[2]["requests"]) == (3, summary["requests"]), (
        "the cap is the run's"
    )
    assert run(*asking(server, rows, *options, "--max-cost", 50), **settings).returncode == 0
    assert all(n == 1 for n in server.answered.values())


def test_ten_cents_at_known_prices_are_never_passed(run: Run, tmp_path: Path, server: ChatServer):
    """Whatever goes wrong on the way: the bill is what the server has answered, at the bundled prices of gpt-4.1."""
    rows = write_rows(tmp_path / "rows.jsonl", [row(i) for i in range(400)])
    billed = Counter()

    def respond(body: dict, visit: int) -> tuple[int, Any, dict]:
        if len(server.seen) % 7 == 0 and visit == 1:
            return 500, {"error": {"message": "again"}}, {}
        answer = chat_completion(body, "<think>so</think>" + "x" * (len(server.seen) % 400))
        billed.update({k: answer["usage"][k] for k in ("prompt_tokens", "completion_tokens")})
        return 200, answer, {}

    server.respond, server.delay = respond, 0.01
    options = ("--model", "gpt-4.1", "--batch-size", 64, "--retries", 2, "--max-cost", 0.1)
    ended = run(*asking(server, rows, *options), SQL_RL_MAX_TOKENS="128")
    assert ended.returncode == 3, ended.stderr
    bill = (billed["prompt_tokens"] * 2 + billed["completion_tokens"] * 8) / 1e6
    assert 0.09 < bill <= 0.1
    _, _, summary = parts(tmp_path / "out")
    assert summary["cost_usd"] + summary["unsettled"]["cost_usd"] == pytest.approx(bill, abs=1e-5)
    assert summary["requests"] + summary["unsettled"]["requests"] == server.answered.total()


def test_a_cap_needs_a_price(run: Run, tmp_path: Path, rows: Path, server: ChatServer):
    ended = run(*asking(server, rows, "--model", "mine", "--max-cost", 1))
    assert ended.returncode == 2
    assert "no price is known for mine" in ended.stderr
    (tmp_path / "prices.yaml").write_text("mine: 3")
    ended = run(*asking(server, rows, "--model", "mine", "--prices", "prices.yaml"))
    assert ended.returncode == 2
    assert "prices.yaml: not a price file" in ended.stderr


def test_rows_that_would_be_removed_whatever_the_answer_are_not_paid(run: Run, tmp_path: Path, server: ChatServer):
    rows = write_rows(tmp_path / "rows.jsonl", [row(0), *BROKEN])
    assert run(*asking(server, rows, "--validate", "--remove-no-valid")).returncode == 0
    _, rejected, summary = parts(tmp_path / "out")
    assert server.seen.total() == 1
    assert [(r["verdict"], r["attempts"]) for r in rejected] == [("gold_broken", 0)] * 2
    assert summary["rows"] == 3


def test_the_same_question_twice_is_paid_once(run: Run, tmp_path: Path, server: ChatServer):
    rows = write_rows(tmp_path / "rows.jsonl", [row(0), row(0, id=1), row(0, id=2)])
    server.delay = 0.2
    assert run(*asking(server, rows)).returncode == 0
    assert server.seen.total() == 1
    assert len(parts(tmp_path / "out")[0]) == 3


def test_dry_run_asks_and_writes_nothing(run: Run, tmp_path: Path, rows: Path, server: ChatServer):
    ended = run(*asking(server, rows, "--dry-run"))
    assert ended.returncode == 0
    assert "40 rows" in ended.stdout
    assert "How many shops of chain 0" in ended.stdout
    assert server.seen.total() == 0
    assert not (tmp_path / "out").exists()


def test_asked_by_the_batch_it_leaves_the_same_rows(run: Run, tmp_path: Path, rows: Path, server: ChatServer):
    with BatchServer(answers=server.answers).running() as batches:
        options = ("--dataset-repo-id", rows, "--output-dir", "batched", "--validate", "--batch-api")
        ended = run("distill", "--base-url", batches.url, *options, API_KEY="sk-x")
        assert ended.returncode == 0, ended.stderr
        assert (len(batches.batches), batches.answered_twice) == (1, 0)
        assert "nothing to do" in run("distill", "--base-url", batches.url, *options, API_KEY="sk-x").stdout
    assert run(*asking(server, rows, "--validate")).returncode == 0
    one_by_one, by_the_batch = parts(tmp_path / "out"), parts(tmp_path / "batched")
    assert [{**r, "cost_usd": 0} for r in by_the_batch[0]] == [{**r, "cost_usd": 0} for r in one_by_one[0]]
    assert by_the_batch[2]["cost_usd"] == pytest.approx(one_by_one[2]["cost_usd"] / 2, rel=1e-3)


def test_a_target_is_not_asked_for_by_a_whole_batch_and_all_that_was_asked_is_counted(
    run: Run, tmp_path: Path, rows: Path, server: ChatServer
):
    with BatchServer(answers=server.answers).running() as batches:
        options = ("--dataset-repo-id", rows, "--output-dir", "out", "--batch-api", "--target-accepted", 5)
        ended = run("distill", "--base-url", batches.url, *options, API_KEY="sk-x")
        assert ended.returncode == 0, ended.stderr
        asked = batches.answered.total()
        assert 10 <= asked <= 15, "about twice the target, of 40 rows"
    _, _, summary = parts(tmp_path / "out")
    assert (summary["rows"], summary["accepted"], summary["requests"]) == (5, 5, 5)
    assert summary["beyond_target"]["requests"] == asked - 5 and summary["beyond_target"]["prompt_tokens"] > 0


@pytest.mark.parametrize(
    ("name", "rows", "at_least"), [("gretel/rows.jsonl", 52, 48), ("spider/train_rows.parquet", 600, 600)]
)
def test_real_rows(run: Run, tmp_path: Path, shared: Path, name: str, rows: int, at_least: int):
    options = ("--provider", "offline", "--validate", "--limit", rows, "--output-dir", "out")
    ended = run("distill", "--dataset-repo-id", shared / name, *options)
    assert ended.returncode == 0, ended.stderr
    kept, rejected, summary = parts(tmp_path / "out")
    assert summary["rows"] == summary["accepted"] + summary["rejected"] == len(kept) + len(rejected) == rows
    assert summary["accepted"] >= at_least
    opened = datasets.load_dataset(str(tmp_path / "out"), split="train", cache_dir=str(tmp_path / "cache"))
    assert len(opened) == len(kept)
    assert len(list((tmp_path / "out" / "data").iterdir())) == 1, "one shard and no left-overs"
