"""The parts of a report: which rows are shown, plots as SVG, colours that can be read, bad input, the command."""

import base64
import gzip
import json
import re
from pathlib import Path
from xml.etree import ElementTree

import pytest
from support import Run, row, write_rows

from sql_rl.examples import Example
from sql_rl.publish.report import page
from sql_rl.publish.report.plots import Bar, bars, histogram, lines, shares
from sql_rl.publish.report.results import NOT_RUN, Pair, cell, results
from sql_rl.publish.report.rows import MOST_CHARACTERS, Field, Texts, browser, clipped, evenly
from sql_rl.settings import JudgeSettings

FIELDS = (Field("text", "Text"), Field("context", "Database", "shared"))


def unpacked(packed: str) -> dict:
    return json.loads(gzip.decompress(base64.b64decode(packed)))


@pytest.mark.parametrize(
    ("count", "wanted", "positions"),
    [(3, 5, [0, 1, 2]), (3, 3, [0, 1, 2]), (10, 5, [0, 2, 4, 6, 8]), (7, 3, [0, 2, 4]), (4, 0, []), (0, 9, [])],
)
def test_positions_are_evenly_spread(count: int, wanted: int, positions: list[int]):
    assert evenly(count, wanted) == positions


def test_a_long_text_says_that_it_was_cut():
    assert clipped("abc", 3) == "abc"
    assert clipped("abcde", 3) == "abc\n… (2 more characters)"
    assert clipped(None) == ""


def test_rows_that_share_a_schema_bring_it_once():
    texts = Texts()
    rows = [{"text": f"{n}", "context": texts.number("CREATE TABLE t (a)")} for n in range(3)]
    made = browser("Rows", "rows", 3, FIELDS, [("text", "Text")], rows, "", texts.all)
    assert made.note == "All 3 rows."
    assert unpacked(made.packed)["rows"] == rows
    assert unpacked(made.packed)["texts"] == ["CREATE TABLE t (a)"]


def test_of_too_many_rows_the_first_that_fit_are_shown():
    texts = Texts()
    half = "x" * (MOST_CHARACTERS // 2)
    rows = [{"text": half, "context": texts.number(f"schema {n}")} for n in range(3)]
    made = browser("Rows", "rows", 9, FIELDS, [], rows, "as dealt", texts.all)
    assert made.note == "1 of 9 rows are shown: as dealt."
    assert unpacked(made.packed)["texts"] == ["schema 0", "", ""]


DRAWN = [
    bars("Bars", "Some bars.", "rows", [Bar("a", 3, "3"), Bar("$\\frac{", 1, "1", (0, 2))]),
    bars("None", "No bar is longer than nothing.", "rows", [Bar("a", 0, "0")], top=100),
    shares("Shares", "Of verdicts.", {"<b>&": {"match": 3, "no_sql": 1}, "": {"error": 1}}, "rows"),
    histogram("Lengths", "How long.", "characters", "rows", {"accepted": [1, 2, 3, 500], "rejected": [2]}),
    lines("Curve", "Over steps.", "step", "nats", {"loss": [(1, 3.0), (2, 1.5)], "題": [(1, 1.0)]}),
]


@pytest.mark.parametrize("plot", DRAWN, ids=lambda plot: plot.title)
def test_a_plot_is_text_and_the_colours_of_the_page(plot):
    drawing = ElementTree.fromstring(plot.svg)
    assert drawing.get("aria-label") == f"{plot.title}. {plot.caption}"
    assert {"rows", "step", "characters", "% of rows"} & {
        "".join(t.itertext()) for t in drawing.iter() if "text" in t.tag
    }
    assert not re.search(r"#0000[01]\d|DejaVu|\.\d{3}", plot.svg)
    assert "var(--" in plot.svg
    ids = re.findall(r'\bid="([^"]*)"', plot.svg)
    assert len(ids) == len(set(ids))
    assert len(plot.svg) < 40_000


def test_the_numbers_at_an_axis_are_whole():
    plot = lines("Curve", "Over steps.", "step", "reward", {"mean": [(1, 0.0), (2, 0.0251)]})
    labels = ["".join(text.itertext()) for text in ElementTree.fromstring(plot.svg).iter() if "text" in text.tag]
    assert {"0.005", "0.010", "0.015"} <= set(labels)


@pytest.mark.parametrize(
    ("values", "labels"),
    [
        ([0.0, 0.0], {"0.0", "1.0"}),
        ([7.6, 7.6], {"0", "6"}),
        ([-1.0, 2.0], {"\N{MINUS SIGN}1.0", "2.0"}),
        ([float("nan"), 3.0], {"0.0", "3.0"}),
    ],
)
def test_the_axis_of_a_curve_begins_at_0_and_holds_all_of_it(values: list[float], labels: set[str]):
    drawing = ElementTree.fromstring(lines("Curve", "Over steps.", "step", "%", {"a": list(enumerate(values))}).svg)
    found = ["".join(text.itertext()) for text in drawing.iter() if "text" in text.tag]
    assert labels <= set(found)
    assert any(label.startswith("\N{MINUS SIGN}") for label in found) == (min(values) < 0)
    height = float(drawing.get("viewBox").split()[3])
    heights = [float(y) for path in drawing.iter() for y in re.findall(r"[ML] \S+ (\S+)", path.get("d") or "")]
    assert all(0 <= y <= height for y in heights)


def test_results_are_run_by_the_judge_and_bounded():
    context = "CREATE TABLE t (a INT, b TEXT); INSERT INTO t VALUES (1, 'x'), (2, NULL)"
    example = Example(0, "0", "?", context, "SELECT a FROM t")
    pairs = [Pair(example, "SELECT a, b FROM t", False), Pair(example, "DROP TABLE t", False), Pair(example, "", True)]
    (gold, table), (_, refused), (same, also) = results(pairs, JudgeSettings(workers=1))
    assert gold == same == also == {"columns": ["a"], "rows": [[1], [2]], "cut": False}
    assert table["rows"] == [[1, "x"], [2, None]]
    assert "error" in refused
    assert results(pairs[:1], JudgeSettings(workers=1), seconds=0) == [(NOT_RUN, NOT_RUN)]


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ({"blob": "00ff"}, "x'00ff'"),
        ("y" * 100, "y" * 100),
        ("y" * 101, "y" * 99 + "…"),
        ({"blob": "00" * 60}, "x'" + "00" * 48 + "0…"),
        (None, None),
        (1.5, 1.5),
        (float("inf"), "Inf"),
        (float("-inf"), "-Inf"),
        (2**53, 2**53),
        (-(2**53) - 1, "-9007199254740993"),
    ],
)
def test_a_cell_is_what_a_browser_can_read_and_show(value: object, shown: object):
    assert cell(value) == shown


def words_of(plot) -> list[str]:
    return ["".join(text.itertext()) for text in ElementTree.fromstring(plot.svg).iter() if "text" in text.tag]


def test_a_colour_with_a_meaning_is_named_even_alone():
    assert "gold broken" in words_of(shares("Shares", "Of verdicts.", {"a": {"gold_broken": 3}}, "rows"))
    assert "rejected" in words_of(histogram("Lengths", "How long.", "characters", "rows", {"rejected": [3]}))


@pytest.mark.parametrize("most", [1, 2, 3, 7, 1000])
def test_rows_are_counted_in_whole_numbers(most: int):
    counts = words_of(histogram("Lengths", "How long.", "x", "rows", {"a": [5] * most + [0]}))
    across = counts.index("x")
    assert len(set(counts[across + 1 :])) == len(counts[across + 1 :]), "no number stands twice"


def luminance(colour: str) -> float:
    """WCAG 2.2, relative luminance."""
    parts = (int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5))
    red, green, blue = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def test_contrast_is_that_of_wcag_aa():
    style = (Path(page.__file__).parent / "templates" / "report.css").read_text()
    pairs = dict(re.findall(r"--(\w+): light-dark\((#\w{6}, #\w{6})\)", style))
    for mode in (0, 1):
        colours = {name: luminance(pair.split(", ")[mode]) for name, pair in pairs.items()}
        for name in ("ink", "muted", "link", "keyword", "string", "number", "comment"):
            for ground in ("paper", "raised"):
                light, dark = sorted((colours[name], colours[ground]), reverse=True)
                assert (light + 0.05) / (dark + 0.05) >= 4.5, (name, ground, mode)
        for name in ("c1", "c2", "c3", "c4", "c5", "c6"):
            light, dark = sorted((colours[name], colours["paper"]), reverse=True)
            assert (light + 0.05) / (dark + 0.05) >= 3, (name, mode)


def test_the_command_makes_the_same_report_again(run: Run, tmp_path: Path):
    rows = write_rows(tmp_path / "rows.jsonl", [row(n) for n in range(3)])
    asked = ("distill", "--provider", "offline", "--validate", "--dataset-repo-id", rows, "--output-dir", "out")
    assert run(*asked).returncode == 0
    report = tmp_path / "out" / "report.html"
    assert not report.exists(), "turned off by the setting"
    made = run("report", "out")
    assert made.stdout.strip() == "out/report.html"
    first = report.read_bytes()
    assert json.loads(run("report", "out", "--json").stdout) == {"folder": "out", "report": "out/report.html"}
    assert report.read_bytes() == first


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (None, "no run.json"),
        ('{"command": "audit"}', "what `audit` left"),
        ('{"command": "evaluate", "status": "stopped"}', "metrics.json: missing"),
        ('{"command": "train"}', "'model' is missing"),
    ],
)
def test_a_folder_without_a_run_is_told_in_a_line(run: Run, tmp_path: Path, content: str | None, problem: str):
    (tmp_path / "out").mkdir()
    if content:
        (tmp_path / "out" / "run.json").write_text(content)
    ended = run("report", "out")
    assert ended.returncode == 2
    assert problem in ended.stderr
    assert ended.stderr.count("\n") == 1
    assert not (tmp_path / "out" / "report.html").exists()
