"""The Batch API of OpenAI and of whoever speaks it (Groq): files of requests, answered within a day for less.

The provider's endpoints for files and batches, over the openai SDK; what a batch is for and when it is made is
decided in `sql_rl.distill.batches`. Documented at platform.openai.com/docs/guides/batch and
console.groq.com/docs/batch.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

from sql_rl.configure import Secrets
from sql_rl.errors import SqlRlError, UsageError
from sql_rl.settings import Settings
from sql_rl.teachers.base import Refusal, Transient
from sql_rl.teachers.dialects import dialect_of
from sql_rl.teachers.http import failure

if TYPE_CHECKING:
    import openai
    from openai.types import Batch as SdkBatch

# What tokens cost of their usual price. Groq has advertised 25 % off and 50 %: a cap has to hold with either.
PRICE_SHARE = {"openai": 0.5, "groq": 0.75}
MAX_LINES = 50_000  # requests in a file, with both providers
MAX_BYTES = 100_000_000  # of a file: OpenAI takes 200 MB, Groq's own SDK promises half of that
WINDOW_HOURS = 24  # the only window that both offer; a batch that takes longer expires

ENDPOINT = "/v1/chat/completions"
_NAME = "sql_rl_batch"  # the key in a batch's metadata
_PAGE = 100  # the longest that OpenAI lists


@dataclass(frozen=True, slots=True)
class Batch:
    """A batch as the provider tells of it.

    answered, failed, total: its requests so far. output_file, error_file: '' until there is one. code, message: of
    the first error that kept the whole batch from running, '' without.
    """

    id: str
    status: str
    answered: int = 0
    failed: int = 0
    total: int = 0
    output_file: str = ""
    error_file: str = ""
    code: str = ""
    message: str = ""

    @property
    def ended(self) -> bool:
        return self.status in ("completed", "failed", "expired", "cancelled")

    @property
    def complete(self) -> bool:
        """Ended, and the files that its counts promise are there."""
        return self.ended and bool(self.output_file or not self.answered)


class BatchApi:
    """One client; each method is one call, never repeated by itself.

    base_url: up to and with /v1. timeout: seconds without a byte before a call counts as failed. price_share: what
    tokens cost here of their usual price.
    Every method raises Transient where the same call may be made again, else an SqlRlError that ends the run.
    """

    def __init__(self, base_url: str, secrets: Secrets, timeout: float, price_share: float) -> None:
        self._base_url, self._secrets, self._timeout = base_url, secrets, timeout
        self.price_share = price_share

    async def __aenter__(self) -> Self:
        import openai  # takes a second to load

        self._client = openai.AsyncOpenAI(
            base_url=self._base_url,
            api_key=self._secrets.api_key or "none",  # a server of one's own may want none, the SDK always does
            timeout=openai.Timeout(self._timeout, connect=10.0),
            max_retries=0,  # a create that is repeated blindly is paid twice
        )
        return self

    async def __aexit__(self, *failure: object) -> None:
        await self._client.close()

    async def upload(self, name: str, content: bytes) -> str:
        """The id of a new file of requests; the provider deletes it after 30 days."""
        file = await self._called(self._client.files.create(file=(f"{name}.jsonl", content), purpose="batch"))
        if not _has_id(file):
            raise UsageError(f"{self._base_url}: it takes a file and gives no id for it; {self._is_it_one}")
        return file.id

    async def create(self, name: str, file: str) -> Batch:
        """Starts a batch over an uploaded file, under a name that `find` finds it by."""
        try:
            return _batch(
                await self._called(
                    self._client.batches.create(
                        input_file_id=file,
                        endpoint=ENDPOINT,
                        completion_window=f"{WINDOW_HOURS}h",
                        metadata={_NAME: name},
                    )
                )
            )
        except _RefusedError as refused:
            if "file" in refused.param:  # just uploaded, and not yet known everywhere (bespokelabsai/curator#116)
                raise Transient(str(refused)) from refused
            raise

    async def find(self, name: str) -> Batch | None:
        """The batch of that name, None if there is none; the newest are looked at first."""
        more: dict[str, Any] = {}
        while True:
            page = await self._called(self._client.batches.list(limit=_PAGE, **more))
            if not isinstance(getattr(page, "data", None), list):
                raise Transient(f"{self._base_url}: the answer is no list of batches")
            for batch in page.data:
                if isinstance(batch.metadata, dict) and batch.metadata.get(_NAME) == name:
                    return _batch(batch)
            if not page.data or not page.has_more:  # Groq lists all at once, and has no has_more
                return None
            more = {"after": page.data[-1].id}

    async def retrieve(self, batch_id: str) -> Batch | None:
        """The batch as it is now; None if the provider knows none of that id."""
        found = await self._called(self._client.batches.retrieve(batch_id), may_be_gone=True)
        return found and _batch(found)

    async def content(self, file: str) -> bytes | None:
        """A whole file, in memory; None if the provider has it no more."""
        found = await self._called(self._client.files.content(file), may_be_gone=True)
        return None if found is None else found.content

    async def _called(self, call: Any, may_be_gone: bool = False) -> Any:
        """What the call returns; None for a 404 where that is an answer."""
        import openai

        try:
            return await call
        except openai.APIStatusError as error:
            if error.status_code == 404 and may_be_gone:
                return None
            raise self._failure(error) from error
        except openai.APIConnectionError as error:
            cause = error.__cause__ or error
            raise Transient(f"{self._base_url}: {type(cause).__name__}: {cause}", connected=False) from error

    @property
    def _is_it_one(self) -> str:
        return f"does {self._base_url} offer the Batch API? If not, leave --batch-api out"

    def _failure(self, error: "openai.APIStatusError") -> Exception:
        said = self._secrets.redact(error.response.text)
        meaning = failure(error.status_code, error.response.headers, said, str(error.request.url))
        if error.status_code in (404, 405):
            return UsageError(f"{meaning}; {self._is_it_one}")
        return _RefusedError(str(meaning), error.param or "") if isinstance(meaning, Refusal) else meaning


def open_batch_api(settings: Settings, secrets: Secrets) -> BatchApi:
    """The Batch API of the run's provider. Raises UsageError where it has none, or the credential is missing."""
    provider = settings.distill.provider
    if provider not in PRICE_SHARE:
        raise UsageError(f"--batch-api: {provider} has no Batch API; {' and '.join(PRICE_SHARE)} have one")
    url = settings.base_url or dialect_of(provider, None, secrets).url
    return BatchApi(url, secrets, settings.request_timeout, PRICE_SHARE[provider])


class _RefusedError(SqlRlError):
    """A file or a batch is refused for what it is. param: the parameter that the provider blames, '' without."""

    def __init__(self, message: str, param: str) -> None:
        super().__init__(message)
        self.param = param


def _has_id(said: Any) -> bool:
    """The SDK checks nothing: a web page comes as a string, and what is missing as None."""
    return isinstance(getattr(said, "id", None), str)


def _batch(said: "SdkBatch") -> Batch:
    if not _has_id(said):
        raise Transient("the answer is no batch")
    counts, errors = said.request_counts, said.errors.data if said.errors else None
    return Batch(
        id=said.id,
        status=said.status,
        answered=counts.completed if counts else 0,
        failed=counts.failed if counts else 0,
        total=counts.total if counts else 0,
        output_file=said.output_file_id or "",
        error_file=said.error_file_id or "",
        code=(errors[0].code or "") if errors else "",
        message=(errors[0].message or "") if errors else "",
    )
