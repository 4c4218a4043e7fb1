"""The provider's endpoints for files and batches, against a real HTTP server on loopback."""

import json
from collections.abc import AsyncIterator, Iterator

import pytest

from sql_rl.configure import Secrets
from sql_rl.errors import RefusedError, SqlRlError, UsageError
from sql_rl.settings import DistillSettings, Settings
from sql_rl.teachers.base import Transient
from sql_rl.teachers.batch_api import Batch, BatchApi, open_batch_api
from sql_rl.testing.batch_server import BatchServer, Fate

LINE = {
    "custom_id": "a",
    "method": "POST",
    "url": "/v1/chat/completions",
    "body": {"model": "m", "messages": [{"role": "user", "content": "Question: q"}]},
}
FILE = json.dumps(LINE).encode() + b"\n"


@pytest.fixture
def server() -> Iterator[BatchServer]:
    with BatchServer(answers={"q": "SELECT 7"}, clock=lambda: 1e9).running() as server:
        yield server


@pytest.fixture
async def api(server: BatchServer) -> AsyncIterator[BatchApi]:
    async with BatchApi(server.url, Secrets(api_key="sk-secret"), timeout=5.0, price_share=0.5) as api:
        yield api


async def test_a_batch_from_its_file_to_its_answers(server: BatchServer, api: BatchApi):
    server.api_key = "sk-secret"
    created = await api.create("name", await api.upload("name", FILE))
    batch = await api.retrieve(created.id)
    assert (batch.status, batch.answered, batch.failed, batch.total) == ("completed", 1, 0, 1)
    assert (batch.error_file, batch.code) == ("", "")
    line = json.loads(await api.content(batch.output_file))
    assert line["custom_id"] == "a"
    assert "SELECT 7" in line["response"]["body"]["choices"][0]["message"]["content"]


async def test_a_batch_is_found_by_its_name_on_any_page(server: BatchServer, api: BatchApi):
    server.page = 2
    file = await api.upload("x", FILE)
    ids = {name: (await api.create(name, file)).id for name in "abcde"}
    for name in "abcde":
        assert (await api.find(name)).id == ids[name]
    assert await api.find("f") is None


async def test_what_the_provider_does_not_know_is_none(api: BatchApi):
    assert await api.retrieve("batch_9") is None
    assert await api.content("file-9") is None


async def test_a_batch_that_is_not_run_says_why(server: BatchServer, api: BatchApi):
    server.fates = [Fate(end="failed", code="model_not_found")]
    batch = await api.create("name", await api.upload("name", FILE))
    assert (batch.status, batch.code, batch.message) == ("failed", "model_not_found", "It has model_not_found.")


async def test_a_file_that_is_not_known_yet_may_be_tried_again(api: BatchApi):
    with pytest.raises(Transient, match="Cannot find file"):
        await api.create("name", "file-9")


async def test_a_file_that_is_too_large_ends_the_run(server: BatchServer, api: BatchApi):
    server.max_bytes = 10
    with pytest.raises(SqlRlError, match=r"400 from .*/files: The file has"):
        await api.upload("name", FILE)


async def test_a_refused_key_is_not_shown(server: BatchServer, api: BatchApi):
    server.api_key = "another"
    with pytest.raises(RefusedError, match=r"Incorrect API key provided: \*\*\*") as caught:
        await api.upload("name", FILE)
    assert "sk-secret" not in str(caught.value)


@pytest.mark.parametrize("fault", [500, 503, 429, "lost"])
@pytest.mark.parametrize("call", ["upload", "create", "list", "retrieve", "content"])
async def test_passing_faults_are_transient_and_sent_once(server: BatchServer, api: BatchApi, call: str, fault: object):
    calls = {
        "upload": lambda: api.upload("name", FILE),
        "create": lambda: api.create("name", "file-0"),
        "list": lambda: api.find("name"),
        "retrieve": lambda: api.retrieve("batch_0"),
        "content": lambda: api.content("file-0"),
    }
    await api.create("name", await api.upload("name", FILE))
    server.calls.clear()
    server.faults[call] = [fault]
    with pytest.raises(Transient):
        await calls[call]()
    assert server.calls[call] == 1
    assert await calls[call]()


async def test_a_server_without_a_batch_api_is_told(server: BatchServer):
    async with BatchApi(server.url + "/elsewhere", Secrets(), timeout=5.0, price_share=0.5) as api:
        with pytest.raises(UsageError, match=r"offer the Batch API.*leave --batch-api out"):
            await api.upload("name", FILE)


async def test_nobody_listens():
    with BatchServer().running() as other:
        url = other.url
    async with BatchApi(url, Secrets(), timeout=5.0, price_share=0.5) as api:
        with pytest.raises(Transient, match=r"127\.0\.0\.1") as caught:
            await api.upload("name", FILE)
    assert not caught.value.connected


@pytest.mark.parametrize("provider", ["openai", "groq"])
def test_who_has_a_batch_api(provider: str):
    settings = Settings(distill=DistillSettings(provider=provider))
    assert open_batch_api(settings, Secrets(api_key="k")).price_share < 1
    with pytest.raises(UsageError, match="API_KEY is missing"):
        open_batch_api(settings, Secrets())


@pytest.mark.parametrize("provider", ["offline", "vllm", "huggingface"])
def test_who_has_none(provider: str):
    with pytest.raises(UsageError, match=f"--batch-api: {provider} has no Batch API; openai and groq have one"):
        open_batch_api(Settings(distill=DistillSettings(provider=provider)), Secrets(api_key="k"))


@pytest.mark.parametrize(
    ("batch", "ended", "complete"),
    [
        (Batch("b", "in_progress", answered=1), False, False),
        (Batch("b", "completed", answered=1, output_file="f"), True, True),
        (Batch("b", "completed", answered=1), True, False),
        (Batch("b", "completed", failed=1, error_file="f"), True, True),
        (Batch("b", "expired"), True, True),
        (Batch("b", "cancelling", answered=1, output_file="f"), False, False),
    ],
)
def test_ended_and_complete(batch: Batch, ended: bool, complete: bool):
    assert (batch.ended, batch.complete) == (ended, complete)
