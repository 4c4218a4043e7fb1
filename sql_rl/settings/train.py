"""The settings of `train`."""

from dataclasses import dataclass
from typing import Annotated


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainSettings:
    """One run of `train`. MODEL, REPO_ID and PUBLISH_REPO_ID in .train or the environment win over this section."""

    model: Annotated[str, "the student: a Hub id or a folder"] = "unsloth/gemma-3-1b-it"
    dataset_repo_id: Annotated[str, "what it learns from: like distill's"] = "gretelai/synthetic_text_to_sql"
    publish_repo_id: Annotated[str | None, "Hub id to publish the trained student to"] = None
    private_repo: Annotated[bool, "make the published repository private"] = False
