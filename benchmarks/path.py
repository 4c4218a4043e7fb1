"""The whole path on one CPU: distil, audit, train, evaluate, publish, load back, look. Every step is the real command.

    uv run benchmarks/path.py [--work FOLDER] [--quick] [--open]

Distils without a model (`--provider offline`) the bundled sample, Spider's training rows where they lie in
../shared/data, and questions of five schemas, drawn here; audits all three; trains `micro`, 2 million weights from
scratch, on what was distilled of the five schemas (the recipe of train_micro.py: SFT cut short, then GRPO with the
judge's reward); measures it before and after GRPO on 400 questions that neither stage has seen; publishes rows and
student to a Hub on loopback, loads both back from there, and opens the report.

Each command is printed as one would type it. What is done stays in FOLDER, and a start in it carries on. --quick goes
through the same with a few rows and steps of each, to see it work: its figures say nothing. --open shows the report.
"""

import argparse
import asyncio
import json
import os
import random
import shlex
import subprocess
import sys
import tempfile
import time
import urllib.request
import webbrowser
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from machine import ROOT, machine
from train_micro import CONFIG, TEMPLATES, short_rows

from sql_rl.testing.browser import browser, installed

SPIDER = ROOT.parent / "shared/data/spider/train_rows.parquet"
TAUGHT = ("generation", "validation")  # columns that would teach by themselves: the path distils its own
ALL = 1_000_000  # rows; more than there are
LOADED = 20  # questions that the student answers again, loaded back from the Hub


@dataclass(frozen=True, slots=True)
class Size:
    """drawn: rows of the generator, most of which are short enough to be taken. limit: rows of the other two datasets.
    train: settings of `train` in the place of CONFIG's."""

    drawn: int
    limit: int
    train: dict[str, Any]

    def setting(self, name: str) -> int:
        return (CONFIG["train"] | self.train)[name]


FULL = Size(6000, ALL, {"grpo_max_steps": 80, "eval_steps": 20, "save_steps": 20, "max_completion_length": 160})
QUICK = Size(
    100,
    60,
    {"eval_rows": 4, "test_rows": 12, "eval_batch_size": 16, "sft_max_steps": 10, "sft_eval_steps": 10}
    | {"grpo_max_steps": 2, "eval_steps": 2, "save_steps": 2, "max_completion_length": 64},
)


@dataclass(frozen=True, slots=True)
class Step:
    """One command. arguments: of main.py. result: what came of it, for the table; read when it has ended."""

    name: str
    arguments: list[str]
    result: Callable[[], str]


class Ledger:
    """What was done and what came of it, in FOLDER/steps.json, so that a second start does not do it again."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.done: dict[str, dict[str, Any]] = json.loads(path.read_text()) if path.exists() else {}

    def has(self, name: str) -> bool:
        return "result" in self.done.get(name, {})

    def take(self, name: str, work: Callable[[], None], result: Callable[[], str]) -> None:
        """Does the work and notes its seconds, unless it is done."""
        if self.has(name):
            print(f"\n{name}: done before")
            return
        again = name in self.done
        self._note(name, {})
        started = time.monotonic()
        work()
        seconds = time.monotonic() - started
        self._note(name, {"seconds": seconds, "result": result() + ("; carried on, its last start" if again else "")})

    def _note(self, name: str, what: dict[str, Any]) -> None:
        self.done[name] = what
        fresh = self._path.with_suffix(".new")
        fresh.write_text(json.dumps(self.done, indent=2))
        fresh.replace(self._path)

    def table(self) -> str:
        lines = [f"| {name} | {step['seconds']:.0f} | {step['result']} |" for name, step in self.done.items()]
        total = sum(step["seconds"] for step in self.done.values())
        return "\n".join(["| step | seconds | result |", "|---|---|---|", *lines, f"| all | {total:.0f} | |"])


def run(arguments: list[str], environ: Mapping[str, str]) -> None:
    """Prints a command of main.py as one would type it, and runs it; ends this program where it fails."""
    typed = [*(f"{name}={value}" for name, value in environ.items()), "uv run main.py", shlex.join(arguments)]
    print(f"\n$ {' '.join(typed)}", flush=True)
    process = subprocess.Popen([sys.executable, "main.py", *arguments], cwd=ROOT, env=os.environ | environ)
    try:
        code = process.wait()
    except KeyboardInterrupt:  # it heard Ctrl-C as well, and leaves its folder in order before it ends
        code = process.wait()
    if code:
        sys.exit(f"main.py {arguments[0]} ended with {code}; the same command carries on")


def draw(work: Path, size: Size) -> None:
    """Questions of five schemas to learn from and others to measure on, prompt templates, and the settings."""
    rows = list(short_rows(size.drawn))
    random.Random(0).shuffle(rows)
    watched, tested = size.setting("eval_rows"), size.setting("test_rows")
    held = watched + tested
    parts = {"held-out": rows[:held], "test": rows[watched:held], "schemas": rows[held:]}
    for name, part in parts.items():
        lines = ({k: v for k, v in row.items() if k not in TAUGHT} for row in part)
        (work / f"{name}.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    templates = work / "templates"
    templates.mkdir(exist_ok=True)
    for name, text in (TEMPLATES | {"style-query-plan": TEMPLATES["style-free"]}).items():
        (templates / f"{name}.md").write_text(text)
    places = {"eval_dataset": str(work / "held-out.jsonl"), "templates": str(templates)}
    train = CONFIG["train"] | size.train | places
    stated = CONFIG | {"max_tokens": train["max_completion_length"], "train": train}
    (work / "config.yaml").write_text(yaml.safe_dump(stated))


def steps(work: Path, size: Size) -> list[Step]:
    """The commands that need no Hub."""
    limit = ["--limit", str(size.limit)]
    offline = ["distill", "--provider", "offline", "--validate"]
    sources = {"sample": ["--dataset-repo-id", "sample", *limit]}
    if SPIDER.exists():
        sources["spider"] = ["--dataset-repo-id", str(SPIDER), *limit]
    sources["schemas"] = ["--dataset-repo-id", str(work / "schemas.jsonl"), "--limit", str(ALL)]
    # Of the offline teacher's two styles the one with fewer words, since a CPU rolls out each of them.
    short = ["--reasoning-style", "query-plan", "--templates", str(work / "templates")]
    found = []
    for name, source in sources.items():
        arguments = [*offline, *source, *(short if name == "schemas" else []), *to(work / f"distill-{name}")]
        found.append(Step(f"distill {name}", arguments, lambda name=name: distilled(work / f"distill-{name}")))
    for name, source in sources.items():
        arguments = ["audit", *source, *to(work / f"audit-{name}")]
        found.append(Step(f"audit {name}", arguments, lambda name=name: audited(work / f"audit-{name}")))
    student, config = work / "student", ["--config", str(work / "config.yaml")]
    learn = ["--dataset-repo-id", str(work / "distill-schemas"), *config, *to(student)]
    before, after = work / "evaluate-before", work / "evaluate-after"
    return [
        *found,
        Step("train micro", ["train", "--model", "micro", *learn], lambda: trained(student)),
        Step(
            "evaluate before GRPO",
            [*measuring(work, size), "--model", str(student / "sft/best"), *to(before)],
            lambda: measured(before),
        ),
        Step(
            "evaluate after GRPO",
            [*measuring(work, size), "--model", str(student / "merged"), "--compare", str(before), *to(after)],
            lambda: measured(after),
        ),
    ]


def on_hub(work: Path, size: Size, url: str) -> list[Step]:
    """The commands that publish to the Hub at `url`, and load back from it."""
    rows, student, back = work / "distill-schemas", work / "student", work / "evaluate-from-hub"
    again = ["--limit", str(min(LOADED, size.setting("test_rows"))), "--no-resume", *to(back)]
    return [
        Step(
            "publish the rows",
            ["publish", str(rows), "--repo-id", "me/path-rows"],
            lambda: published(f"{url}/api/datasets/me/path-rows"),
        ),
        Step(
            "publish the student",
            ["publish", str(student), "--repo-id", "me/path-student"],
            lambda: published(f"{url}/api/models/me/path-student"),
        ),
        Step(
            "load the rows back",
            ["audit", "--dataset-repo-id", "me/path-rows", *to(work / "audit-from-hub")],
            lambda: rows_came_back(work),
        ),
        Step(
            "load the student back",
            [*measuring(work, size), "--model", "me/path-student", *again],
            lambda: student_came_back(back, work / "evaluate-after"),
        ),
    ]


def to(folder: Path) -> list[str]:
    return ["--output-dir", str(folder)]


def measuring(work: Path, size: Size) -> list[str]:
    batch = ["--batch-size", str(size.setting("eval_batch_size"))]
    asked = ["--benchmark", str(work / "test.jsonl"), "--templates", str(work / "templates"), *batch]
    return ["evaluate", "--provider", "local", *asked, "--config", str(work / "config.yaml")]


def distilled(folder: Path) -> str:
    found = read(folder / "run.json")
    rejected = ", ".join(f"{count:,} {reason}" for reason, count in found["rejected_by_verdict"].items())
    return f"{found['rows']:,} rows, {found['accepted']:,} accepted" + (f"; rejected: {rejected}" if rejected else "")


def audited(folder: Path) -> str:
    found = read(folder / "run.json")
    left_out = ", ".join(f"{n:,} {stage}" for stage, n in found["funnel"].items() if n and stage != "kept")
    return f"{found['rows']:,} rows, {found['funnel']['kept']:,} kept" + (f"; left out: {left_out}" if left_out else "")


def trained(folder: Path) -> str:
    found = read(folder / "run.json")
    lines = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    sft = max(line["step"] for line in lines if line["stage"] == "sft")
    took = [line["seconds/step"] for line in lines if line["stage"] == "grpo" and "reward" in line]
    exs = ", ".join(f"{100 * e['ex']:.1f} % after {stage}" for stage, e in found["evaluations"].items())
    return (
        f"{found['rows']['learn']:,} rows; SFT {sft} steps, GRPO {len(took)} steps of {sum(took) / len(took):.1f} s, "
        f"rewards {100 * found['reward_seconds_share']:.1f} % of them; greedy EX {exs}"
    )


def measured(folder: Path) -> str:
    found = read(folder / "metrics.json")["suite"]
    low, high = found["ci95"]
    told = f"EX {100 * found['accuracy']:.1f} % of {found['total']} ({100 * low:.1f} to {100 * high:.1f})"
    if not (folder / "comparison.json").exists():
        return told
    gain = read(folder / "comparison.json")["suite"]
    points, low, high = (100 * value for value in (gain["difference"], *gain["ci95"]))
    return f"{told}; {points:+.1f} points, paired 95 % interval {low:+.1f} to {high:+.1f}"


def published(api: str) -> str:
    with urllib.request.urlopen(api) as answer:
        return f"{len(json.load(answer)['siblings'])} files there"


def rows_came_back(work: Path) -> str:
    sent, came = read(work / "distill-schemas/run.json")["accepted"], read(work / "audit-from-hub/run.json")["rows"]
    if came != sent:
        sys.exit(f"{came} rows came back from the Hub, but {sent} were accepted")
    return f"{came:,} rows, all that were accepted"


def student_came_back(folder: Path, local: Path) -> str:
    came, known = (
        [json.loads(line)["predicted_sql"] for line in (path / "results.jsonl").read_text().splitlines()]
        for path in (folder, local)
    )
    same = sum(a == b for a, b in zip(came, known, strict=False))
    return f"writes the same query as before to {same} of {len(came)} questions"


def read(path: Path) -> dict[str, Any]:
    return json.loads(path.read_text(encoding="utf-8"))


@contextmanager
def hub() -> Iterator[dict[str, str]]:
    """The Hub of the tests, in a process of its own; the environment that points there, with a cache that goes too."""
    command = ["-m", "sql_rl.testing.hub_server", "--token", "hf_test", "--owner", "me"]
    print(f"\n$ uv run python {shlex.join(command)} &", flush=True)
    with (
        tempfile.TemporaryDirectory() as cache,
        subprocess.Popen(
            [sys.executable, *command], cwd=ROOT, stdout=subprocess.PIPE, text=True, start_new_session=True
        ) as server,
    ):
        try:
            url = json.loads(server.stdout.readline())["base_url"]
            yield {
                "HF_ENDPOINT": url,
                "HF_TOKEN": "hf_test",
                "HF_HUB_DISABLE_XET": "1",
                "HF_HUB_OFFLINE": "0",
                "HF_HOME": cache,
            }
        finally:
            server.kill()


async def look(page: Path) -> str:
    """What a headless browser finds in a report: its title, plots, and whether its console complains."""
    async with browser() as tab:
        await tab.open(page.as_uri())
        title = await tab.value("document.title")
        plots = await tab.value("document.querySelectorAll('svg, img').length")
        return f"{title}: {plots} plots, {len(tab.problems)} complaints of the browser"


def looked_at(page: Path) -> str:
    size = f"{page}, {page.stat().st_size / 2**20:.1f} MB"
    return f"{size}; {asyncio.run(look(page))}" if installed() else f"{size}; no browser here to look at it"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", type=Path, help="what is done stays here (a folder in the system's temporary one)")
    parser.add_argument("--quick", action="store_true", help="a few rows and steps of each, to see it work")
    parser.add_argument("--open", action="store_true", help="open the report in the browser")
    options = parser.parse_args()
    size = QUICK if options.quick else FULL
    work = (options.work or Path(tempfile.gettempdir()) / f"sql-rl-path{'-quick' * options.quick}").resolve()
    work.mkdir(parents=True, exist_ok=True)
    ledger = Ledger(work / "steps.json")
    if not SPIDER.exists():
        print(f"{SPIDER} is missing: the sample and the drawn questions do without it")
    questions = work / "schemas.jsonl"
    ledger.take(
        "draw questions", lambda: draw(work, size), lambda: f"{len(questions.read_text().splitlines()):,} to learn from"
    )
    for step in steps(work, size):
        ledger.take(step.name, lambda step=step: run(step.arguments, {}), step.result)
    if not all(ledger.has(step.name) for step in on_hub(work, size, "")):
        with hub() as environ:  # it forgets what it was told, so that all of its steps are done together
            for step in on_hub(work, size, environ["HF_ENDPOINT"]):
                ledger.done.pop(step.name, None)
                ledger.take(step.name, lambda step=step: run(step.arguments, environ), step.result)
    page = work / "student/report.html"
    ledger.take("report", lambda: run(["report", str(work / "student")], {}), lambda: looked_at(page))
    print(f"\n{ledger.table()}\n\n{machine()}\n\n{page}")
    if options.open:
        webbrowser.open(page.as_uri())


if __name__ == "__main__":
    main()
