"""The settings of `audit`."""

from dataclasses import dataclass
from typing import Annotated

from annotated_types import Ge


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditSettings:
    """One run of `audit`: which golds are looked at, and where the findings go."""

    dataset_repo_id: Annotated[str, "what is audited: like distill's"] = "gretelai/synthetic_text_to_sql"
    split: Annotated[str, "which split of the dataset"] = "train"
    limit: Annotated[int | None, Ge(1), "rows; the first so many of the split, null takes all"] = None
    output_dir: Annotated[str | None, "the folder of the findings; null derives outputs/audit-<dataset>"] = None
