"""Fixtures of publishing: a Hub on loopback, for a program that is started and for calls in this process."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from huggingface_hub import constants

from sql_rl.configure import Secrets
from sql_rl.testing.hub_server import HubServer


@pytest.fixture
def hub() -> Iterator[HubServer]:
    """A well-behaved Hub that knows one token, which belongs to `me`; tests change its fields."""
    with HubServer(token="hf_very_secret").running() as server:
        yield server


@pytest.fixture
def hub_environ(hub: HubServer) -> dict[str, str]:
    """What a program needs to find it."""
    return {
        "HF_ENDPOINT": hub.url,
        "HF_TOKEN": hub.token,
        "HF_HUB_OFFLINE": "0",
        "HF_HUB_DISABLE_XET": "1",
        "HF_HUB_DISABLE_PROGRESS_BARS": "1",
    }


@pytest.fixture
def secrets(hub: HubServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Secrets:
    """The credentials for calls in this process, which go to the Hub on loopback."""
    monkeypatch.setattr(constants, "ENDPOINT", hub.url)
    template = constants.HUGGINGFACE_CO_URL_TEMPLATE.replace("https://huggingface.co", hub.url)
    monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", template)
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(constants, "HF_HUB_DISABLE_XET", True)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hf"))
    return Secrets(hf_token=hub.token)
