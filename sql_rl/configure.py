"""Settings from their layers: flags > environment and .env/.train > config.yaml > defaults.

Whatever is wrong is one line (file, key, value, what is allowed, the nearest known key) and a UsageError, before
anything else happens. Secrets live in `Secrets`, which never prints them.
"""

import dataclasses
import difflib
import os
import types
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

import yaml
from dotenv import dotenv_values

from sql_rl.errors import UsageError
from sql_rl.settings import Settings

CONFIG_FILE = "config.yaml"
ENV_PREFIX = "SQL_RL_"
COMMAND_LINE = "command line"
IN_PROCESS_WINDOW = 256  # requests; an engine in this process batches what it has, and a narrow window leaves it idle
SHORTEST_SECRET = 5  # characters; real ones have thirty and more
# The names of template.prod, and the keys of `train` that they stand for.
TRAIN_VARIABLES = {
    "MODEL": "train.model",
    "REPO_ID": "train.dataset_repo_id",
    "PUBLISH_REPO_ID": "train.publish_repo_id",
}
_SIGNS = (("ge", ">="), ("gt", ">"), ("le", "<="))


@dataclass(frozen=True, slots=True)
class Secrets:
    """Credentials from the environment or .env. Their values are in no repr, so in no log and no traceback."""

    api_key: str | None = dataclasses.field(default=None, repr=False)
    hf_token: str | None = dataclasses.field(default=None, repr=False)
    namespace: str | None = None

    def redact(self, text: str) -> str:
        """`text` with every secret in it replaced: for what a server or a library says.

        Not what is too short for one: servers of one's own are given "x" or "none", which stands in every other word.
        """
        for secret in (self.api_key, self.hf_token):
            if secret and len(secret) >= SHORTEST_SECRET:
                text = text.replace(secret, "***")
        return text


@dataclass(frozen=True, slots=True)
class Key:
    """One setting: its dotted path, type, default, one-line text ("unit; what for") and bounds (">= 1")."""

    path: str
    hint: Any
    default: Any
    text: str
    bounds: str


def keys(cls: type = Settings, prefix: str = "") -> Iterator[Key]:
    """Every setting in the order of its declaration, sections flattened to dotted paths."""
    hints = get_type_hints(cls, include_extras=True)
    for f in dataclasses.fields(cls):
        if dataclasses.is_dataclass(hints[f.name]):
            yield from keys(hints[f.name], f"{prefix}{f.name}.")
        else:
            hint, *metadata = get_args(hints[f.name])
            default = f.default if f.default is not dataclasses.MISSING else f.default_factory()
            bounds = [f"{sign} {getattr(m, name)}" for m in metadata for name, sign in _SIGNS if hasattr(m, name)]
            text = next(m for m in metadata if isinstance(m, str))
            yield Key(prefix + f.name, hint, default, text, " and ".join(bounds))


def load(
    flags: Mapping[str, Any],
    config: Path | None = None,
    environ: Mapping[str, str] | None = None,
    folder: Path | None = None,
) -> tuple[Settings, Secrets]:
    """The settings in force and the credentials.

    flags: dotted path -> value; None means that the flag was not given. config: the file of --config; without it
    `config.yaml` in `folder` where there is one. folder: where config.yaml, .env and .train are looked for, by
    default the working directory. environ: by default the process's.
    Raises UsageError (exit code 2) for the first thing that is wrong.
    """
    folder = folder or Path.cwd()
    environ = dict(os.environ if environ is None else environ)
    dotenv, dottrain = _variables(folder / ".env"), _variables(folder / ".train")
    layers = [
        *_config_layer(config, folder),
        *_variable_layer(dottrain, str(folder / ".train")),
        *_variable_layer(dotenv, str(folder / ".env")),
        *_variable_layer(environ, "environment"),
        *((COMMAND_LINE, path, value) for path, value in flags.items() if value is not None),
    ]
    places: dict[str, tuple[str, Any]] = {}
    for place, path, value in layers:
        places[path] = (place, value)
    if "distill.target_accepted" in places and "distill.limit" not in places:
        places["distill.limit"] = ("default", None)  # the source's end is the limit, not a hundred rows
    for section in ("distill", "evaluate"):
        in_process = str(places.get(f"{section}.provider", ("", ""))[1]).lower() == "vllm"
        if in_process and f"{section}.batch_size" not in places:
            places[f"{section}.batch_size"] = ("default", IN_PROCESS_WINDOW)
    settings = _validated(places)
    _check(settings, places)
    secret = {**dotenv, **environ}
    return settings, Secrets(
        api_key=_secret(secret, "API_KEY"),
        hf_token=_secret(secret, "HF_TOKEN"),
        namespace=secret.get("NAMESPACE", "").strip() or None,
    )


def _secret(variables: Mapping[str, str], name: str) -> str | None:
    """A credential without the end of the line that files of secrets bring along; None without one.

    Raises UsageError for what no header can carry.
    """
    value = variables.get(name, "").strip()
    odd = next((character for character in value if not "!" <= character <= "~"), None)
    if odd is not None:
        raise UsageError(f"{name}: {odd!r} (character {value.index(odd) + 1}) belongs into no key: copy it again")
    return value or None


def _variables(path: Path) -> dict[str, str]:
    return {k: v for k, v in dotenv_values(path).items() if v is not None} if path.is_file() else {}


def _config_layer(config: Path | None, folder: Path) -> Iterator[tuple[str, str, Any]]:
    path = config or folder / CONFIG_FILE
    if config is None and not path.exists():
        return
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UsageError(f"{path}: cannot be read: {error.strerror}") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise UsageError(f"{path}: not YAML: {' '.join(str(error).split())}") from error
    if content is None:
        return
    if not isinstance(content, dict):
        raise UsageError(f"{path}: expected `key: value` lines, found a {type(content).__name__}")
    sections = {k.path.split(".")[0] for k in keys() if "." in k.path}
    for name, value in content.items():
        if name not in sections:
            yield str(path), str(name), _plain(value)
        elif isinstance(value, dict):
            yield from ((str(path), f"{name}.{key}", _plain(inner)) for key, inner in value.items())
        elif value is not None:
            raise UsageError(f"{path}: {name}: {value!r} is not a section; write its keys below it, indented")


def _plain(value: Any) -> Any:
    """YAML reads an unquoted date as a datetime; settings keep it as the text that was written."""
    return str(value) if isinstance(value, date) else value


def _variable_layer(variables: Mapping[str, str], place: str) -> Iterator[tuple[str, str, Any]]:
    by_name = {ENV_PREFIX + k.path.replace(".", "_").upper(): k.path for k in keys()}
    for name, value in variables.items():
        if name in TRAIN_VARIABLES:
            if value:  # the template's empty lines mean "not set"
                yield place, TRAIN_VARIABLES[name], value
        elif name.startswith(ENV_PREFIX):
            if name not in by_name:
                raise UsageError(f"{place}: {name} is not a setting{_nearest(name, by_name)}")
            yield place, by_name[name], _plain(yaml.safe_load(value))


def _nearest(name: str, known: Any) -> str:
    close = difflib.get_close_matches(name, list(known), n=1, cutoff=0.5)
    return f"; did you mean {close[0]}?" if close else "; template.config.yaml lists all of them"


def _nearest_key(path: str, known: Mapping[str, Key]) -> str:
    """A key in the wrong section is found by its own name before its spelling is doubted."""
    name = path.rpartition(".")[2]
    same_name = [k for k in known if k.rpartition(".")[2] == name]
    sections = {k.rpartition(".")[0] for k in known if "." in k}
    return f"; did you mean {same_name[0]}?" if same_name else _nearest(path, [*sections, *known])


def _validated(places: Mapping[str, tuple[str, Any]]) -> Settings:
    from pydantic import TypeAdapter, ValidationError

    known = {k.path: k for k in keys()}
    tree: dict[str, Any] = {}
    for path, (place, value) in places.items():
        if path not in known:
            raise UsageError(f"{place}: {path}: no such key{_nearest_key(path, known)}")
        section, _, name = path.rpartition(".")
        # --provider OpenAI, vLLM or offline: choices are read in any letter case
        fold = get_origin(known[path].hint) is Literal and isinstance(value, str)
        (tree.setdefault(section, {}) if section else tree)[name] = value.lower() if fold else value
    try:
        return TypeAdapter(Settings).validate_python(tree)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        path = next(p for p in known if list(first["loc"])[: p.count(".") + 1] == p.split("."))
        place, value = places[path]

        name = path if place != COMMAND_LINE else "--" + path.rpartition(".")[2].replace("_", "-")
        raise UsageError(f"{place}: {name}: {value!r} is not allowed: {_allowed(known[path], first)}") from None


def _allowed(key: Key, error: Mapping[str, Any]) -> str:
    options = get_args(key.hint) if get_origin(key.hint) is Literal else ()
    if options:
        close = difflib.get_close_matches(str(error.get("input")), options, n=1)
        return f"one of {', '.join(options)}" + (f"; did you mean {close[0]}?" if close else "")
    return f"it must be {type_name(key.hint)} {key.bounds}".rstrip() + f" ({key.text})"


def type_name(hint: Any) -> str:
    """A type as the user reads it: 'int', 'text or null', 'a | b'."""
    if get_origin(hint) is Literal:
        return " | ".join(get_args(hint))
    if get_origin(hint) in (Union, types.UnionType):
        return " or ".join(type_name(arg) for arg in get_args(hint))
    if get_origin(hint) is dict:
        return "mapping"
    return {str: "text", bool: "true | false", type(None): "null"}.get(hint, hint.__name__)


def _check(settings: Settings, places: Mapping[str, tuple[str, Any]]) -> None:
    """What the type of a key cannot tell: dates, and combinations that cannot work, named with both values."""

    def place(path: str) -> str:
        return places[path][0] if path in places else "default"

    try:
        datetime.fromisoformat(settings.judge.now)
    except ValueError:
        raise UsageError(
            f"{place('judge.now')}: judge.now: {settings.judge.now!r} is not allowed: "
            "it must be an ISO date and time such as 2024-06-01 12:00:00"
        ) from None
    if settings.distill.remove_no_valid and not settings.distill.validate:
        raise UsageError(
            f"{place('distill.remove_no_valid')}: --remove-no-valid needs --validate: "
            "without it no row is known to be invalid"
        )
    if settings.max_prompt_length >= settings.max_seq_length:
        raise UsageError(
            f"{place('max_prompt_length')}: max_prompt_length: {settings.max_prompt_length} leaves no room for "
            f"an answer: it must be below max_seq_length, {settings.max_seq_length}"
        )


def template() -> str:
    """The text of template.config.yaml: every key with its default, unit and a comment."""
    lines = [
        "# Every setting of sql-rl with its default. Copy what you change into config.yaml.",
        "# Flags win over the environment (SQL_RL_<KEY>, SQL_RL_<SECTION>_<KEY>), .env and .train;",
        "# these win over config.yaml, and that over the defaults below.",
    ]
    section = ""
    for key in keys():
        head, _, name = key.path.rpartition(".")
        if head != section:
            section = head
            lines += ["", f"{section}:"]
        value = yaml.safe_dump(key.default, default_flow_style=True).removesuffix("\n").removesuffix("\n...")
        indent = "  " if head else ""
        allowed = f"{type_name(key.hint)} {key.bounds}".strip()
        lines += [f"{indent}# {allowed}; {key.text}", f"{indent}{name}: {value}"]
    return "\n".join(lines) + "\n"
