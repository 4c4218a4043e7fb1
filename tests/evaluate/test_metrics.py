"""Metrics, pass@k and the comparison of two runs: counted by hand."""

import itertools
import json
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from sql_rl.errors import UsageError
from sql_rl.evaluate.compare import compared, read_results
from sql_rl.evaluate.metrics import METRICS, Result, measured
from sql_rl.evaluate.output import closing
from sql_rl.evaluate.passk import ks, mean_pass_at_k, pass_at_k


def result(name: str, right: bool, **changes: object) -> Result:
    verdict, reason = ("match", "") if right else ("mismatch", "no")
    rules = [right] * len(METRICS)
    plain = Result(name, "db", f"question {name}", "SELECT 1", "SELECT 2", verdict, *rules, "", 0.1, "easy", reason)
    return replace(plain, **changes)


RESULTS = [
    result("a", True),
    result("b", False, hardness="extra", spider=True, db_id="other"),
    result("c", True, hardness="extra"),
    result("d", False, verdict="gold_broken", hardness="extra"),
]


def test_broken_golds_count_for_nobody():
    found = measured(RESULTS)
    assert (found["suite"]["correct"], found["suite"]["total"]) == (2, 3)
    assert found["suite"]["accuracy"] == pytest.approx(2 / 3)
    assert found["suite"]["ci95"] == pytest.approx([0.2077, 0.9385], abs=1e-4)
    assert (found["spider"]["correct"], found["spider"]["accuracy"]) == (3, 1.0)
    assert found["gold_broken"] == 1
    assert found["verdicts"] == {"gold_broken": 1, "match": 2, "mismatch": 1}


def test_groups():
    found = measured(RESULTS)
    assert list(found["by_hardness"]) == ["easy", "extra"]
    assert [(g["suite"]["correct"], g["suite"]["total"]) for g in found["by_hardness"].values()] == [(1, 1), (1, 2)]
    assert list(found["by_database"]) == ["db", "other"]
    levels = ["challenging", "weird", "moderate", "simple"]
    assert list(measured([result(name, True, hardness=name) for name in levels])["by_hardness"]) == [
        "simple", "moderate", "challenging", "weird",
    ]  # fmt: skip


def test_the_last_word_names_the_levels_of_a_benchmark_and_not_the_many_of_rows():
    summary = {"asked": "m", "questions": 5, "benchmark": "b", "verdicts": {"match": 5}, "gold_broken": 0, "seconds": 1}
    said = []
    for levels in (["easy", "medium", "hard", "extra"], ["basic SQL", "CTEs", "single join", "subqueries", "other"]):
        metrics = measured([result(name, True, hardness=name) for name in levels])
        said.append(closing(Path("out"), summary, metrics, {}, unchanged=False).lines[0].note)
    assert said == [
        "4 of 4, 95 %: 51.0 to 100.0; easy 100.0, medium 100.0, hard 100.0, extra 100.0",
        "5 of 5, 95 %: 56.6 to 100.0",
    ]


def test_nothing_counts():
    found = measured([result("a", False, verdict="gold_broken", hardness="", db_id="")])
    assert found["suite"] == {"accuracy": None, "correct": 0, "total": 0, "ci95": [0.0, 1.0]}
    assert found["by_hardness"] == found["by_database"] == {}


@pytest.mark.parametrize(("answers", "right"), [(5, 0), (5, 1), (5, 3), (5, 5), (1, 1)])
def test_pass_at_k_is_the_share_of_all_choices_of_k(answers: int, right: int):
    drawn = [n < right for n in range(answers)]
    for k in range(1, answers + 1):
        choices = list(itertools.combinations(drawn, k))
        assert pass_at_k(answers, right, k) == pytest.approx(sum(map(any, choices)) / len(choices))


@pytest.mark.parametrize(("answers", "right", "k"), [(5, 1, 0), (5, 1, 6), (5, 6, 1), (5, -1, 1)])
def test_pass_at_k_of_nonsense(answers: int, right: int, k: int):
    with pytest.raises(ValueError, match="not defined"):
        pass_at_k(answers, right, k)


def test_mean_pass_at_k():
    assert ks(1) == [1]
    assert ks(8) == [1, 2, 4, 8]
    assert ks(10) == [1, 2, 4, 8, 10]
    assert mean_pass_at_k([0, 2], 2) == {"1": 0.5, "2": 0.5}
    assert mean_pass_at_k([1, 1], 2) == {"1": 0.5, "2": 1.0}
    assert mean_pass_at_k([], 2) == {}


def test_a_comparison():
    other = [result("a", False), result("b", True), result("c", True), result("d", True), result("only there", True)]
    ours = [result("a", True), result("b", True), result("c", False), *RESULTS[3:], result("only here", True)]
    found = compared(other, ours, "baseline")
    assert (found["other"], found["questions"], found["left_out"]) == ("baseline", 3, 2)
    assert set(METRICS) < set(found)
    suite = found["suite"]
    assert (suite["both"], suite["only_first"], suite["only_second"], suite["neither"]) == (1, 1, 1, 0)
    assert (suite["difference"], suite["p"]) == (0.0, 1.0)
    assert [change["id"] for change in found["gained"]] == ["a"]
    assert [(change["id"], change["reason"]) for change in found["lost"]] == [("c", "no")]


def test_no_question_in_common():
    with pytest.raises(UsageError, match="1 questions there, 2 here, and none in common"):
        compared([result("x", True)], [result("a", True), result("x", True, question="another")], "baseline")


def test_results_are_read_as_they_are_written(tmp_path: Path):
    (tmp_path / "results.jsonl").write_text("".join(json.dumps(asdict(r)) + "\n" for r in RESULTS))
    assert read_results(tmp_path) == RESULTS
    with pytest.raises(UsageError, match="no results of a finished run"):
        read_results(tmp_path / "nowhere")
    (tmp_path / "results.jsonl").write_text('{"id": 1}\n')
    with pytest.raises(UsageError, match="not the results"):
        read_results(tmp_path)
