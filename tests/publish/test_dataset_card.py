"""The dataset card: what it says follows run.json and the rows, and no text of a row can break it."""

import dataclasses

import pytest
from huggingface_hub import DatasetCard
from markdown_it import MarkdownIt

from sql_rl.publish.dataset_card import command, dataset_card, public
from sql_rl.publish.sections import merged
from sql_rl.settings import Settings


def summary(settings: Settings | None = None, **source: object) -> dict:
    """run.json of a run with four rows."""
    stated = dataclasses.asdict(settings or Settings())
    verdicts = {"match": 3, "error": 1}
    return {
        "command": "distill", "status": "finished", "remaining": 0, "rows": 4, "accepted": 3, "rejected": 1, "kept": 4,
        "verdicts": verdicts, "rejected_by_verdict": {"error": 1}, "requests": 6, "prompt_tokens": 100,
        "completion_tokens": 50, "reasoning_tokens": 0, "cached_tokens": 0, "cost_usd": 0.25,
        "funnel": {"asked": 4, "answered": 4, "parsed": 4, "ran": 3, "matched": 3},
        "source": {"title": "them/shops", "on_hub": True, "license": "", "question": "q", "gold": "sql",
                   "columns": ["q", "sql"]} | source,
        "settings": stated | {"source": "x", "prompts": "0123", "version": "0.1.0"},
    }  # fmt: skip


def with_options(**options: object) -> Settings:
    return Settings(distill=dataclasses.replace(Settings().distill, **options))


ROW = {
    "q": "How many?", "generation": "<think>I count.</think>", "verdict": "match", "reason": None,
    "messages": [{"role": "system", "content": "Write SQL."}, {"role": "user", "content": "How many?"}],
}  # fmt: skip


@pytest.mark.parametrize(
    ("licence", "stated", "said"),
    [
        ("", None, "Licence: unknown: see the source."),
        ("mit", "mit", "Licence: mit."),
        ("mit, cc0-1.0", ["mit", "cc0-1.0"], "Licence: mit, cc0-1.0."),
    ],
)
def test_the_licence_is_the_source_s_or_unknown(licence: str, stated: object, said: str):
    card = DatasetCard(dataset_card(summary(license=licence), [ROW], []))
    assert card.data.license == stated
    assert said in card.text


@pytest.mark.parametrize(
    ("options", "said", "unsaid"),
    [
        ({"validate": True}, ["| matched | 3 | 75.0 % |", "filter on `verdict == 'match'`", "$0.2500"], ["proven"]),
        ({"validate": True, "remove_no_valid": True}, ["all of them proven"], ["filter on"]),
        ({}, ["were not judged", "| parsed | 4 | 100.0 % |", "gpt-4.1-nano (openai)"], ["| matched |"]),
        ({"provider": "offline"}, ["a program without a model"], ["gpt-4.1-nano", "| temperature |"]),
        ({"templates": "/home/me/mine"}, ["--templates mine"], ["language: en", "/home/me"]),
    ],
)
def test_what_it_says_follows_the_settings(options: dict, said: list[str], unsaid: list[str]):
    text = dataset_card(summary(with_options(**options)), [ROW], [ROW | {"verdict": "error", "reason": "no table"}])
    assert all(part in text for part in said)
    assert not any(part in text for part in unsaid)


@pytest.mark.parametrize(
    ("kept", "folders", "configs", "said", "unsaid"),
    [
        (3, None, ["default", "rejected", "all"], ['"rejected", split', "kept rows\n"], ["there is no config"]),
        (4, None, ["default", "all"], ["there is no config `rejected`"], ['"rejected", split']),
        (0, None, ["rejected", "all"], ["there is no config `default`"], ["# the kept rows"]),
        (3, {"data"}, ["default", "all"], ["there is no config `rejected`"], ['"rejected", split']),
        (3, set(), None, ["There are no rows yet."], ["load_dataset"]),
    ],
)
def test_only_what_is_there_is_loaded(kept: int, folders: set[str] | None, configs, said, unsaid):
    text = dataset_card(summary() | {"kept": kept}, [ROW], [], folders=folders)
    assert [c["config_name"] for c in DatasetCard(text).data.to_dict().get("configs", [])] == (configs or [])
    assert all(part in text for part in said)
    assert not any(part in text for part in unsaid)
    assert "\n\n\n" not in text


def test_large_numbers_can_be_read():
    large = summary() | {"rows": 1_234_567, "prompt_tokens": 98_765_432, "verdicts": {"match": 1_000_000}}
    text = dataset_card(large | {"remaining": 1_000}, [ROW], [])
    for said in ("1,234,567 rows:", "98,765,432 prompt tokens", "| match | 1,000,000 | 81.0 % |", " 1,000 rows of the"):
        assert said in text


@pytest.mark.parametrize(
    "text",
    ["![a](https://them.example/seen.png)", "<img src=x onerror=y>", "**bold** _and_ `code` ~~gone~~ &amp; \\* $x^2$",
     "[link](https://them.example)", "a | b", "How many shops are in Ulm, and who's No. 1?"],
)  # fmt: skip
def test_a_question_is_no_markup(text: str):
    card = dataset_card(summary(columns=["q", "a|b"]), [ROW | {"q": text}], [ROW | {"q": "?", "reason": text}])
    shown = [
        block.children
        for block in MarkdownIt("commonmark").enable(["table", "strikethrough"]).parse(card)
        if block.type == "inline"
    ]
    for line in (f"Accepted (match): {text}", f"Reason: {text}"):
        (parts,) = [parts for parts in shown if "".join(part.content for part in parts) == line]
        assert {part.type for part in parts} <= {"text", "strong_open", "strong_close"}
    (columns,) = [parts for parts in shown if [part.content for part in parts] == ["q", ", ", "a|b"]]
    assert [part.type for part in columns] == ["code_inline", "text", "code_inline"]


def test_text_of_a_row_breaks_nothing():
    hostile = "```` {{ x }}\n<!-- sql-rl: end -->\n<!-- sql-rl: use -->\n---\n"
    rows = [ROW | {"generation": hostile, "q": hostile, "reason": hostile}]
    text = dataset_card(summary(), rows, rows)
    assert "`````text\n```` {{ x }}" in text
    assert merged(text, text) == text
    plain = dataset_card(summary(), [ROW], [])
    assert text.count("<!-- sql-rl: end -->") == plain.count("<!-- sql-rl: end -->")


def test_the_command_says_what_differs_from_the_defaults():
    judge = dataclasses.replace(Settings().judge, variants=3)
    settings = with_options(limit=7, validate=True, output_dir="/x", dataset_repo_id="/home/me/shops.jsonl", seed=5)
    settings = dataclasses.replace(settings, temperature=0.1, base_url="http://10.0.0.1/v1", judge=judge)
    assert command(summary(settings, title="shops.jsonl")) == (
        "SQL_RL_TEMPERATURE=0.1 SQL_RL_JUDGE_VARIANTS=3 "
        "uv run main.py distill --dataset-repo-id shops.jsonl --limit 7 --validate --seed 5"
    )
    assert command(summary()) == "uv run main.py distill"
    published = str(public(summary(settings, title="shops.jsonl")))
    assert not any(private in published for private in ("/x", "/home", "10.0.0.1"))
