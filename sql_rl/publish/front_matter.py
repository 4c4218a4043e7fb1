"""The front matter of a dataset card: what the Hub shows, and what tells `datasets` which file is which config."""

from collections.abc import Collection, Sequence

from huggingface_hub.repocard_data import DatasetCardData

CONFIGS = {"data": "default", "rejected": "rejected"}  # folder -> config
# The Hub's names (size_categories.json of `datasets`), of the next power of ten.
_SIZES = {
    10**3: "n<1K", 10**4: "1K<n<10K", 10**5: "10K<n<100K", 10**6: "100K<n<1M", 10**7: "1M<n<10M", 10**8: "10M<n<100M",
    10**9: "100M<n<1B",
}  # fmt: skip


def front_matter(
    name: str | None,
    licence: str | list[str] | None,
    rows: int,
    tags: Sequence[str],
    folders: Collection[str],
    language: str | None = None,
) -> str:
    """The YAML block of README.md for a folder with data/train-*.parquet and rejected/train-*.parquet, with fences.

    name: the source's Hub id, None if it is not there. licence: the source's; where it states none, none is invented.
    folders: which of the two hold rows. Configs: default (kept), rejected, all; of an empty folder there is none, since
    `datasets` fails on a config without rows, and on one whose first file has none.
    """
    paths = {folder: f"{folder}/train-*.parquet" for folder in CONFIGS if folder in folders}
    configs = {CONFIGS[folder]: path for folder, path in paths.items()} | ({"all": [*paths.values()]} if paths else {})
    content = DatasetCardData(
        license=licence,
        language=language,
        task_categories=["text-generation"],
        tags=list(tags),
        size_categories=[next((size for limit, size in _SIZES.items() if rows < limit), "1B<n<10B")],
        source_datasets=[name] if name else None,
        configs=[
            {"config_name": config, "data_files": [{"split": "train", "path": path}]}
            for config, path in configs.items()
        ],
    )
    return f"---\n{content.to_yaml()}\n---"
