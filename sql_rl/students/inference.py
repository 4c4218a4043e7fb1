"""Inference: one door to any local model, for `evaluate` and `chat`: what training left, or whatever a user has."""

import threading
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from sql_rl.errors import UsageError
from sql_rl.prompts import Message
from sql_rl.students.chat_template import render_prompt
from sql_rl.students.generation import context_length, evaluating, generate, generation_arguments
from sql_rl.students.loading import find, load, loadable, with_adapter
from sql_rl.students.memory import check_fits, device_name, explaining_out_of_memory, free_memory, parameters
from sql_rl.students.student import Generation

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase


class LocalModel:
    """A model that runs here, on the GPU if there is one (bfloat16), else on the CPU (float32).

    name: a folder that `train` left, an adapter or its merged weights, any other folder with weights, a .gguf file,
    or a Hub id; token: for the Hub. An adapter is merged into its base. Not for several threads at once.
    notes: a line for each thing that was chosen for the user. context: tokens, prompt and completion together; None
    where the model does not say.
    Raises UsageError for a model that is not there, does not run here or does not fit, RefusedError by the Hub.
    """

    model: "PreTrainedModel"
    tokenizer: "PreTrainedTokenizerBase"

    def __init__(self, name: str, token: str | None = None) -> None:
        source = find(name, token)
        if source.kind == "micro":
            raise UsageError(
                f"{name} knows nothing before it is trained: give the folder that `train --model {name}` left"
            )
        import torch

        device = device_name()
        weights = source.base or source
        dtype = torch.bfloat16 if device == "cuda" else torch.float32
        if not weights.four_bit:
            count = parameters(loadable(weights), token)
            check_fits(weights.name, count, dtype.itemsize, free_memory(device), "take a smaller model")
        with explaining_out_of_memory("take a smaller model"):
            model, self.tokenizer, self.notes = load(source, dtype, device, token)
        if source.kind == "adapter":
            model = with_adapter(model, source, token).merge_and_unload()
        self.name = name
        self.model = model.eval()
        self.context = context_length(model)

    def generate(
        self,
        prompts: Sequence[Sequence[Message]],
        max_tokens: int,
        temperature: float = 0.0,
        seed: int | Sequence[int] = 0,
        batch_size: int = 32,
    ) -> list[Generation]:
        """A completion for each prompt, in their order; see `generation.generate`."""
        return generate(self.model, self.tokenizer, prompts, max_tokens, temperature, seed, batch_size)

    def stream(
        self, messages: Sequence[Message], max_tokens: int, temperature: float = 0.0, seed: int = 0
    ) -> Iterator[str]:
        """The completion in pieces, as they are written: the same text as `generate` gives.

        Closing the iterator stops the model after the token it is at. Raises UsageError for a prompt over the context.
        """
        import torch
        from transformers import TextIteratorStreamer

        tokens = self.tokenizer(
            render_prompt(self.tokenizer, messages), add_special_tokens=False, return_tensors="pt"
        ).to(self.model.device)
        width = tokens["input_ids"].shape[1]
        if self.context and width >= self.context:
            raise UsageError(f"the prompt has {width} tokens, but {self.name} takes {self.context} with the answer")
        room = min(max_tokens, self.context - width) if self.context else max_tokens
        arguments = generation_arguments(self.model, self.tokenizer, width, room, temperature, [seed])
        closed = threading.Event()
        arguments["stopping_criteria"].append(
            lambda ids, _, **__: torch.full((len(ids),), closed.is_set(), device=ids.device)
        )
        streamer = TextIteratorStreamer(self.tokenizer, skip_prompt=True, skip_special_tokens=True)
        failures: list[BaseException] = []

        def write() -> None:
            try:
                with evaluating(self.model), torch.inference_mode():
                    self.model.generate(
                        input_ids=tokens["input_ids"],
                        attention_mask=tokens["attention_mask"],
                        streamer=streamer,
                        **arguments,
                    )
            except BaseException as failure:  # noqa: BLE001 (raised again where the pieces are read)
                failures.append(failure)
                streamer.end()

        writer = threading.Thread(target=write, name="local-model")
        writer.start()
        try:
            yield from (piece for piece in streamer if piece)
        finally:
            closed.set()
            writer.join()
        if failures:
            raise failures[0]
