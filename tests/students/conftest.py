"""A micro student, made once for all tests of a process, and the folder that it leaves."""

from pathlib import Path

import pytest

from sql_rl.prompts import Message, completion
from sql_rl.students import Student, StudentSpec, open_student

ANSWER = completion("Count the rows.", "SELECT COUNT(*) FROM towns")


def prompt(question: str) -> list[Message]:
    return [
        {"role": "system", "content": "You write SQL."},
        {"role": "user", "content": f"Database:\nCREATE TABLE towns (id INT, name TEXT)\n\nQuestion: {question}"},
    ]


# Of very different lengths, so that a batch has much padding.
PROMPTS = [prompt("How many towns" + " and cities" * (i % 4) * 3 + f" are there in state {i}?") for i in range(11)]
CORPUS = [m["content"] for p in PROMPTS for m in p] + [ANSWER]


def make_micro(name: str = "micro", seed: int = 1) -> Student:
    return open_student(StudentSpec(model=name, seed=seed), CORPUS)


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Who needs `trained` of this folder runs in one process, so that it is made once."""
    for item in items:
        if "trained" in getattr(item, "fixturenames", ()) and Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.xdist_group("trained"))


@pytest.fixture(scope="session")
def student() -> Student:
    return make_micro()


@pytest.fixture(scope="session")
def trained() -> Student:
    """A micro student that has learned one answer by heart, whatever it is asked."""
    student = make_micro(seed=2)
    learn(student, ANSWER, steps=80, learning_rate=2e-3)
    return student


def learn(student: Student, answer: str, steps: int, learning_rate: float) -> None:
    """Teaches an answer by heart, by what of the student's weights is trained."""
    import torch

    from sql_rl.students.chat_template import render_completion, render_prompt

    optimizer = torch.optim.AdamW([p for p in student.model.parameters() if p.requires_grad], lr=learning_rate)
    rendered = [render_prompt(student.tokenizer, p) for p in PROMPTS[:4]]
    ending = student.tokenizer(render_completion(student.tokenizer, rendered[0], answer))["input_ids"]
    for step in range(steps):
        start = student.tokenizer(rendered[step % 4])["input_ids"]
        ids = torch.tensor([start + ending])
        labels = torch.tensor([[-100] * len(start) + ending])
        loss = student.model(input_ids=ids, labels=labels).loss
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()


@pytest.fixture(scope="session")
def folder(trained: Student, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What `trained` leaves: a folder with weights and tokenizer."""
    folder = tmp_path_factory.mktemp("micro") / "weights"
    trained.save(folder)
    return folder
