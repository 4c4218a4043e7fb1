"""The front matter of a dataset card: what the Hub shows, and what tells `datasets` which file is which config."""

from collections.abc import Sequence

from huggingface_hub.repocard_data import DatasetCardData

_SIZES = ((1_000, "n<1K"), (10_000, "1K<n<10K"), (100_000, "10K<n<100K"), (1_000_000, "100K<n<1M"))


def front_matter(
    name: str | None, licence: str | list[str] | None, rows: int, tags: Sequence[str], language: str | None = None
) -> str:
    """The YAML block of README.md for a folder with data/train-*.parquet and rejected/train-*.parquet, with fences.

    name: the source's Hub id, None if it is not there. licence: the source's; where it states none, none is invented.
    Configs: default (kept), rejected, all.
    """
    kept = {"split": "train", "path": "data/train-*.parquet"}
    others = {"split": "train", "path": "rejected/train-*.parquet"}
    everything = {"split": "train", "path": [kept["path"], others["path"]]}
    content = DatasetCardData(
        license=licence,
        language=language,
        task_categories=["text-generation"],
        tags=list(tags),
        size_categories=[next((size for limit, size in _SIZES if rows < limit), "n>1M")],
        source_datasets=[name] if name else None,
        configs=[
            {"config_name": "default", "data_files": [kept]},
            {"config_name": "rejected", "data_files": [others]},
            {"config_name": "all", "data_files": [everything]},
        ],
    )
    return f"---\n{content.to_yaml()}\n---"
