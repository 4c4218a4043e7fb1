"""Write access: proven by the Hub before a run starts; each way to be turned away is one line and an exit code."""

import dataclasses

import pytest
from huggingface_hub import constants

from sql_rl.configure import Secrets
from sql_rl.errors import RefusedError, SqlRlError, UsageError
from sql_rl.publish.access import check_write_access
from sql_rl.testing.hub_server import Fault, HubServer
from sql_rl.testing.hub_store import Repo


@pytest.mark.parametrize(
    ("repo_id", "namespace", "found"),
    [("rows", None, "me/rows"), ("me/rows", "someone", "me/rows"), ("rows", "me", "me/rows")],
)
def test_the_repository_is_made(hub: HubServer, secrets: Secrets, repo_id: str, namespace: str | None, found: str):
    secrets = dataclasses.replace(secrets, namespace=namespace)
    target = check_write_access(repo_id, "dataset", True, secrets)
    assert (target.repo_id, target.url) == (found, f"{hub.url}/datasets/{found}")
    assert hub.repo(found).private
    assert check_write_access(repo_id, "dataset", False, secrets) == target, "it may be there already"


@pytest.mark.parametrize(
    ("token", "role", "repo_id", "private", "kind", "said"),
    [
        (None, "write", "me/rows", False, UsageError, "HF_TOKEN is missing"),
        ("hf_another", "write", "me/rows", False, RefusedError, "401 Invalid credentials"),
        ("hf_very_secret", "read", "me/rows", False, RefusedError, "may only read"),
        ("hf_very_secret", "write", "them/rows", False, RefusedError, "403 You don't have the rights"),
        ("hf_very_secret", "write", "them/there", False, RefusedError, "403 You don't have write access"),
        ("hf_very_secret", "fineGrained", "me/rows", False, RefusedError, "403"),
        ("hf_very_secret", "write", "me/rows--x", False, UsageError, "'me/rows--x' is no name for a repository"),
        ("hf_very_secret", "write", "me/public", True, UsageError, "me/public is there already and public"),
    ],
)
def test_refused(hub: HubServer, secrets: Secrets, token, role, repo_id, private, kind, said):
    hub.role = role
    hub.store.repos["dataset", "me/public"] = hub.store.repos["dataset", "them/there"] = Repo(private=False)
    with pytest.raises(kind) as caught:
        check_write_access(repo_id, "dataset", private, Secrets(hf_token=token))
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)
    assert "hf_" not in str(caught.value)


def test_a_hub_that_is_down_is_waited_for_but_not_forever(hub: HubServer, secrets: Secrets):
    waits: list[float] = []
    hub.faults.append(Fault("whoami", 503, times=2))
    assert check_write_access("rows", "model", False, secrets, waits.append).repo_id == "me/rows"
    assert len(waits) == 2
    hub.faults.append(Fault("whoami", 503, times=100))
    with pytest.raises(SqlRlError, match=r"503 Service Unavailable .after 8 tries.; the same command carries on"):
        check_write_access("rows", "model", False, secrets, waits.append)
    assert all(0.5 * 2**n <= wait <= 1.5 * 2**n for n, wait in enumerate(waits[2:]))


@pytest.mark.parametrize("endpoint", ["nowhere", "ftp://127.0.0.1", "http://"])
def test_what_is_no_address_is_not_waited_for(secrets: Secrets, monkeypatch: pytest.MonkeyPatch, endpoint: str):
    waits: list[float] = []
    monkeypatch.setattr(constants, "ENDPOINT", endpoint)
    with pytest.raises(SqlRlError, match=r"on the Hub .* protocol"):
        check_write_access("rows", "dataset", False, secrets, waits.append)
    assert waits == []
