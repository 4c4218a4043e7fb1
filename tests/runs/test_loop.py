"""The loop of a run: uvloop where it is installed, asyncio's own without it, and results and errors come through."""

import asyncio
import sys

import pytest

from sql_rl.runs.loop import new_loop, run_async


async def kind() -> str:
    return type(asyncio.get_running_loop()).__module__.partition(".")[0]


async def fails() -> None:
    raise ValueError("no")


def test_uvloop_where_it_is_installed():
    pytest.importorskip("uvloop")
    assert run_async(kind()) == "uvloop"


def test_asyncio_without_it(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "uvloop", None)  # an import raises ImportError
    assert run_async(kind()) == "asyncio"


def test_errors_come_through():
    with pytest.raises(ValueError, match="no"):
        run_async(fails())


def test_each_loop_is_fresh():
    first, second = new_loop(), new_loop()
    assert first is not second
    first.close()
    second.close()
