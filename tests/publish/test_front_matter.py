"""The front matter of a card: the licence is the source's and never invented; the source is named if the Hub has it."""

import json
import re
import subprocess
import sys
from importlib import resources
from pathlib import Path

import pyarrow as pa
import pytest
import yaml

from sql_rl.publish.front_matter import front_matter
from sql_rl.publish.parquet import DatasetWriter
from sql_rl.sources import open_source


def read(text: str) -> dict:
    return yaml.safe_load(text.strip("-\n"))


def test_the_licence_is_the_source_s(tmp_path: Path):
    sample = open_source("sample", "train", 3)
    assert read(front_matter(None, sample.license, 3, ["a"], ["data"]))["license"] == "apache-2.0"
    (tmp_path / "rows.jsonl").write_text('{"sql_prompt": "q", "sql_context": "c", "sql": "s"}\n')
    unknown = open_source(str(tmp_path / "rows.jsonl"), "train", 1)
    assert "license" not in read(front_matter(None, unknown.license or None, 1, ["a"], ["data"]))


def test_configs_sizes_and_where_it_came_from():
    content = read(front_matter(None, None, 5000, ["a", "b"], ["data", "rejected"], "en"))
    assert [c["config_name"] for c in content["configs"]] == ["default", "rejected", "all"]
    assert (content["size_categories"], content["tags"]) == (["1K<n<10K"], ["a", "b"])
    assert "source_datasets" not in content
    assert content["language"] == "en"
    assert read(front_matter("owner/name", None, 5, [], ["data"]))["source_datasets"] == ["owner/name"]


@pytest.mark.parametrize("rows", [0, 999, 1_000, 99_999, 100_000, 1_000_000, 25_000_000, 10**9])
def test_a_size_is_one_that_the_hub_knows(rows: int):
    (size,) = read(front_matter(None, None, rows, [], ["data"]))["size_categories"]
    assert size in json.loads((resources.files("datasets") / "utils/resources/size_categories.json").read_text())
    units = {"": 1, "K": 10**3, "M": 10**6, "B": 10**9}
    ends = [int(number) * units[unit] for number, unit in re.findall(r"(\d+)([KMB])", size)]
    assert ([0] if len(ends) == 1 else ends[:1]) <= [rows] < ends[-1:]


LOAD = """
import datasets, json, sys
loaded = {name: datasets.load_dataset(sys.argv[1], name, split="train")["n"] for name in sys.argv[2:]}
json.dump({name: list(numbers) for name, numbers in loaded.items()}, sys.stdout)
"""


@pytest.mark.parametrize(
    ("rows", "configs"),
    [
        ("+-", {"default": [0], "rejected": [1], "all": [0, 1]}),
        ("++", {"default": [0, 1], "all": [0, 1]}),
        ("--", {"rejected": [0, 1], "all": [0, 1]}),
        ("", {}),
    ],
)
def test_every_config_that_is_named_can_be_loaded(
    tmp_path: Path, clean_environ: dict[str, str], rows: str, configs: dict[str, list[int]]
):
    writer = DatasetWriter(tmp_path / "data", tmp_path / "rejected", pa.schema([("n", pa.int64())]))
    for n, kind in enumerate(rows):
        writer.add({"n": n}, kind == "+")
    writer.finish()
    folders = [folder for folder, kind in (("data", "+"), ("rejected", "-")) if kind in rows]
    card = front_matter(None, None, len(rows), [], folders)
    assert [config["config_name"] for config in read(card).get("configs", [])] == list(configs)
    if not configs:
        return
    (tmp_path / "README.md").write_text(card)
    loaded = subprocess.run(
        [sys.executable, "-c", LOAD, str(tmp_path), *configs], env=clean_environ | {"HF_HOME": str(tmp_path / "hf")},
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert json.loads(loaded.stdout) == configs
