"""Batched generation with a transformers model, such that a prompt's completion does not depend on its neighbours.

Prompts are padded on the left and sorted by length, so that little is padded; a completion ends at the model's own
end of turn or behind `</sql>`. Sampling draws each prompt's noise from a generator of its own (the Gumbel-max trick:
argmax(logits / T + Gumbel noise) is a draw from softmax(logits / T); Gumbel 1954, Maddison et al. 2014), so that the
same seed gives the same completion in any batch, up to float noise.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import groupby
from typing import TYPE_CHECKING, Any

from sql_rl.errors import UsageError
from sql_rl.prompts import Message
from sql_rl.students.chat_template import render_prompt
from sql_rl.students.student import Generation

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

END_OF_ANSWER = "</sql>"


def generate(
    model: "PreTrainedModel",
    tokenizer: "PreTrainedTokenizerBase",
    prompts: Sequence[Sequence[Message]],
    max_tokens: int,
    temperature: float = 0.0,
    seed: int | Sequence[int] = 0,
    batch_size: int = 32,
) -> list[Generation]:
    """A completion for each prompt, in their order.

    max_tokens: the longest completion, in tokens. temperature: 0 is greedy. seed: prompt i draws from seed + i, or
    from seed[i] of as many as there are prompts. batch_size: prompts at once. The model is left in the mode it was in.
    Raises UsageError for numbers that make no sense.
    """
    import torch

    if max_tokens < 1 or batch_size < 1 or temperature < 0:
        raise UsageError(
            f"generation: max_tokens {max_tokens} and batch_size {batch_size} must be at least 1, "
            f"temperature {temperature} at least 0"
        )
    seeds = seeds_of(seed, len(prompts))
    tokens = [tokenizer(render_prompt(tokenizer, p), add_special_tokens=False)["input_ids"] for p in prompts]
    context = context_length(model)
    done: dict[int, Generation] = {
        i: Generation("", len(t), 0, "context") for i, t in enumerate(tokens) if context and len(t) >= context
    }
    # The longest first: what does not fit into memory shows at once.
    order = sorted((i for i in range(len(prompts)) if i not in done), key=lambda i: len(tokens[i]), reverse=True)
    with evaluating(model), torch.inference_mode():
        # Those near the context's end have less room than others, and none takes it from its neighbours.
        rooms = [min(max_tokens, context - len(t)) if context else max_tokens for t in tokens]
        for room, alike in groupby(order, rooms.__getitem__):
            waiting = list(alike)
            while rows := waiting[:batch_size]:
                batch = _batch(model, tokenizer, [tokens[i] for i in rows], room, temperature, [seeds[i] for i in rows])
                done.update(zip(rows, batch, strict=True))
                del waiting[:batch_size]
    return [done[i] for i in range(len(prompts))]


def seeds_of(seed: int | Sequence[int], count: int) -> list[int]:
    """A seed for each of `count` prompts: seed, seed + 1, …, or as they are given. Raises UsageError for too few."""
    seeds = [seed + i for i in range(count)] if isinstance(seed, int) else list(seed)
    if len(seeds) != count:
        raise UsageError(f"generation: {len(seeds)} seeds for {count} prompts")
    return seeds


def context_length(model: "PreTrainedModel") -> int | None:
    """How many tokens the model's positions allow; None where its config does not say."""
    return getattr(model.config.get_text_config(), "max_position_embeddings", None)


def generation_arguments(
    model: "PreTrainedModel",
    tokenizer: "PreTrainedTokenizerBase",
    width: int,
    max_tokens: int,
    temperature: float,
    seeds: Sequence[int],
) -> dict[str, Any]:
    """What `model.generate` is told: how to draw, nothing of the model's own sampling defaults, and where to stop.

    width: tokens of the padded prompts. seeds: one for each row.
    """
    from transformers import GenerationConfig

    settings = GenerationConfig(
        max_new_tokens=max_tokens,
        do_sample=False,
        repetition_penalty=1.0,
        use_cache=True,  # trainers switch it off in the model's config
        eos_token_id=stop_tokens(model, tokenizer),
        pad_token_id=tokenizer.pad_token_id,
    )
    arguments: dict[str, Any] = {
        "generation_config": settings,
        "stopping_criteria": [_answered(tokenizer, width)],
    }
    if temperature > 0:
        arguments["logits_processor"] = [gumbel_noise(temperature, seeds, model.device)]
    return arguments


def _answered(
    tokenizer: "PreTrainedTokenizerBase", width: int
) -> Callable[["torch.Tensor", "torch.Tensor"], "torch.Tensor"]:
    """A stopping criterion: `</sql>` is among what was written last.

    transformers' own for stop strings reads the whole vocabulary for each batch, 4 seconds with one of 262,144.
    """
    import torch

    longest = len(END_OF_ANSWER)  # tokens that it can be spread over

    def ended(ids: "torch.Tensor", _: "torch.Tensor", **__: Any) -> "torch.Tensor":
        tails = tokenizer.batch_decode(ids[:, max(width, ids.shape[1] - longest) :])
        return torch.tensor([END_OF_ANSWER in tail for tail in tails], device=ids.device)

    return ended


def stop_tokens(model: "PreTrainedModel", tokenizer: "PreTrainedTokenizerBase") -> list[int]:
    """The tokens that end a completion: the tokenizer's, and those that the model's generation config names."""
    named = model.generation_config.eos_token_id
    named = [] if named is None else [named] if isinstance(named, int) else list(named)
    return list(dict.fromkeys([tokenizer.eos_token_id, *named]))


@contextmanager
def evaluating(model: "PreTrainedModel") -> Iterator[None]:
    """Without dropout; afterwards as it was.

    A model of Unsloth's has more to put back than a flag: to generate it switches gradient checkpointing off, and only
    its own `for_training` switches that on again, in the way it was loaded with.
    """
    training = model.training
    model.eval()
    try:
        yield
    finally:
        if training and hasattr(model, "for_training"):
            model.for_training()
        else:
            model.train(training)


def gumbel_noise(
    temperature: float, seeds: Sequence[int], device: "torch.device"
) -> Callable[["torch.Tensor", "torch.Tensor"], "torch.Tensor"]:
    """A logits processor that turns greedy decoding into sampling: each row from its own seed."""
    import torch

    generators = [torch.Generator(device).manual_seed(seed) for seed in seeds]

    def process(_: "torch.Tensor", scores: "torch.Tensor") -> "torch.Tensor":
        noise = torch.empty(scores.shape, dtype=torch.float32, device=scores.device)
        for row, generator in zip(noise, generators, strict=True):
            row.exponential_(generator=generator)
        # -log of an exponential variate is a Gumbel variate.
        return scores.float() / temperature - noise.log_()

    return process


def _batch(
    model: "PreTrainedModel",
    tokenizer: "PreTrainedTokenizerBase",
    rows: list[list[int]],
    max_tokens: int,
    temperature: float,
    seeds: list[int],
) -> list[Generation]:
    import torch

    width = max(map(len, rows))
    ids = torch.full((len(rows), width), tokenizer.pad_token_id, dtype=torch.long)
    mask = torch.zeros((len(rows), width), dtype=torch.long)
    for i, row in enumerate(rows):
        ids[i, width - len(row) :] = torch.tensor(row)
        mask[i, width - len(row) :] = 1
    arguments = generation_arguments(model, tokenizer, width, max_tokens, temperature, seeds)
    written = model.generate(input_ids=ids.to(model.device), attention_mask=mask.to(model.device), **arguments)
    ends = set(stop_tokens(model, tokenizer))
    return [
        _finished(tokenizer, len(row), new, ends, max_tokens)
        for row, new in zip(rows, written[:, width:].tolist(), strict=True)
    ]


def _finished(
    tokenizer: "PreTrainedTokenizerBase", prompt_tokens: int, new: list[int], ends: set[int], max_tokens: int
) -> Generation:
    """A row of what was generated, cut where it ended: the rest is padding while its neighbours went on."""
    end = next((i for i, token in enumerate(new) if token in ends), None)
    written = new if end is None else new[:end]
    text = tokenizer.decode(written, skip_special_tokens=True)
    answer, tag, _ = text.partition(END_OF_ANSWER)
    if end is None and tag:
        # Ended by the tag, then padded.
        while written and written[-1] == tokenizer.pad_token_id:
            written.pop()
    count = len(written) + (end is not None)
    stopped = end is not None or bool(tag)
    return Generation(answer + tag, prompt_tokens, count, "stop" if stopped else "length")
