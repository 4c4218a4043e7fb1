"""The local teacher: single requests become batches, each answer reaches who asked, and nobody waits for nothing."""

import asyncio
import threading
import time
from collections.abc import Sequence

import pytest

from sql_rl.errors import SqlRlError
from sql_rl.examples import Example
from sql_rl.prompts import Message
from sql_rl.students import StudentSpec, open_student
from sql_rl.students.student import Generation
from sql_rl.teachers.base import Refusal, Request, Sampling
from sql_rl.teachers.local import LocalTeacher


def request(text: str, temperature: float | None = 0.0, seed: int | None = None, sample: int = 0) -> Request:
    messages = [{"role": "user", "content": text}]
    return Request(Example(0, "0", text, "", ""), messages, Sampling(temperature, 24, seed), sample)


class Echo:
    """Answers with the question, once the test lets it; batches: the questions of each call."""

    def __init__(self) -> None:
        self.batches: list[list[str]] = []
        self.told: list[tuple[float, list[int]]] = []
        self.gate = threading.Event()
        self.fails: Exception | None = None

    def generate(
        self,
        prompts: Sequence[Sequence[Message]],
        max_tokens: int,
        temperature: float = 0.0,
        seed: int | Sequence[int] = 0,
        batch_size: int = 32,
    ) -> list[Generation]:
        texts = [prompt[-1]["content"] for prompt in prompts]
        self.batches.append(texts)
        self.told.append((temperature, list(seed)))
        assert self.gate.wait(60)
        if self.fails:
            raise self.fails
        return [Generation(t, len(t), 1, "context" if t == "too long" else "stop") for t in texts]


async def until(condition) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline
        await asyncio.sleep(0.001)


async def test_who_asks_while_a_batch_is_generated_comes_into_the_next():
    echo = Echo()
    async with LocalTeacher("m", lambda: echo, batch_size=3) as teacher:
        first = [asyncio.ensure_future(teacher.ask(request(text))) for text in "abcd"]
        await until(lambda: echo.batches)
        later = [asyncio.ensure_future(teacher.ask(request(text))) for text in "ef"]
        echo.gate.set()
        answers = [await task for task in (*first, *later)]
    assert [a.text for a in answers] == list("abcdef")
    assert echo.batches == [["a", "b", "c"], ["d", "e", "f"]]
    assert answers[0].model == "m"
    assert (answers[0].prompt_tokens, answers[0].completion_tokens, answers[0].finish_reason) == (1, 1, "stop")


async def test_a_batch_has_one_temperature_and_each_answer_a_seed():
    echo = Echo()
    echo.gate.set()
    async with LocalTeacher("m", lambda: echo, batch_size=8) as teacher:
        asked = [request("a"), request("b", 0.8, seed=5), request("c", None), request("d", 0.8, sample=3)]
        answers = await asyncio.gather(*map(teacher.ask, asked))
    assert [a.text for a in answers] == list("abcd")
    assert echo.batches == [["a", "c"], ["b", "d"]]
    assert echo.told == [(0.0, [0, 0]), (0.8, [5, 3])]


async def test_who_gave_up_is_left_out():
    echo = Echo()
    async with LocalTeacher("m", lambda: echo, batch_size=1) as teacher:
        first = asyncio.ensure_future(teacher.ask(request("a")))
        await until(lambda: echo.batches)
        second, third = (asyncio.ensure_future(teacher.ask(request(text))) for text in "bc")
        await asyncio.sleep(0)
        second.cancel()
        echo.gate.set()
        assert [(await first).text, (await third).text] == ["a", "c"]
    assert echo.batches == [["a"], ["c"]]


async def test_a_prompt_that_is_too_long_is_refused():
    echo = Echo()
    echo.gate.set()
    async with LocalTeacher("m", lambda: echo, batch_size=2) as teacher:
        with pytest.raises(Refusal, match="8 tokens"):
            await teacher.ask(request("too long"))


class OutOfMemoryError(RuntimeError):
    """Named as torch names it."""


@pytest.mark.parametrize(
    ("failure", "kind", "said"),
    [
        (OutOfMemoryError("CUDA"), SqlRlError, "lower --batch-size"),
        (ZeroDivisionError("bug"), ZeroDivisionError, "bug"),
    ],
)
async def test_a_failure_reaches_all_who_asked_and_ends_nothing(failure: Exception, kind: type, said: str):
    echo = Echo()
    echo.gate.set()
    async with LocalTeacher("m", lambda: echo, batch_size=2) as teacher:
        echo.fails = failure
        found = await asyncio.gather(*(teacher.ask(request(text)) for text in "ab"), return_exceptions=True)
        assert [type(f) for f in found] == [kind, kind]
        assert said in str(found[0])
        echo.fails = None
        assert (await teacher.ask(request("c"))).text == "c"


async def test_leaving_waits_for_the_batch_under_way_and_for_no_other():
    echo = Echo()
    async with LocalTeacher("m", lambda: echo, batch_size=1) as teacher:
        tasks = [asyncio.ensure_future(teacher.ask(request(text))) for text in "ab"]
        await until(lambda: echo.batches)
        echo.gate.set()
    assert echo.batches == [["a"]]
    assert (await tasks[0]).text == "a"
    assert tasks[1].cancelled() or isinstance(
        (await asyncio.gather(tasks[1], return_exceptions=True))[0], BaseException
    )


async def test_a_real_student():
    """A tiny model through transformers: the answer depends on the question and the seed, not on the neighbours."""
    pytest.importorskip("torch")
    corpus = ["CREATE TABLE t (a INT); SELECT a FROM t", "How many rows are there? Which town is it?"] * 20
    student = open_student(StudentSpec(model="micro"), corpus)
    questions = ["How many rows are there?", "Which town is it? " * 5, "a"]
    async with LocalTeacher("micro", lambda: student, batch_size=3) as teacher:
        together = await asyncio.gather(*(teacher.ask(request(q, 0.8, seed=1)) for q in questions))
        alone = [await teacher.ask(request(q, 0.8, seed=1)) for q in questions]
        other = await teacher.ask(request(questions[0], 0.8, seed=2))
    assert [a.text for a in together] == [a.text for a in alone]
    assert other.text != together[0].text
    assert all(0 < a.completion_tokens <= 24 for a in together)
