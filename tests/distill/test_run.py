"""`distill` as a user runs it: the program in a process of its own, a real server, real interruptions."""

import json
import shutil
import signal
import subprocess
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import datasets
import pyarrow.parquet as pq
import pytest

from sql_rl.distill.dataset import DISTILLED
from sql_rl.testing.batch_server import BatchServer
from sql_rl.testing.chat_server import ChatServer, Faults, chat_completion

Run = Callable[..., subprocess.CompletedProcess[str]]


def row(i: int, **changes: Any) -> dict[str, Any]:
    context = (
        f"CREATE TABLE shop_{i} (id INT, town TEXT); INSERT INTO shop_{i} VALUES (1, 'Ulm'), (2, 'Bonn'), ({i}, 'Ulm')"
    )
    question = f"How many shops of chain {i} are there in Ulm?"
    sql = f"SELECT COUNT(*) FROM shop_{i} WHERE town = 'Ulm'"
    return {"id": i, "domain": "retail", "sql_prompt": question, "sql_context": context, "sql": sql} | changes


def write_rows(path: Path, rows: list[dict[str, Any]]) -> Path:
    path.write_text("".join(json.dumps(r) + "\n" for r in rows))
    return path


@pytest.fixture
def rows(tmp_path: Path) -> Path:
    """Forty good rows."""
    return write_rows(tmp_path / "rows.jsonl", [row(i) for i in range(40)])


@pytest.fixture
def server(chat_server: ChatServer) -> ChatServer:
    """Knows the right query for every row that `row` makes."""
    chat_server.answers = {row(i)["sql_prompt"]: row(i)["sql"] for i in range(2000)}
    return chat_server


def asking(server: ChatServer, rows: Path, *more: object) -> tuple[object, ...]:
    return (
        "distill",
        "--base-url",
        server.url,
        "--dataset-repo-id",
        rows,
        "--output-dir",
        "out",
        "--limit",
        5000,
        *more,
    )


def parts(folder: Path) -> tuple[list[dict], list[dict], dict]:
    """The kept rows, the rejected rows, run.json."""
    kept = [r for part in sorted((folder / "data").glob("train-*.parquet")) for r in pq.read_table(part).to_pylist()]
    return kept, pq.read_table(folder / "rejected.parquet").to_pylist(), json.loads((folder / "run.json").read_text())


def files(folder: Path) -> dict[str, Any]:
    """What a run leaves, without what time alone changes."""
    kept, rejected, summary = parts(folder)
    del summary["seconds"], summary["wire"]
    return {"kept": kept, "rejected": rejected, "summary": summary, "card": (folder / "README.md").read_text()}


# -- what a run leaves ------------------------------------------------------------------------------------------------

BROKEN = [row(90, sql="SELECT nothing FROM shop_90"), row(91, sql="SELECT COUNT(*) FROM elsewhere")]


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


# -- faults -----------------------------------------------------------------------------------------------------------


def test_faults_cost_no_row_and_no_request_is_paid_twice(run: Run, tmp_path: Path, server: ChatServer):
    rows = write_rows(tmp_path / "rows.jsonl", [row(i) for i in range(300)])
    faults = Faults(error_400=0.03, error_500=0.05, error_429=0.1, reset=0.05, torn=0.02, empty=0.03, truncated=0.02)
    server.faults, server.retry_after = faults, "0"
    ended = run(*asking(server, rows, "--validate", "--batch-size", 32, "--retries", 1, "--show-gold", "never"))
    assert ended.returncode == 0, ended.stderr
    kept, rejected, summary = parts(tmp_path / "out")
    met = Counter(faults.of(prompt) for prompt in server.seen)
    assert len(met) == 8, "every fault was met"
    assert len(kept) == summary["accepted"] == 300 - met["error_400"] - met["empty"] - met["truncated"]
    assert len({r["id"] for r in kept + rejected}) == 300
    for prompt, times in server.seen.items():
        fault = faults.of(prompt)
        assert times == {"": 1, "error_400": 1}.get(fault, 2), fault
    refused = [r for r in rejected if r["reason"].startswith("400 from")]
    assert len(refused) == met["error_400"]


ENDS = {
    "refused key": (401, {"error": {"message": "Incorrect API key provided"}}, 4, "Incorrect API key"),
    "forbidden": (403, {"error": {"message": "Country not supported"}}, 4, "Country not supported"),
    "spent quota": (429, {"error": {"message": "quota", "code": "insufficient_quota"}}, 3, "the quota is spent"),
    "no such model": (404, {"error": {"message": "The model does not exist"}}, 2, "check --model"),
}


@pytest.mark.parametrize(("status", "body", "code", "said"), ENDS.values(), ids=ENDS.keys())
def test_what_ends_a_run(
    run: Run, tmp_path: Path, rows: Path, server: ChatServer, status: int, body: dict, code: int, said: str
):
    good = server.answers

    def respond(request: dict, visit: int) -> tuple[int, Any, dict]:
        question = request["messages"][-1]["content"].rpartition("Question: ")[2]
        if question in list(good)[:5]:
            return 200, chat_completion(request, f"<think>a</think><sql>{good[question]}</sql>"), {}
        return status, body, {}

    server.respond = respond
    ended = run(*asking(server, rows, "--validate"))
    assert ended.returncode == code
    assert said in ended.stderr.splitlines()[-1]
    assert "Traceback" not in ended.stderr
    kept, _, summary = parts(tmp_path / "out")
    assert len(kept) == 5, "what was answered before is kept"
    assert summary["status"] == "stopped"
    assert summary["remaining"] == 35
    server.respond = None
    assert run(*asking(server, rows, "--validate")).returncode == 0
    assert len(parts(tmp_path / "out")[0]) == 40
    assert all(n == 1 for n in server.answered.values())


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


# -- interruptions ----------------------------------------------------------------------------------------------------


@pytest.fixture
def start(command: Callable[..., list[str]], clean_environ: dict[str, str], tmp_path: Path):
    """Starts the program and gives its process; whatever still runs at the end is killed."""
    processes: list[subprocess.Popen[str]] = []

    def start_main(*arguments: object) -> subprocess.Popen[str]:
        pipe = subprocess.PIPE
        process = subprocess.Popen(
            command(*arguments), cwd=tmp_path, env=clean_environ, stdout=pipe, stderr=pipe, text=True
        )
        processes.append(process)
        return process

    yield start_main
    for process in processes:
        process.kill()
        process.wait()


def wait_until(condition: Callable[[], bool], seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it does not come to that"
        time.sleep(0.005)


def unbroken(run: Run, tmp_path: Path, server: ChatServer, rows: Path, *options: object) -> dict[str, Any]:
    """The files of the same run without an interruption."""
    assert run(*asking(server, rows, *options)).returncode == 0
    wanted = files(tmp_path / "out")
    shutil.rmtree(tmp_path / "out")
    server.seen.clear()
    server.answered.clear()
    return wanted


def test_kill_9_costs_only_what_is_on_the_wire(run: Run, start, tmp_path: Path, server: ChatServer):
    rows = write_rows(tmp_path / "rows.jsonl", [row(i) for i in range(200)])
    options = ("--validate", "--batch-size", 16)
    wanted = unbroken(run, tmp_path, server, rows, *options)
    server.delay = 0.05
    for answers in (1, 40, 70, 110, 150):
        process = start(*asking(server, rows, *options))
        wait_until(lambda answers=answers: server.answered.total() >= answers)
        process.kill()
        process.wait()
    assert run(*asking(server, rows, *options)).returncode == 0
    assert files(tmp_path / "out") == wanted
    twice = server.answered.total() - len(server.answered)
    assert twice <= 5 * 16, "more was paid twice than was ever in flight"
    assert len(server.answered) == 200


@pytest.mark.parametrize("signum", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_drains_and_loses_nothing(run: Run, start, tmp_path: Path, server: ChatServer, signum: signal.Signals):
    rows = write_rows(tmp_path / "rows.jsonl", [row(i) for i in range(100)])
    wanted = unbroken(run, tmp_path, server, rows)
    server.delay = 0.2
    process = start(*asking(server, rows))
    wait_until(lambda: server.answered.total() >= 20)
    process.send_signal(signum)
    _, said = process.communicate(timeout=20)
    assert process.returncode == 3
    assert said.splitlines()[-1] == f"error: stopped by {signum.name}; the same command carries on"
    kept, _, summary = parts(tmp_path / "out")
    assert len(kept) == server.answered.total(), "every paid answer is in the dataset"
    assert summary["remaining"] == 100 - len(kept) > 0
    assert run(*asking(server, rows)).returncode == 0
    assert files(tmp_path / "out") == wanted
    assert all(n == 1 for n in server.answered.values()), "nothing was paid twice"


def test_a_second_signal_stops_at_once_and_keeps_what_was_finished(start, tmp_path: Path, server: ChatServer):
    rows = write_rows(tmp_path / "rows.jsonl", [row(i) for i in range(100)])

    def respond(body: dict, visit: int) -> tuple[int, Any, dict]:
        return 200, chat_completion(body, "<think>a</think><sql>SELECT 1</sql>"), {}

    server.respond, server.delay = respond, 0.0
    process = start(*asking(server, rows))
    wait_until(lambda: server.answered.total() >= 10)
    server.delay = 60.0
    wait_until(lambda: server.in_flight >= 8)
    process.send_signal(signal.SIGTERM)
    time.sleep(0.5)
    assert process.poll() is None, "it waits for what is in flight"
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=15)
    assert process.returncode == 3
    assert len(parts(tmp_path / "out")[0]) >= 10


def test_a_second_run_of_the_same_folder_is_kept_out(run: Run, start, tmp_path: Path, rows: Path, server: ChatServer):
    server.delay = 60.0
    start(*asking(server, rows))
    wait_until(lambda: server.seen.total() > 0)
    ended = run(*asking(server, rows))
    assert ended.returncode == 75
    assert "another run holds this folder" in ended.stderr


def test_a_finished_run_is_left_alone(run: Run, tmp_path: Path, rows: Path, server: ChatServer):
    assert run(*asking(server, rows)).returncode == 0
    before = {p: p.stat().st_mtime_ns for p in (tmp_path / "out").rglob("*") if p.is_file()}
    ended = run(*asking(server, rows))
    assert ended.returncode == 0
    assert "nothing to do" in ended.stdout
    assert before == {p: p.stat().st_mtime_ns for p in before}
    assert server.seen.total() == 40


def test_more_rows_ask_for_the_new_ones_only(run: Run, tmp_path: Path, rows: Path, server: ChatServer):
    assert run(*asking(server, rows, "--limit", 10)).returncode == 0
    assert run(*asking(server, rows, "--limit", 25, "--validate")).returncode == 0
    assert server.seen.total() == 25
    kept, _, _ = parts(tmp_path / "out")
    assert [r["verdict"] for r in kept] == ["match"] * 25


def test_other_settings_are_refused_in_the_same_folder(run: Run, tmp_path: Path, rows: Path, server: ChatServer):
    assert run(*asking(server, rows)).returncode == 0
    ended = run(*asking(server, rows, "--model", "other"))
    assert ended.returncode == 2
    assert "model: 'gpt-4.1-nano' there, 'other' now" in ended.stderr
    assert "--output-dir" in ended.stderr


def test_starting_anew_keeps_the_old_journal(run: Run, tmp_path: Path, rows: Path, server: ChatServer):
    assert run(*asking(server, rows)).returncode == 0
    assert run(*asking(server, rows, "--no-resume", "--model", "other")).returncode == 0
    assert server.seen.total() == 80
    assert (tmp_path / "out" / "journal-1.jsonl").exists()
    assert parts(tmp_path / "out")[0][0]["model_name"] == "other"


# -- disks ------------------------------------------------------------------------------------------------------------


@pytest.fixture
def private_mounts() -> None:
    """Skips where this user may not mount a file system of its own."""
    probe = ["unshare", "--user", "--map-root-user", "--mount", "mount", "-t", "tmpfs", "tmpfs", "/mnt"]
    if shutil.which("unshare") is None or subprocess.run(probe, capture_output=True, check=False).returncode != 0:
        pytest.skip("no mount namespaces for this user")


def test_a_full_disk_loses_nothing(
    private_mounts: None, command: Callable[..., list[str]], clean_environ, tmp_path: Path, server: ChatServer
):
    """The disk fills up in mid-run; once there is room the same command ends it. No answer is paid twice."""
    rows = write_rows(tmp_path / "rows.jsonl", [row(i) for i in range(400)])
    text = "<think>" + "because " * 500 + "</think><sql>SELECT 1</sql>"
    server.respond = lambda body, visit: (200, chat_completion(body, text), {})
    (tmp_path / "disk").mkdir()
    program = " ".join(f"'{part}'" for part in command(*asking(server, rows, "--output-dir", "disk/out")))
    script = f"""
        mount -t tmpfs -o size=1m tmpfs disk
        {program}; echo "code $?" >&2
        mount -o remount,size=64m disk
        {program}; echo "code $?" >&2
        cp -r disk/out saved
    """
    ended = subprocess.run(
        ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c", script],
        cwd=tmp_path, env=clean_environ, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert [line for line in ended.stderr.splitlines() if line.startswith("code")] == ["code 1", "code 0"], ended.stderr
    assert "make room" in ended.stderr
    assert "Traceback" not in ended.stderr
    assert len(parts(tmp_path / "saved")[0]) == 400
    assert server.answered.total() == 400


@pytest.mark.parametrize("place", ["taken", "/proc/nowhere"])
def test_a_folder_that_cannot_be_written(run: Run, tmp_path: Path, rows: Path, place: str):
    (tmp_path / "taken").write_text("a file")
    ended = run("distill", "--provider", "offline", "--dataset-repo-id", rows, "--output-dir", place)
    assert ended.returncode == 2
    assert "cannot be written" in ended.stderr
    assert "Traceback" not in ended.stderr


# -- real rows --------------------------------------------------------------------------------------------------------


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
