"""One repository on the Hub: what is there, what differs, and one commit that makes it so.

Nothing is sent that is there already (compared by git-lfs's SHA-256, or git's blob id), so a second push of the same
files makes no commit, and an interrupted one carries on. Each commit names the version it was worked out from: when
someone else commits in between, the Hub refuses it (412) and it is worked out again.
"""

import io
import time
from collections.abc import Callable, Collection, Mapping
from fnmatch import fnmatch
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sql_rl.configure import Secrets
from sql_rl.errors import SqlRlError
from sql_rl.publish.access import Target
from sql_rl.publish.patience import Patience
from sql_rl.publish.sections import LICENCE, merged

if TYPE_CHECKING:
    from huggingface_hub.hf_api import RepoFile

CARD = "README.md"
Content = Path | bytes


class Repository:
    """The repository of a Target. say: hears what is going to be sent, which may take long. pause: how it waits
    between tries (Patience)."""

    def __init__(
        self,
        target: Target,
        secrets: Secrets,
        pause: Callable[[float], None] = time.sleep,
        say: Callable[[str], None] = lambda line: None,
    ) -> None:
        from huggingface_hub import HfApi
        from huggingface_hub.utils import disable_progress_bars

        disable_progress_bars()
        self.target, self._secrets, self._say = target, secrets, say
        self._api = HfApi(token=secrets.hf_token)
        self._patiently = Patience(f"{target.repo_id} on the Hub ({self._api.endpoint})", secrets, pause)
        self._where = {"repo_id": target.repo_id, "repo_type": target.kind}

    def waiting(self, pause: Callable[[float], None]) -> "Repository":
        """The same repository, with another way to wait between tries."""
        return Repository(self.target, self._secrets, pause, self._say)

    def licence_of(self, model: str) -> dict[str, Any]:
        """What the card of a model on the Hub states: license, and of one that is the model's own license_name and
        license_link; {} where there is none to be read."""
        from huggingface_hub.errors import RepositoryNotFoundError

        try:
            card = self._patiently(lambda: self._api.model_info(model)).card_data
        except SqlRlError as error:
            if isinstance(error.__cause__, RepositoryNotFoundError):
                return {}
            raise
        stated = card.to_dict() if card else {}
        return {key: stated[key] for key in LICENCE if key in stated}

    def push(
        self,
        files: Mapping[str, Content],
        title: str,
        card: str,
        owned: Collection[str] = (),
        keep: Collection[str] = (),
    ) -> bool:
        """Brings files (path in the repository -> content) in one commit; False if all of it was there.

        card: the README; what a person wrote into the one on the Hub is kept (sections.merged). owned: patterns of
        paths that are ours: such files that are neither in `files` nor in `keep` are of an older version, and deleted.
        Raises what Patience raises; nothing of a push that fails is seen in the repository.
        """
        return self._patiently(lambda: self._push_once(files, title, card, owned, keep))

    def _push_once(
        self, files: Mapping[str, Content], title: str, card: str, owned: Collection[str], keep: Collection[str]
    ) -> bool:
        from huggingface_hub import CommitOperationAdd, CommitOperationDelete
        from huggingface_hub.hf_api import RepoFile

        head = self._api.repo_info(**self._where).sha
        entries = self._api.list_repo_tree(**self._where, recursive=True, revision=head)
        there = {entry.path: entry for entry in entries if isinstance(entry, RepoFile)}
        wanted = {**files, CARD: merged(self._text(CARD, head) if CARD in there else "", card).encode()}
        ours = [path for path in there if any(fnmatch(path, pattern) for pattern in owned)]
        gone = [path for path in ours if path not in wanted and path not in keep]
        changed = [path for path in wanted if path not in there or not _is_same(wanted[path], there[path])]
        if not changed and not gone:
            return False
        size = sum(_size(wanted[path]) for path in changed)
        self._say(f"{self.target.repo_id}: {len(changed)} of {len(wanted)} files to send, {size / 1e6:,.1f} MB")
        operations = [CommitOperationAdd(path, wanted[path]) for path in changed]
        operations += [CommitOperationDelete(path, is_folder=False) for path in gone]
        self._api.create_commit(**self._where, operations=operations, commit_message=title, parent_commit=head)
        return True

    def _text(self, path: str, revision: str | None) -> str:
        return Path(self._api.hf_hub_download(**self._where, filename=path, revision=revision)).read_text("utf-8-sig")


def _size(content: Content) -> int:
    return len(content) if isinstance(content, bytes) else content.stat().st_size


def _is_same(content: Content, entry: "RepoFile") -> bool:
    """Is it what the Hub has? Of a large file it tells the SHA-256, of a small one git's blob id."""
    from huggingface_hub.utils.sha import git_hash, sha_fileobj

    with io.BytesIO(content) if isinstance(content, bytes) else content.open("rb") as file:
        if entry.lfs is None:
            return git_hash(file.read()) == entry.blob_id
        return sha_fileobj(file).hex() == entry.lfs.sha256
