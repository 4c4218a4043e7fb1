"""Settings: layers, and one clear line for whatever is wrong."""

from pathlib import Path

import pytest
import yaml

from sql_rl.configure import Secrets, keys, load, template
from sql_rl.errors import UsageError
from sql_rl.settings import Settings

ROOT = Path(__file__).parent.parent


def loaded(folder: Path, config: str = "", flags=None, environ=None, **files: str) -> Settings:
    (folder / "config.yaml").write_text(config)
    for name, content in files.items():
        (folder / f".{name}").write_text(content)
    return load(flags or {}, environ=environ or {}, folder=folder)[0]


def test_each_layer_wins_over_the_one_below(tmp_path: Path):
    config, env, flag = "distill: {limit: 2}", {"SQL_RL_DISTILL_LIMIT": "3"}, {"distill.limit": 4}
    assert loaded(tmp_path).distill.limit == 100
    assert loaded(tmp_path, config).distill.limit == 2
    assert loaded(tmp_path, config, env="SQL_RL_DISTILL_LIMIT=5").distill.limit == 5
    assert loaded(tmp_path, config, environ=env, env="SQL_RL_DISTILL_LIMIT=5").distill.limit == 3
    assert loaded(tmp_path, config, flag, env).distill.limit == 4


def test_a_flag_that_was_not_given_wins_over_nothing(tmp_path: Path):
    assert loaded(tmp_path, "base_url: http://a/v1", {"base_url": None}).base_url == "http://a/v1"


def test_the_train_file_gives_the_defaults_of_train(tmp_path: Path):
    settings = loaded(tmp_path, "train: {model: a/b}", train="MODEL=c/d\nREPO_ID=e/f\nPUBLISH_REPO_ID=\n")
    assert (settings.train.model, settings.train.dataset_repo_id) == ("c/d", "e/f")
    assert settings.train.publish_repo_id is None
    assert loaded(tmp_path, environ={"MODEL": "g/h"}, train="MODEL=c/d").train.model == "g/h"


@pytest.mark.parametrize("name", ["OpenAI", "openai", "OPENAI", "oPeNaI"])
def test_choices_are_read_in_any_letter_case(tmp_path: Path, name: str):
    assert loaded(tmp_path, flags={"distill.provider": name}).distill.provider == "openai"


WRONG = {
    "unknown key": ("temprature: 1", ["config.yaml", "temprature", "did you mean temperature?"]),
    "unknown key in a section": ("distill:\n  limt: 1", ["distill.limt", "did you mean distill.limit?"]),
    "key outside its section": ("limit: 1", ["limit: no such key", "did you mean distill.limit?"]),
    "unknown section": ("distil:\n  limit: 1", ["distil: no such key", "did you mean distill?"]),
    "wrong type": ("distill: {batch_size: many}", ["distill.batch_size", "'many'", "int >= 1"]),
    "fraction for a whole number": ("distill: {batch_size: 1.5}", ["distill.batch_size", "1.5", "int >= 1"]),
    "below the bound": ("distill: {limit: 0}", ["distill.limit", "0 is not allowed", ">= 1"]),
    "negative": ("max_tokens: -1", ["max_tokens", "-1", ">= 16"]),
    "above the bound": ("temperature: 9", ["temperature", "9", "<= 2"]),
    "no such choice": ("distill: {provider: opnai}", ["'opnai'", "openai, vllm", "did you mean openai?"]),
    "not a boolean": ("distill: {validate: perhaps}", ["distill.validate", "'perhaps'", "true | false"]),
    "section without keys": ("distill: 3", ["distill", "3 is not a section"]),
    "not a date": ("judge: {now: yesterday}", ["judge.now", "'yesterday'", "2024-06-01"]),
    "not YAML": ("a: [", ["config.yaml", "not YAML"]),
    "not a mapping": ("- a", ["config.yaml", "expected `key: value`"]),
    "no room for an answer": ("max_prompt_length: 8192", ["8192", "max_seq_length"]),
    "removal without validation": ("distill: {remove_no_valid: true}", ["--remove-no-valid needs --validate"]),
    "wrong mapping": ("columns: {question: 3}", ["columns", "mapping"]),
}


@pytest.mark.parametrize(("config", "said"), WRONG.values(), ids=WRONG.keys())
def test_what_is_wrong_is_said_in_one_line(tmp_path: Path, config: str, said: list[str]):
    with pytest.raises(UsageError) as caught:
        loaded(tmp_path, config)
    message = str(caught.value)
    assert "\n" not in message
    for part in said:
        assert part in message


def test_a_wrong_flag_is_named_as_it_was_written(tmp_path: Path):
    with pytest.raises(UsageError, match=r"command line: --batch-size: 0"):
        loaded(tmp_path, flags={"distill.batch_size": 0})


def test_a_wrong_variable_is_named(tmp_path: Path):
    with pytest.raises(UsageError, match=r"SQL_RL_DISTILL_LIMT is not a setting; did you mean SQL_RL_DISTILL_LIMIT"):
        loaded(tmp_path, environ={"SQL_RL_DISTILL_LIMT": "1"})


def test_a_config_that_is_not_there_is_an_error_only_if_it_was_named(tmp_path: Path):
    assert load({}, environ={}, folder=tmp_path)[0] == Settings()
    with pytest.raises(UsageError, match=r"nowhere\.yaml: cannot be read"):
        load({}, config=tmp_path / "nowhere.yaml", environ={}, folder=tmp_path)


def test_the_template_lists_every_key_and_is_up_to_date(tmp_path: Path):
    text = (ROOT / "template.config.yaml").read_text()
    assert text == template(), (
        "write it anew: python -c 'from sql_rl.configure import template; print(template(), end=\"\")'"
    )
    assert loaded(tmp_path, text) == Settings()
    content = yaml.safe_load(text)
    for key in keys():
        section, _, name = key.path.rpartition(".")
        assert name in (content[section] if section else content)


def test_secrets_are_read_and_never_shown(tmp_path: Path):
    (tmp_path / ".env").write_text("API_KEY=sk-file\nHF_TOKEN=hf-file\nNAMESPACE=me\n")
    _, secrets = load({}, environ={"API_KEY": "sk-environment"}, folder=tmp_path)
    assert (secrets.api_key, secrets.hf_token, secrets.namespace) == ("sk-environment", "hf-file", "me")
    assert "sk-" not in repr(secrets)
    assert "hf-" not in repr(secrets)
    assert secrets.redact("bad key sk-environment, hf-file") == "bad key ***, ***"
    assert Secrets(api_key="x").redact('{"code": "context_length_exceeded"}') == '{"code": "context_length_exceeded"}'


@pytest.mark.parametrize(
    ("given", "read"), [("sk-abc\n", "sk-abc"), (" sk-abc\r\n", "sk-abc"), ("  ", None), ("", None)]
)
def test_a_key_comes_without_the_end_of_its_line(tmp_path: Path, given: str, read: str | None):
    """Files of secrets, as of Docker and Kubernetes, bring it along."""
    environ = dict.fromkeys(("API_KEY", "HF_TOKEN", "NAMESPACE"), given)
    assert load({}, environ=environ, folder=tmp_path)[1] == Secrets(read, read, read)


@pytest.mark.parametrize(
    ("given", "said"),
    [("\u201csk-abc", "'\u201c' (character 1)"), ("sk\nabc", r"'\n' (character 3)"), ("sk abc", "' ' (character 3)")],
)
def test_a_key_that_no_header_carries(tmp_path: Path, given: str, said: str):
    with pytest.raises(UsageError) as caught:
        load({}, environ={"HF_TOKEN": given}, folder=tmp_path)
    assert str(caught.value).startswith(f"HF_TOKEN: {said}")
    assert "abc" not in str(caught.value)
