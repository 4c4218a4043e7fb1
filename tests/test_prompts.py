"""Prompts: what is in them, what is not, and templates of one's own."""

from pathlib import Path

import pytest

from sql_rl.errors import UsageError
from sql_rl.examples import Example
from sql_rl.prompts import PLACES, estimated_tokens, load_prompts

EXAMPLE = Example(row=0, id="0", question="How many $5 items?", context=" CREATE TABLE t (a INT); ", gold="SELECT 1")


def test_the_blind_prompt():
    system, user = load_prompts().draft(EXAMPLE)
    assert (system["role"], user["role"]) == ("system", "user")
    assert "<think>" in system["content"]
    assert "<sql>" in system["content"]
    assert user["content"] == "Database:\nCREATE TABLE t (a INT);\n\nQuestion: How many $5 items?"


def test_evidence_stands_with_the_question():
    example = Example(row=0, id="0", question="How many?", context="c", gold="g", evidence="many means > 3")
    assert load_prompts().draft(example)[1]["content"].endswith("Question: How many?\nHint: many means > 3")


def test_hint_and_repair_build_on_the_blind_prompt():
    prompts = load_prompts()
    hinted = prompts.hinted(EXAMPLE)
    assert hinted[1]["content"].startswith(prompts.draft(EXAMPLE)[1]["content"])
    assert "SELECT 1" in hinted[1]["content"]
    repair = prompts.repair(prompts.draft(EXAMPLE), "my answer", "It is late.")
    assert repair[:2] == prompts.draft(EXAMPLE)
    assert [m["role"] for m in repair[2:]] == ["assistant", "user"]
    assert "It is late." in repair[3]["content"]


def test_styles_differ_and_so_do_their_digests():
    free, plan = load_prompts("free"), load_prompts("query-plan")
    assert "query plan" in plan.system
    assert "query plan" not in free.system
    assert free.digest != plan.digest
    assert free.digest == load_prompts("free").digest


def test_own_templates_take_the_place_of_bundled_ones(tmp_path: Path):
    (tmp_path / "user.md").write_text("$question of $context for $$5")
    prompts = load_prompts(folder=tmp_path)
    assert prompts.draft(EXAMPLE)[1]["content"] == "How many $5 items? of CREATE TABLE t (a INT); for $5"
    assert prompts.system == load_prompts().system
    assert prompts.digest != load_prompts().digest


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("user.md", "$question"),
        ("user.md", "$question $context $gold"),
        ("user.md", "$question $context costs $ 5"),
        ("repair.md", "wrong"),
        ("style-free.md", "$style"),
    ],
)
def test_wrong_templates_name_the_places_they_need(tmp_path: Path, name: str, text: str):
    (tmp_path / name).write_text(text)
    with pytest.raises(UsageError, match=r"its places must be") as caught:
        load_prompts(folder=tmp_path)
    assert str(tmp_path / name) in str(caught.value)
    assert all(f"${place}" in str(caught.value) for place in PLACES[name])


def test_no_folder(tmp_path: Path):
    with pytest.raises(UsageError, match="is not a folder"):
        load_prompts(folder=tmp_path / "nowhere")


def test_estimated_tokens():
    assert estimated_tokens([{"role": "user", "content": "x" * 400}]) == 104
