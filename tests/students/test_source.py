"""Where a model lies: folders that are whole or not, the Hub as it answers, one line for each fault."""

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from sql_rl.errors import UsageError
from sql_rl.students.source import Source, locate, sixteen_bit_name


def test_a_library_that_misses_a_kernel_is_not_heard():
    program = "import sql_rl.students, bitsandbytes"
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert ended.stderr == ""


def write(folder: Path, **files: object) -> Path:
    """A folder of files; a name's last underscore stands for its dot, what is no text becomes JSON."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        stem, _, suffix = name.rpartition("_")
        (folder / f"{stem}.{suffix}").write_text(content if isinstance(content, str) else json.dumps(content))
    return folder


def weights(folder: Path, **more: object) -> Path:
    return write(
        folder, **({"config_json": {"model_type": "llama"}, "model_safetensors": "", "tokenizer_json": {}} | more)
    )


def test_folders(tmp_path: Path) -> None:
    base = weights(tmp_path / "base")
    adapter = write(tmp_path / "adapter", adapter_config_json={"base_model_name_or_path": str(base)})
    run = weights(tmp_path / "run" / "merged").parent
    gguf = write(tmp_path / "gguf", model_gguf="GGUF")
    assert locate(str(base)) == Source(str(base), "weights", str(base), {"model_type": "llama"})
    assert locate(str(adapter)).base == locate(str(base))
    assert (locate(str(run)).kind, locate(str(run)).place) == ("weights", str(run / "merged"))
    assert locate(str(gguf)) == Source(str(gguf), "gguf", str(gguf / "model.gguf"), {})
    assert locate(str(gguf / "model.gguf")).kind == "gguf"
    assert locate("micro-qwen2").kind == "micro"


def test_relative_folders_are_made_absolute(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    weights(tmp_path / "here")
    monkeypatch.chdir(tmp_path)
    assert locate("here").place == str(tmp_path / "here")


@pytest.mark.parametrize(
    ("files", "said"),
    [
        ({}, "no config.json, no adapter_config.json and no .gguf"),
        ({"config_json": {}}, "no weights"),
        ({"config_json": {}, "model_safetensors": ""}, "has no tokenizer"),
        ({"config_json": "{"}, "no weights"),
        ({"config_json": "{", "model_safetensors": "", "tokenizer_json": ""}, "cannot be read as JSON"),
        ({"config_json": "[]", "model_safetensors": "", "tokenizer_json": ""}, "not a JSON object"),
        ({"adapter_config_json": {}}, "does not name the base model"),
        ({"adapter_config_json": {"base_model_name_or_path": "/no/where"}}, "base model is not there: /no/where"),
        ({"one_gguf": "GGUF", "two_gguf": "GGUF"}, "2 .gguf files; name one of one.gguf, two.gguf"),
    ],
)
def test_folders_that_are_no_model(tmp_path: Path, files: dict, said: str) -> None:
    folder = write(tmp_path / "model", **files)
    with pytest.raises(UsageError) as refusal:
        locate(str(folder))
    assert said in str(refusal.value)
    assert str(folder) in str(refusal.value)
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize("name", ["./nothing", "/no/such/folder", "~/nothing-here", "model.gguf", "a/b/c"])
def test_paths_that_are_not_there(name: str) -> None:
    with pytest.raises(UsageError, match="no such file or folder"):
        locate(name)


def test_a_file_that_is_no_gguf(tmp_path: Path) -> None:
    file = tmp_path / "model.bin"
    file.write_bytes(b"")
    with pytest.raises(UsageError, match=r"no \.gguf"):
        locate(str(file))


@pytest.mark.parametrize(
    ("name", "quantization", "four_bit", "way_out"),
    [
        ("unsloth/Phi-4-bnb-4bit", {}, True, "unsloth/Phi-4"),
        ("unsloth/gemma-3-1b-it-unsloth-bnb-4bit", {}, True, "unsloth/gemma-3-1b-it"),
        ("someone/odd-name", {"quantization_config": {"quant_method": "bitsandbytes"}}, True, None),
        ("unsloth/Phi-4", {}, False, None),
    ],
)
def test_four_bit_weights(name: str, quantization: dict, four_bit: bool, way_out: str | None) -> None:
    source = Source(name, "weights", name, quantization)
    assert (source.four_bit, sixteen_bit_name(name)) == (four_bit, way_out)


class Hub(BaseHTTPRequestHandler):
    """As huggingface.co answers: the repository's name says how."""

    def do_GET(self) -> None:
        repo, file = self.path.split("/")[2], self.path.split("?")[0].rpartition("/")[2]
        status, code = {
            "gated": (403, "GatedRepo"),
            "missing": (401, "RepoNotFound"),
            "forbidden": (403, ""),
            "empty": (404, "EntryNotFound"),
            "gone": (410, ""),
            "adapter": (200, "") if file == "adapter_config.json" else (404, "EntryNotFound"),
        }.get(repo, (200, ""))
        body = json.dumps({"model_type": "llama", "base_model_name_or_path": "me/plain"}).encode()
        self.send_response(status)
        self.send_header("ETag", '"1"')
        self.send_header("X-Repo-Commit", "a" * 40)
        if code:
            self.send_header("X-Error-Code", code)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(body)

    do_HEAD = do_GET  # noqa: N815 (the name that http.server calls)

    def log_message(self, *_: object) -> None: ...


@pytest.fixture(scope="module")
def hub() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Hub)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()


ASK = """
import sys
from sql_rl.errors import SqlRlError
from sql_rl.students.source import locate
for name in sys.argv[1:]:
    try:
        source = locate(name)
        print(name, 0, source.kind, source.base.place if source.base else source.place)
    except SqlRlError as error:
        print(name, error.exit_code, error)
print("torch" in sys.modules)
"""


def ask(names: list[str], environ: dict[str, str], home: Path) -> list[str]:
    """What `locate` says to each name, in a process of its own: huggingface_hub reads its address as it is imported."""
    done = subprocess.run(
        [sys.executable, "-c", ASK, *names],
        env=os.environ | {"HF_HOME": str(home)} | environ,
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    *lines, torch_imported = done.stdout.splitlines()
    assert torch_imported == "False"
    return lines


def test_the_hub(hub: str, tmp_path: Path) -> None:
    names = [f"me/{n}" for n in ("plain", "adapter", "gated", "missing", "forbidden", "empty", "gone")]
    found = ask([*names, "a b"], {"HF_ENDPOINT": hub, "HF_HUB_OFFLINE": "0"}, tmp_path)
    expected = [
        "me/plain 0 weights me/plain",
        "me/adapter 0 adapter me/plain",
        "me/gated 4 me/gated is gated: accept its terms",
        "me/missing 2 me/missing: no such folder, and no such model on the Hub",
        "me/forbidden 4 me/forbidden: the Hub refuses the token (403)",
        "me/empty 2 me/empty: this Hub repository has no config.json",
        "me/gone 1 me/gone: the Hub answers 410",
        "a b 2 'a b' is no folder, and no Hub id either",
    ]
    assert [line[: len(e)] for line, e in zip(found, expected, strict=True)] == expected


def test_no_network(tmp_path: Path) -> None:
    (line,) = ask(["unsloth/Phi-4"], {"HF_HUB_OFFLINE": "1"}, tmp_path)
    assert line.startswith("unsloth/Phi-4 2 unsloth/Phi-4: no such folder, not in the local cache")
