"""The plan of a run: what the settings come to, before a row is read, asked for or written."""

import dataclasses
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sql_rl import __version__
from sql_rl.configure import Secrets
from sql_rl.distill.cluster.connect import check_ray
from sql_rl.distill.settle import Policy
from sql_rl.errors import UsageError
from sql_rl.prompts import Prompts, load_prompts
from sql_rl.runs.folder import RunFolder, default_folder
from sql_rl.settings import DistillSettings, Settings
from sql_rl.sources import Source, open_source
from sql_rl.teachers.base import Sampling, Teacher
from sql_rl.teachers.prices import FREE, Price, price_of


@dataclass(frozen=True, slots=True)
class Plan:
    """What a run is going to do, whatever its rows are. price: None where none is known for the model."""

    settings: Settings
    folder: RunFolder
    prompts: Prompts
    price: Price | None

    @property
    def offline(self) -> bool:
        return self.settings.distill.provider == "offline"

    @property
    def model(self) -> str:
        return model_of(self.settings)

    def identity(self) -> dict[str, Any]:
        """What makes it this run: everything that decides what is asked. The rest may change when it is resumed."""
        options = self.settings.distill
        return {
            "dataset": options.dataset_repo_id,
            "split": options.split,
            "provider": options.provider,
            "model": self.model,
            "temperature": self.settings.temperature,
            "max_tokens": self.settings.max_tokens,
            "seed": options.seed,
            "prompts": self.prompts.digest,
        }

    def stated(self, source: str) -> dict[str, Any]:
        """The settings as run.json holds them; there are no secrets among them. source: the rows' identity."""
        content = {
            name: value
            for name, value in dataclasses.asdict(self.settings).items()
            if name in ("distill", "judge") or not dataclasses.is_dataclass(getattr(self.settings, name))
        }
        for name in ("resume", "publish", "publish_repo_id", "private_repo"):
            del content["distill"][name]
        del content["report"]
        return content | {"source": source, "prompts": self.prompts.digest, "version": __version__}

    @property
    def judge_stamp(self) -> dict[str, Any]:
        """What a judgement depends on beside the query: not on how many workers there were, or what they cached."""
        settings = dataclasses.asdict(self.settings.judge)
        return {k: v for k, v in settings.items() if k not in ("workers", "cache_mb")} | {"version": __version__}

    def policy(self, teacher: Teacher) -> Policy:
        """How the run settles an example. A teacher that repeats itself is asked once."""
        options = self.settings.distill
        return Policy(
            prompts=self.prompts,
            sampling=Sampling(self.settings.temperature, self.settings.max_tokens, options.seed),
            drafts=1 if teacher.repeats else options.num_generations,
            select=options.select,
            retries=0 if teacher.repeats else options.retries,
            validate=options.validate,
            show_gold="always" if self.offline else options.show_gold,
            check_gold=options.remove_no_valid and not self.offline,
            max_prompt_tokens=self.settings.max_prompt_length,
            context_tokens=self.settings.max_seq_length,
        )


# Tiers that cost what the price file says, or less.
USUAL_OR_LESS = frozenset({None, "default", "flex", "on_demand"})


def model_of(settings: Settings) -> str:
    """The teacher's name."""
    return "offline" if settings.distill.provider == "offline" else settings.distill.model


def plan(settings: Settings) -> Plan:
    """Reads templates and prices, and finds the folder. Raises UsageError for what cannot be done, or not yet."""
    options = settings.distill
    if options.use_ray:
        _check_ray(options)
    model = model_of(settings)
    own_prices = Path(options.prices) if options.prices else None
    price = FREE if options.provider in ("offline", "vllm") else price_of(model, own_prices)
    if options.max_cost is not None and price is None:
        raise UsageError(f"--max-cost: no price is known for {model}: name one in a file and give it as --prices")
    if options.max_cost is not None and options.service_tier not in USUAL_OR_LESS and not options.prices:
        raise UsageError(
            f"--max-cost: what {model} costs in the tier {options.service_tier} is not known: name it in a file and "
            "give that as --prices, or leave out --service-tier"
        )
    if options.batch_api and (options.rpm or options.tpm):
        raise UsageError("--rpm and --tpm limit single requests, and --batch-api makes none: leave them out")
    prompts = load_prompts(options.reasoning_style, Path(options.templates) if options.templates else None)
    path = Path(options.output_dir) if options.output_dir else default_folder("distill", options.dataset_repo_id, model)
    return Plan(settings, RunFolder(path), prompts, price)


def _check_ray(options: DistillSettings) -> None:
    if options.batch_api:
        raise UsageError("--use-ray and --batch-api: a batch needs no workers; leave one of them out")
    for name in ("batch_size", "rpm", "tpm"):
        if (limit := getattr(options, name)) is not None and limit < (options.ray_workers or 1):
            flag = name.replace("_", "-")
            raise UsageError(f"--ray-workers {options.ray_workers} is more than --{flag} {limit} can be shared out to")
    check_ray()


def rows_of(settings: Settings, secrets: Secrets) -> Source:
    """The rows that the settings name. Raises UsageError or SqlRlError as `open_source` does."""
    options = settings.distill
    return open_source(options.dataset_repo_id, options.split, options.limit, settings.columns, secrets.hf_token)
