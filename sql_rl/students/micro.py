"""Micro: a language model small enough to learn SQL on a CPU in minutes, made from scratch without any download.

Llama- or Qwen2-shaped, with a byte-level BPE tokenizer trained on the texts it is to learn from, so that any text has
tokens and the tags are one token each. Same seed and texts, same tokenizer and weights. For smoke runs and tests.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sql_rl.errors import UsageError
from sql_rl.students.chat_template import HOUSE_TEMPLATE

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

NAMES = ("micro", "micro-llama", "micro-qwen2")
PAD, BOS, EOS = "<|pad|>", "<|begin|>", "<|end|>"
TAGS = ("<think>", "</think>", "<sql>", "</sql>")


@dataclass(frozen=True, slots=True)
class MicroSize:
    """The sizes of a micro model. As they stand: 2.2 million parameters, whose embeddings are tied.

    vocabulary: tokens at most; a small corpus gives fewer. context: tokens of prompt and completion.
    """

    vocabulary: int = 2048
    hidden: int = 192
    layers: int = 4
    heads: int = 4
    feed_forward: int = 512
    context: int = 4096


def micro(
    name: str, corpus: Iterable[str], seed: int, size: MicroSize = MicroSize()
) -> tuple["PreTrainedModel", "PreTrainedTokenizerBase"]:
    """An untrained model in float32 and its tokenizer. name: one of NAMES (`micro` is `micro-llama`).

    corpus: the texts whose words the tokenizer is to know; it is read once.
    Raises UsageError for another name, or a corpus without text.
    """
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM, Qwen2Config, Qwen2ForCausalLM
    from transformers.utils import logging

    logging.disable_progress_bar()
    if name not in NAMES:
        raise UsageError(f"{name}: no such micro model; there are {', '.join(NAMES)}")
    tokenizer = train_tokenizer(corpus, size.vocabulary)
    config_class, model_class = (
        (Qwen2Config, Qwen2ForCausalLM) if name == "micro-qwen2" else (LlamaConfig, LlamaForCausalLM)
    )
    config = config_class(
        vocab_size=len(tokenizer),
        hidden_size=size.hidden,
        intermediate_size=size.feed_forward,
        num_hidden_layers=size.layers,
        num_attention_heads=size.heads,
        num_key_value_heads=size.heads,
        max_position_embeddings=size.context,
        tie_word_embeddings=True,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        model = model_class(config)
    return model, tokenizer


def train_tokenizer(corpus: Iterable[str], vocabulary: int) -> "PreTrainedTokenizerBase":
    """A byte-level BPE tokenizer of at most `vocabulary` tokens, with the house's template and the tags as tokens.

    Digits stand alone, so that numbers are copied digit by digit. Raises UsageError for a corpus without text.
    """
    from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    bpe = Tokenizer(models.BPE())
    bpe.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(r" ?[A-Za-z]+|\d|\s+|[^\sA-Za-z\d]"), "isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    bpe.decoder = decoders.ByteLevel()
    counted = _Counted(corpus)
    bpe.train_from_iterator(
        counted,
        trainers.BpeTrainer(
            vocab_size=vocabulary - len(TAGS),
            special_tokens=[PAD, BOS, EOS],
            initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
            show_progress=False,
        ),
    )
    if not counted.characters:
        raise UsageError("micro: its tokenizer is trained on the dataset, but there is no text to train it on")
    # Not special: they are part of what the model says.
    bpe.add_tokens([AddedToken(tag, normalized=False, special=False) for tag in TAGS])
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=bpe, pad_token=PAD, bos_token=BOS, eos_token=EOS)
    tokenizer.chat_template = HOUSE_TEMPLATE
    tokenizer.padding_side = "left"
    return tokenizer


class _Counted:
    """The texts of a corpus, and how many characters went by."""

    def __init__(self, texts: Iterable[str]) -> None:
        self._texts = texts
        self.characters = 0

    def __iter__(self):
        for text in self._texts:
            self.characters += len(text)
            yield text
