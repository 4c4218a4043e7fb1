"""Reports in a real browser: what a person sees, searches and opens, of a distill, an evaluate and a train run."""

import asyncio
import dataclasses
import json
import random
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from small_benchmark import DATABASES, GOLDS, write_database, write_lines, write_questions
from support import BROKEN, row, write_rows

from sql_rl.configure import load
from sql_rl.distill.dataset import schema
from sql_rl.distill.run import distill
from sql_rl.evaluate.run import evaluate
from sql_rl.publish.parquet import DatasetWriter
from sql_rl.publish.report.job import write_report
from sql_rl.settings import JudgeSettings, TrainSettings
from sql_rl.sources import open_source
from sql_rl.testing.browser import BrowserPage, browser, installed

pytestmark = [
    pytest.mark.browser,
    pytest.mark.xdist_group("browser"),  # in one process, so that what they share is made once
    pytest.mark.skipif(installed() is None, reason="no Chromium is installed (Debian's package: chromium)"),
    pytest.mark.asyncio(loop_scope="module"),
]

EVIL = "</script><script>window.evil = 1</script><img src=x onerror='window.evil = 1'> <b>${evil}</b> {{ 7 * 7 }}"
# Values that JSON has no form for, or JavaScript no number.
NUMBERS = "SELECT 9e999, -9e999, 9007199254740993, 9007199254740992, x'00ff'"
NUMBERS_SHOWN = ["Inf", "-Inf", "9007199254740993", "9007199254740992", "x'00ff'"]
HOSTILE = row(50, sql_prompt=EVIL, sql_complexity="$\\frac{<b>", sql_context=row(50)["sql_context"] + f"; -- {EVIL}",
              sql=NUMBERS)  # fmt: skip
CI = [0.3, 0.5]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def page() -> AsyncIterator[BrowserPage]:
    async with browser() as found:
        yield found


@pytest.fixture(autouse=True)
def no_problem(page: BrowserPage):
    """Nothing that a test does makes the page complain."""
    page.problems.clear()
    yield
    assert page.problems == []


@pytest.fixture(scope="module")
def distilled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("distilled")
    levels = ("basic SQL", "aggregation")
    rows = [HOSTILE, *BROKEN, *(row(n, sql_complexity=levels[n % 2]) for n in range(60))]
    options = {"provider": "offline", "validate": True, "output_dir": str(folder / "out")}
    options["dataset_repo_id"] = str(write_rows(folder / "rows.jsonl", rows))
    settings, secrets = load({f"distill.{name}": value for name, value in options.items()})
    return distill(settings, secrets, "quiet").folder


@pytest.fixture(scope="module")
def evaluated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("evaluated")
    for name, script in DATABASES.items():
        write_database(folder / "bench" / "database" / name / f"{name}.sqlite", script)
    write_questions(folder / "bench" / "dev.json")
    said = [*GOLDS[:3], "SELECT name FROM pet", "SELECT nothing FROM pet", NUMBERS]
    options = {"benchmark": folder / "bench", "predictions": write_lines(folder / "said.sql", said)}
    options["output_dir"] = folder / "out"
    settings, secrets = load({f"evaluate.{name}": str(value) for name, value in options.items()})
    return evaluate(settings, secrets, "quiet").folder


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What a training leaves for its report; the runs of tests/train make one of a real training."""
    folder = tmp_path_factory.mktemp("trained")
    evaluations = {
        name: {"ex": ex, "ci95": CI, "rows": 7, "verdicts": {"match": 3, "no_sql": 4}, "truncated": 1}
        for name, ex in (("sft", 0.35), ("grpo", 0.5))
    }
    summary = {
        "command": "train",
        "model": {"name": "micro", "backend": "micro", "kind": "full", "parameters": 9999, "trained_parameters": 9999},
        "source": {"title": "shops"},
        "rows": {"learn": 50, "watch": 5, "test": 7, "left_out": {"no reasoning": 3}},
        "stages": ["sft", "grpo"],
        "evaluations": evaluations,
        "differences": [
            {"from": "sft", "to": "grpo", "difference": 0.15, "ci95": [0.05, 0.25], "only_first": 1, "only_second": 2,
             "p": 0.5}
        ],
        "reward_seconds_share": 0.01,
        "seconds": 60.0,
        "settings": {"train": dataclasses.asdict(TrainSettings()), "judge": dataclasses.asdict(JudgeSettings()),
                     "max_prompt_length": 512, "max_seq_length": 1024, "version": "0.1.0"},
    }  # fmt: skip
    logged = {"reward": 0.2, "rewards/format/mean": 0.1, "completions/clipped_ratio": 0.5, "verdicts/match": 0.3}
    metrics = [{"stage": "sft", "step": n, "loss": 3.0 / n} for n in range(1, 20)]
    metrics += [{"stage": "grpo", "step": n, **logged} for n in range(1, 20)]
    metrics += [{"stage": "grpo", "step": n, "eval/ex": 0.02 * n} for n in range(0, 20, 5)]
    sample = {"stage": "grpo", "row": 1, "question": "How many?", "text": f"<think>{EVIL}</think>", "sql": None}
    sample |= {"verdict": "no_sql", "reason": "there is no query in the answer", "rewards": {"format": None}}
    (folder / "run.json").write_text(json.dumps(summary))
    for name, lines in (("metrics", metrics), ("samples", [sample | {"step": n} for n in range(1, 20)])):
        write_lines(folder / f"{name}.jsonl", [json.dumps(line) for line in lines])
    write_report(folder)
    return folder


async def opened(page: BrowserPage, folder: Path) -> None:
    await page.open((folder / "report.html").as_uri())
    await page.until("document.querySelectorAll('#list > li').length > 0")


async def texts(page: BrowserPage, selector: str) -> list[str]:
    return await page.value(
        f"[...document.querySelectorAll({json.dumps(selector)})].map((e) => (e.innerText ?? e.textContent).trim())"
    )


async def test_a_distillation(page: BrowserPage, distilled: Path):
    await opened(page, distilled)
    plots = await texts(page, "figure h2")
    assert plots[:3] == ["Funnel", "Verdicts by complexity", "Length of reasoning"]
    assert all(await texts(page, "figcaption"))
    assert await texts(page, "#count") == ["63 of 63"]
    assert await texts(page, "#list .tag") == ["gold broken"] * 2 + ["match"] * 48, "the rejected ones first"
    assert {"rows", "characters", "100"} <= set(await texts(page, "figure svg text"))


async def test_an_evaluation(page: BrowserPage, evaluated: Path):
    await opened(page, evaluated)
    plots = await texts(page, "figure h2")
    assert plots == ["Metrics", "Funnel", "By hardness", "Verdicts by hardness", "By database"]
    assert await texts(page, "#list .tag") == ["mismatch", "error", "mismatch"]
    assert "3" in await texts(page, ".facts dd")
    hidden = "[...document.querySelectorAll('.scroll')].map((e) => e.scrollWidth - e.clientWidth)"
    assert set(await page.value(hidden)) == {0}, "no table hides columns on a wide screen"
    await page.value("document.querySelector('#list summary').click()")
    await page.until("document.querySelector('#list .body') !== null")
    body = (await texts(page, "#list .body"))[0]
    assert "SELECT name FROM pet WHERE kind = 'cat'" in body
    assert body.count("Tom") == 2, "both results"
    assert body.count("Rex") == 1
    await page.value("document.querySelectorAll('#list summary')[2].click()")
    await page.until("document.querySelectorAll('#list .body').length === 2")
    assert (await texts(page, "#list li:nth-child(3) td"))[1:] == NUMBERS_SHOWN


async def test_a_training(page: BrowserPage, trained: Path):
    await opened(page, trained)
    plots = " ".join(await texts(page, "figure h2"))
    for title in ("Before and after", "SFT: loss", "mean reward", "greedy execution accuracy", "cut off", "verdicts"):
        assert title in plots
    assert "steps 17 to 19 (3)" in " ".join(await texts(page, "#bar select"))
    samples = trained / "samples.jsonl"
    first = samples.read_text().splitlines()[:2]
    write_lines(samples, first)
    await asyncio.to_thread(write_report, trained)
    await opened(page, trained)
    assert await texts(page, "#bar [data-key=steps] option") == ["all", "step 1 (1)", "step 2 (1)"]
    assert await page.value("window.evil") is None


async def test_search_and_filters(page: BrowserPage, distilled: Path):
    await opened(page, distilled)
    typed = "document.getElementById('search')"
    await page.value(f"{typed}.value = 'CHAIN 17 shops'; {typed}.dispatchEvent(new Event('input'))")
    await page.until("document.getElementById('count').textContent === '1 of 63'")
    assert await texts(page, ".question") == ["How many shops of chain 17 are there in Ulm?"]
    await page.value(f"{typed}.value = ''; {typed}.dispatchEvent(new Event('input'))")
    await page.until("document.getElementById('count').textContent === '63 of 63'")
    chosen = "document.querySelector('[data-key=sql_complexity]')"
    await page.value(f"{chosen}.value = 'aggregation'; {chosen}.dispatchEvent(new Event('change', {{bubbles: true}}))")
    assert await texts(page, "#count") == ["30 of 63"]
    assert await page.value("document.getElementById('pager').hidden")
    await page.value(f"{chosen}.value = ''; {chosen}.dispatchEvent(new Event('change', {{bubbles: true}}))")
    await page.value("document.getElementById('next').click()")
    assert await texts(page, "#place") == ["51 to 63"]


async def test_hostile_text_is_only_text(page: BrowserPage, distilled: Path):
    await opened(page, distilled)
    number = (await texts(page, ".question")).index(EVIL)
    await page.value(f"document.querySelectorAll('#list summary')[{number}].click()")
    await page.until("document.querySelector('#list .body') !== null")
    assert EVIL in (await texts(page, "#list pre"))[0], "the schema as it is"
    assert await texts(page, "#list td") == NUMBERS_SHOWN * 2, "of both queries"
    assert await page.value("document.querySelectorAll('#list img, #list b, figure b').length") == 0
    assert await page.value("window.evil") is None
    html = (distilled / "report.html").read_text()
    assert "window.evil" not in html
    # Not even a script that came to stand in the page would run.
    await page.value("document.body.append(Object.assign(document.createElement('script'), {textContent: 'evil = 1'}))")
    assert await page.value("window.evil") is None
    assert page.problems.pop().startswith("Executing inline script violates")


async def test_light_and_dark(page: BrowserPage, distilled: Path):
    ground = "getComputedStyle(document.body).backgroundColor"
    bar = "getComputedStyle(document.querySelector('figure svg path[style*=\"--c1\"]')).fill"
    await page.prefer("light")
    await opened(page, distilled)
    light = await page.value(ground), await page.value(bar)
    await page.prefer("dark")
    dark = await page.value(ground), await page.value(bar)
    assert light[0] == "rgb(255, 255, 255)"
    assert light[0] != dark[0]
    assert light[1] != dark[1]
    await page.value("document.getElementById('theme').click()")
    assert (await page.value(ground), await page.value(bar)) == light
    await page.value("localStorage.clear()")
    await page.prefer("light")


async def test_a_phone_need_not_scroll_sideways(page: BrowserPage, distilled: Path, evaluated: Path, trained: Path):
    await page.resize(360, 740, mobile=True)
    for folder in (distilled, evaluated, trained):
        await opened(page, folder)
        await page.value("document.querySelectorAll('summary').forEach((e) => e.click())")
        await page.until("document.querySelector('#list .body') !== null")
        assert await page.value("document.documentElement.scrollWidth") <= 360
        assert min(await page.value("[...document.querySelectorAll('figure svg')].map((e) => e.clientWidth)")) > 300
    await page.resize(1200, 900)


async def test_20_000_rows_are_not_heavy(page: BrowserPage, distilled: Path, tmp_path: Path):
    summary = write_many(distilled, tmp_path, 20_000)
    report = await asyncio.to_thread(write_report, tmp_path)
    assert report.stat().st_size < 20e6
    spent = []
    while len(spent) < 5 and not any(seconds < 2 for seconds in spent):  # the machine may be busy with other things
        await opened(page, tmp_path)
        spent.append(await page.value("performance.now()") / 1000)  # since it was asked for
    assert min(spent) < 2
    (note,) = await texts(page, "#rows > p.caption")
    shown = await page.value("Number(document.getElementById('count').textContent.split(' ').pop().replace(',', ''))")
    assert note == f"{shown:,} of 20,000 rows are shown: the rejected ones first, the others evenly over the run."
    assert 5000 < shown < 20_000
    rejected = await page.value("document.querySelector('[data-key=state] [value=rejected]').textContent")
    assert rejected == f"rejected ({summary['rejected']:,})"


def write_many(like: Path, folder: Path, count: int) -> dict[str, Any]:
    """A run's folder with many rows of the usual size, one in ten of them rejected; run.json of it."""
    source = open_source(str(write_rows(folder / "rows.jsonl", [row(1, sql_complexity="basic SQL")])), "train", None)
    writer = DatasetWriter(folder / "data", folder / "rejected", schema(source.schema))
    draw = random.Random(0)
    phrases = [" ".join(f"{draw.getrandbits(36):x}" for _ in range(60)) for _ in range(500)]
    for n in range(count):
        is_rejected = n % 10 == 3
        mine = row(n, sql_complexity="basic SQL")
        distilled = {
            "messages": [],
            "generation": "",
            "reasoning": " ".join(draw.choices(phrases, k=3)),
            "answer_sql": mine["sql"],
            "verdict": "mismatch" if is_rejected else "match",
            "reason": "too few rows: 1 instead of 2" if is_rejected else None,
            "attempts": 1,
            "model_name": "m",
            "finish_reason": "stop",
            "prompt_tokens": 500,
            "completion_tokens": 300,
            "cost_usd": 0.001,
            "hint": False,
        }
        writer.add(mine | distilled, not is_rejected)
    writer.finish()
    summary = json.loads((like / "run.json").read_text())
    summary |= {"rows": count, "accepted": count * 9 // 10, "rejected": count // 10}
    (folder / "run.json").write_text(json.dumps(summary))
    return summary
