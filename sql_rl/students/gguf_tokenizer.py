"""The tokenizer of a GGUF file: SentencePiece's BPE is made from its pieces and scores, others by transformers.

transformers 5.17 makes a unigram model of Gemma's pieces, whose scores are the ranks of a BPE: every character becomes
a token of its own, and nothing says so. So these vocabularies are read here, and every tokenizer has to prove itself
on a text before a model gets it.

SentencePiece: Kudo and Richardson 2018. Of all neighbours whose union is a piece, the pair with the best score is
joined first; HF's BPE takes that order as its list of merges. The kinds of pieces are sentencepiece_model.proto's.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sql_rl.errors import UsageError

if TYPE_CHECKING:
    from tokenizers import Tokenizer
    from transformers import PreTrainedTokenizerBase

NORMAL, CONTROL, USER_DEFINED = 1, 3, 4
SPACE = "▁"  # how a piece writes a space
# What prompts and answers are made of. One token a character is what a vocabulary gives that has lost its merges.
PROOF = (
    "Database:\nCREATE TABLE towns (id INTEGER, name TEXT);\n\nQuestion: How many towns are there, for each of the "
    "states?\n<think>\n1. Scan towns: the name, the number of people.\n</think>\n<sql>\nSELECT COUNT(*) FROM towns "
    "WHERE name = 'Zürich'\n  AND id >= 10\n</sql>"
)
MOST = 0.75  # tokens a character of it; real vocabularies need 0.25 to 0.4


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """A SentencePiece vocabulary as GGUF stores it. pieces, scores, kinds: one each for every token id.

    special: bos, eos, unk, pad -> the piece, for those that the file names. prefix: a space is put before a text.
    template: its chat template, None where it has none.
    """

    pieces: Sequence[str]
    scores: Sequence[float]
    kinds: Sequence[int]
    special: Mapping[str, str]
    prefix: bool
    begins: bool
    template: str | None


def read_tokenizer(file: Path) -> "PreTrainedTokenizerBase":
    """The tokenizer of a .gguf file.

    Raises UsageError where it cannot be read, or does not do what a tokenizer is for (`prove`).
    """
    from gguf import GGUFReader
    from transformers import AutoTokenizer

    try:
        vocabulary = _vocabulary(GGUFReader(file))
        if vocabulary is not None:
            tokenizer = fast_tokenizer(vocabulary)
        else:
            tokenizer = AutoTokenizer.from_pretrained(file.parent, gguf_file=file.name)
    # What the readers raise for a file that is cut short, or of a kind that they do not know.
    except (ValueError, KeyError, IndexError, NotImplementedError) as error:
        raise UsageError(f"{file}: cannot be read: {' '.join(str(error).split())}") from error
    prove(tokenizer, str(file))
    return tokenizer


def prove(tokenizer: "PreTrainedTokenizerBase", name: str) -> None:
    """A text comes back as it was, and takes clearly fewer tokens than it has characters. Raises UsageError."""
    ids = tokenizer(PROOF, add_special_tokens=False)["input_ids"]
    read = tokenizer.decode(ids, clean_up_tokenization_spaces=False)
    way_out = "take the model in another form (a folder with tokenizer.json), or another model"
    if read != PROOF:
        place = next((i for i, (one, other) in enumerate(zip(PROOF, read, strict=False)) if one != other), len(read))
        raise UsageError(
            f"{name}: its tokenizer loses text: {PROOF[place : place + 20]!r} comes back as "
            f"{read[place : place + 20]!r}; {way_out}"
        )
    if len(ids) > MOST * len(PROOF):
        raise UsageError(
            f"{name}: its tokenizer makes {len(ids)} tokens of {len(PROOF)} characters, so it has lost its merges; "
            f"{way_out}"
        )


def fast_tokenizer(vocabulary: Vocabulary) -> "PreTrainedTokenizerBase":
    """The tokenizer of a SentencePiece vocabulary, with its special tokens and its chat template."""
    from transformers import PreTrainedTokenizerFast

    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=_backend(vocabulary),
        clean_up_tokenization_spaces=False,
        **{f"{name}_token": piece for name, piece in vocabulary.special.items()},
    )
    tokenizer.chat_template = vocabulary.template
    return tokenizer


def _backend(vocabulary: Vocabulary) -> "Tokenizer":
    from tokenizers import AddedToken, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors
    from transformers.convert_slow_tokenizer import generate_merges

    pieces, kinds, special = vocabulary.pieces, vocabulary.kinds, vocabulary.special
    ids = {piece: number for number, piece in enumerate(pieces)}
    # Pieces of other kinds are never joined, nor made by joining: they are bytes, or found as a whole beforehand.
    scores = {p: s for p, s, kind in zip(pieces, vocabulary.scores, kinds, strict=True) if kind == NORMAL}
    merges = generate_merges(ids, scores, ids.keys() - scores.keys())
    tokenizer = Tokenizer(models.BPE(ids, merges, unk_token=special.get("unk"), fuse_unk=True, byte_fallback=True))
    tokenizer.normalizer = normalizers.Replace(" ", SPACE)
    stripped = []
    if vocabulary.prefix:
        tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(SPACE, prepend_scheme="first", split=False)
        stripped = [decoders.Strip(" ", 1, 0)]
    tokenizer.decoder = decoders.Sequence(
        [decoders.Replace(SPACE, " "), decoders.ByteFallback(), decoders.Fuse(), *stripped]
    )
    # Runs of spaces are found in the text as the pieces write it, all others before.
    tokenizer.add_tokens(
        [
            AddedToken(p, normalized=SPACE in p, special=False)
            for p, kind in zip(pieces, kinds, strict=True)
            if kind == USER_DEFINED
        ]
    )
    tokenizer.add_special_tokens(
        [AddedToken(p, normalized=False, special=True) for p, k in zip(pieces, kinds, strict=True) if k == CONTROL]
    )
    if vocabulary.begins and "bos" in special:
        bos = special["bos"]
        tokenizer.post_processor = processors.TemplateProcessing(
            single=f"{bos} $A", pair=f"{bos} $A {bos}:1 $B:1", special_tokens=[(bos, ids[bos])]
        )
    return tokenizer


def _vocabulary(reader: Any) -> Vocabulary | None:
    """The SentencePiece vocabulary of a GGUF file; None where its tokenizer is of another kind."""

    def field(name: str, default: Any = None) -> Any:
        found = reader.get_field(name)
        return default if found is None else found.contents()

    if field("tokenizer.ggml.model") != "llama":
        return None
    pieces = field("tokenizer.ggml.tokens")
    named = {"bos": "bos", "eos": "eos", "unk": "unknown", "pad": "padding"}
    numbers = {name: field(f"tokenizer.ggml.{theirs}_token_id") for name, theirs in named.items()}
    scores, kinds = field("tokenizer.ggml.scores"), field("tokenizer.ggml.token_type")
    if not pieces or scores is None or kinds is None:
        raise ValueError("a SentencePiece vocabulary needs tokens, scores and token_type")
    return Vocabulary(
        pieces=pieces,
        scores=scores,
        kinds=kinds,
        special={name: pieces[number] for name, number in numbers.items() if number is not None},
        prefix=field("tokenizer.ggml.add_space_prefix", True),  # as llama.cpp has it where a file is silent
        begins=field("tokenizer.ggml.add_bos_token", True),
        template=field("tokenizer.chat_template"),
    )
