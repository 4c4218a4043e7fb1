"""May we write there? Asked of the Hub before a run costs anything, so that no run ends without a place to go.

The proof is what the Hub itself says: the token's role, the repository made (or found), its write check
(huggingface_hub's whoami, create_repo, auth_check).
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from sql_rl.configure import Secrets
from sql_rl.errors import RefusedError, UsageError
from sql_rl.publish.patience import Patience

Kind = Literal["dataset", "model"]


@dataclass(frozen=True, slots=True)
class Target:
    """A repository on the Hub that the token may write to. repo_id: OWNER/NAME. url: where a person sees it."""

    repo_id: str
    kind: Kind
    url: str


def check_write_access(
    repo_id: str, kind: Kind, private: bool, secrets: Secrets, pause: Callable[[float], None] = time.sleep
) -> Target:
    """Makes the repository, or finds it, and asks the Hub whether the token may write to it.

    repo_id: OWNER/NAME; of a bare NAME the owner is NAMESPACE, else the token's. private: a new repository is made
    private; that an existing one is public is an error, since we change nobody's settings.
    Raises RefusedError (4): a token that is unknown, may only read, or not write there. UsageError (2): no token, a
    name that the Hub does not take, a public repository. SqlRlError (1): the Hub cannot be reached.
    """
    from huggingface_hub import HfApi
    from huggingface_hub.utils import HFValidationError, logging, validate_repo_id

    logging.set_verbosity_error()  # its warnings quote URLs that are signed
    if secrets.hf_token is None:
        raise UsageError(
            f"HF_TOKEN is missing: publishing {repo_id} needs one that may write, in the environment or .env "
            "(https://huggingface.co/settings/tokens)"
        )
    api = HfApi(token=secrets.hf_token)
    hub = Patience(f"{repo_id} on the Hub ({api.endpoint})", secrets, pause)
    who = hub(api.whoami)
    role = who.get("auth", {}).get("accessToken", {}).get("role", "write")
    if role == "read":
        raise RefusedError(f"publishing {repo_id}: HF_TOKEN (of {who['name']}) may only read: make one that may write")
    full = repo_id if "/" in repo_id else f"{secrets.namespace or who['name']}/{repo_id}"
    try:
        validate_repo_id(full)
    except HFValidationError as error:
        raise UsageError(f"{full!r} is no name for a repository on the Hub: {error}") from error
    hub = Patience(f"{full} on the Hub ({api.endpoint})", secrets, pause)
    url = hub(lambda: api.create_repo(full, repo_type=kind, private=private or None, exist_ok=True))
    hub(lambda: api.auth_check(full, repo_type=kind, write=True))
    if private and not hub(lambda: api.repo_info(full, repo_type=kind)).private:
        raise UsageError(
            f"{full} is there already and public: make it private in its settings on the Hub, or choose another name"
        )
    return Target(full, kind, str(url))
