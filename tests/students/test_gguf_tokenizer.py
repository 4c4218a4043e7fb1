"""A GGUF's SentencePiece vocabulary: what its tokenizer does is what SentencePiece's rule says, on any text."""

import re
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import pytest

from sql_rl.errors import UsageError
from sql_rl.students.gguf_tokenizer import PROOF, read_tokenizer

SPECIAL = ["<pad>", "<eos>", "<bos>", "<unk>"]
WHOLE = ["\n", "\n\n", "\n\n\n", "<table>", "  ", "    "]  # found as they are, before anything is joined
BYTES = [f"<0x{byte:02X}>" for byte in range(256)]
TEXTS = [
    PROOF,
    "SELECT  name  FROM towns\n\n\nWHERE id = 10",
    "  two spaces before, three   inside, one behind ",
    "<table>\ttowns</table> <think> <unknown>",
    "Zürich, 日本, 🦜",
    "",
]


def pieces_of(text: str) -> list[str]:
    """The characters of a text, and the unions that SentencePiece would learn from it, in the order of learning."""
    words = [list(word) for word in re.findall(r"▁?[^▁\n]+|\n", text.replace(" ", "▁"))]
    learnt: list[str] = []
    while len(learnt) < 120:
        pairs = [a + b for word in words for a, b in pairwise(word)]
        if not pairs:
            break
        best = max(dict.fromkeys(pairs), key=lambda pair: (pairs.count(pair), pair))
        learnt.append(best)
        words = [joined(word, best) for word in words]
    characters = sorted(set(text.replace(" ", "▁")) - {"\n"})
    return learnt + [c for c in characters if c not in learnt]


def joined(word: list[str], piece: str) -> list[str]:
    found: list[str] = []
    for part in word:
        if found and found[-1] + part == piece:
            found[-1] = piece
        else:
            found.append(part)
    return found


Write = Callable[..., Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Writes a .gguf file with a vocabulary and no weights."""
    from gguf import GGUFWriter

    def written(
        pieces: list[str], prefix: bool | None = False, template: str | None = None, scored: bool = True
    ) -> Path:
        tokens = [*SPECIAL, *WHOLE, *BYTES, *pieces]
        kinds = [3] * len(SPECIAL) + [4] * len(WHOLE) + [6] * len(BYTES) + [1] * len(pieces)
        file = tmp_path / "small.gguf"
        writer = GGUFWriter(file, "gemma3")
        writer.add_tokenizer_model("llama")
        writer.add_token_list(tokens)
        if scored:
            unlearnt = len(tokens) - len(pieces)
            writer.add_token_scores([0.0] * unlearnt + [-float(rank) for rank in range(len(pieces))])
        writer.add_token_types(kinds)
        for add, token in zip(
            (writer.add_pad_token_id, writer.add_eos_token_id, writer.add_bos_token_id, writer.add_unk_token_id),
            range(4),
            strict=True,
        ):
            add(token)
        writer.add_add_bos_token(True)
        if prefix is not None:
            writer.add_add_space_prefix(prefix)
        if template:
            writer.add_chat_template(template)
        writer.write_header_to_file()
        writer.write_kv_data_to_file()
        writer.close()
        return file

    return written


def by_the_rule(text: str, pieces: list[str]) -> list[str]:
    """SentencePiece's BPE, as plainly as it can be said: join the best-ranked neighbours until there are none."""
    rank = {piece: number for number, piece in enumerate(pieces)}
    found: list[str] = []
    for part in re.split("(" + "|".join(sorted(map(re.escape, [*WHOLE, *SPECIAL]), key=len, reverse=True)) + ")", text):
        if part in WHOLE or part in SPECIAL:
            found.append(part)
            continue
        word = list(part.replace(" ", "▁"))
        while candidates := [(rank[a + b], i) for i, (a, b) in enumerate(pairwise(word)) if a + b in rank]:
            _, i = min(candidates)
            word[i : i + 2] = [word[i] + word[i + 1]]
        for piece in word:
            found += [piece] if piece in rank else [f"<0x{byte:02X}>" for byte in piece.encode()]
    return found


@pytest.mark.parametrize("text", TEXTS)
def test_it_joins_as_sentencepiece_does(text: str, write: Write):
    pieces = pieces_of(PROOF)
    tokenizer = read_tokenizer(write(pieces))
    ids = tokenizer(text, add_special_tokens=False)["input_ids"]
    assert tokenizer.convert_ids_to_tokens(ids) == by_the_rule(text, pieces)
    assert tokenizer.decode(ids) == text


def test_what_the_file_says_of_itself(write: Write, tmp_path: Path):
    """Special tokens, the beginning of a text and the chat template; and they survive being saved."""
    from transformers import AutoTokenizer

    tokenizer = read_tokenizer(write(pieces_of(PROOF), template="{{ messages[0].content }}"))
    tokenizer.save_pretrained(tmp_path / "saved")
    for found in (tokenizer, AutoTokenizer.from_pretrained(tmp_path / "saved")):
        assert [found.pad_token, found.eos_token, found.bos_token, found.unk_token] == SPECIAL
        assert found("towns")["input_ids"][0] == found.bos_token_id
        assert found.decode(found("towns<eos>")["input_ids"], skip_special_tokens=True) == "towns"
        assert found.apply_chat_template([{"role": "user", "content": "Hello"}], tokenize=False) == "Hello"


@pytest.mark.parametrize("prefix", [True, None])  # llama.cpp's rule for a file that does not say
def test_a_space_before_a_text(prefix: bool | None, write: Write):
    tokenizer = read_tokenizer(write(pieces_of(" " + PROOF), prefix=prefix))
    ids = tokenizer("SELECT", add_special_tokens=False)["input_ids"]
    assert tokenizer.convert_ids_to_tokens(ids)[0].startswith("▁")
    assert tokenizer.decode(ids) == "SELECT"


def test_one_token_a_character_is_refused(write: Write):
    letters = sorted({c for c in PROOF.replace(" ", "▁") if c not in "\n"})
    with pytest.raises(
        UsageError, match=r"small\.gguf: its tokenizer makes \d+ tokens of \d+ characters, so it has lost"
    ):
        read_tokenizer(write(letters))


def test_text_that_is_lost_is_refused():
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    from sql_rl.students.gguf_tokenizer import prove

    words = Tokenizer(models.WordLevel({"?": 0}, unk_token="?"))
    words.pre_tokenizer = pre_tokenizers.Whitespace()
    with pytest.raises(UsageError, match="its tokenizer loses text: 'Database"):
        prove(PreTrainedTokenizerFast(tokenizer_object=words), "words")


def test_a_vocabulary_without_scores(write: Write):
    with pytest.raises(UsageError, match=r"small\.gguf: cannot be read: a SentencePiece vocabulary needs .*scores"):
        read_tokenizer(write(pieces_of(PROOF), scored=False))
