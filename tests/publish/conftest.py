"""The Hub on loopback, for calls in this process; a program that is started finds it by `hub_environ`."""

from pathlib import Path

import pytest
from huggingface_hub import constants

from sql_rl.configure import Secrets
from sql_rl.testing.hub_server import HubServer


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
