"""The front matter of a dataset card: what the Hub shows, and what tells `datasets` which file is which config."""

from collections.abc import Sequence

from huggingface_hub import DatasetCardData

from sql_rl.sources import Source

_SIZES = ((1_000, "n<1K"), (10_000, "1K<n<10K"), (100_000, "10K<n<100K"), (1_000_000, "100K<n<1M"))


def front_matter(source: Source, rows: int, tags: Sequence[str]) -> str:
    """The YAML block of README.md for a folder with data/train-*.parquet and rejected.parquet, fences included.

    Configs: default (kept), rejected, all. The licence is the source's; where it states none, none is invented.
    """
    kept = {"split": "train", "path": "data/train-*.parquet"}
    others = {"split": "train", "path": "rejected.parquet"}
    everything = {"split": "train", "path": [kept["path"], others["path"]]}
    content = DatasetCardData(
        license=source.license or None,
        task_categories=["text-generation"],
        tags=list(tags),
        size_categories=[next((size for limit, size in _SIZES if rows < limit), "n>1M")],
        source_datasets=[source.name] if source.on_hub else None,
        configs=[
            {"config_name": "default", "data_files": [kept]},
            {"config_name": "rejected", "data_files": [others]},
            {"config_name": "all", "data_files": [everything]},
        ],
    )
    return f"---\n{content.to_yaml()}\n---"
