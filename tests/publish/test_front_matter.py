"""The front matter of a card: the licence is the source's and never invented; the source is named if the Hub has it."""

from pathlib import Path

import yaml

from sql_rl.publish.front_matter import front_matter
from sql_rl.sources import open_source


def read(text: str) -> dict:
    return yaml.safe_load(text.strip("-\n"))


def test_the_licence_is_the_source_s(tmp_path: Path):
    sample = open_source("sample", "train", 3)
    assert read(front_matter(None, sample.license, 3, ["a"]))["license"] == "apache-2.0"
    (tmp_path / "rows.jsonl").write_text('{"sql_prompt": "q", "sql_context": "c", "sql": "s"}\n')
    unknown = open_source(str(tmp_path / "rows.jsonl"), "train", 1)
    assert "license" not in read(front_matter(None, unknown.license or None, 1, ["a"]))


def test_configs_sizes_and_where_it_came_from():
    content = read(front_matter(None, None, 5000, ["a", "b"], "en"))
    assert [c["config_name"] for c in content["configs"]] == ["default", "rejected", "all"]
    assert (content["size_categories"], content["tags"]) == (["1K<n<10K"], ["a", "b"])
    assert "source_datasets" not in content
    assert content["language"] == "en"
    assert read(front_matter("owner/name", None, 5, []))["source_datasets"] == ["owner/name"]
