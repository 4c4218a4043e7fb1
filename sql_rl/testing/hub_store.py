"""What the Hub keeps, in memory: repositories with their commits, and the store of large files. No HTTP in here.

Object ids are git's: SHA-1 of the blob for a small file, SHA-256 of the content for a large one (git-lfs).
"""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from huggingface_hub.utils.sha import git_hash

LARGE = (".parquet", ".safetensors", ".bin", ".png", ".gguf", ".pt")  # what the Hub's .gitattributes sends to git-lfs
FIRST_FILES = {".gitattributes": "".join(f"*{end} filter=lfs\n" for end in LARGE).encode()}


class ConflictError(Exception):
    """Another commit has come in between (HTTP 412)."""


@dataclass(frozen=True, slots=True)
class Commit:
    """One version: title, its id (40 hex digits), and every file in it."""

    title: str
    oid: str
    files: Mapping[str, bytes]


@dataclass(slots=True)
class Repo:
    """One repository. commits: oldest first, never empty: the Hub itself makes the first one."""

    private: bool
    commits: list[Commit] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.commits.append(Commit("initial commit", "0" * 39 + "1", FIRST_FILES))

    @property
    def head(self) -> Commit:
        return self.commits[-1]

    def at(self, revision: str) -> Commit | None:
        """The commit of that id; of 'main' the last one."""
        if revision in ("main", "refs/heads/main", "HEAD"):
            return self.head
        return next((commit for commit in self.commits if commit.oid == revision), None)

    def add(self, title: str, changed: Mapping[str, bytes], gone: Iterable[str], parent: str | None) -> Commit:
        """Commits. Raises ConflictError where `parent` is no longer the head, KeyError where a file is not there."""
        if parent is not None and parent != self.head.oid:
            raise ConflictError
        files = dict(self.head.files)
        for path in gone:
            del files[path]
        files.update(changed)
        listing = "".join(f"{path} {git_hash(content)}\n" for path, content in sorted(files.items()))
        oid = hashlib.sha1(f"{self.head.oid} {title}\n{listing}".encode()).hexdigest()
        self.commits.append(Commit(title, oid, files))
        return self.head


@dataclass(slots=True)
class Store:
    """Everything: repositories by kind ('model', 'dataset') and id, large files by SHA-256."""

    repos: dict[tuple[str, str], Repo] = field(default_factory=dict)
    large: dict[str, bytes] = field(default_factory=dict)


def is_large(path: str) -> bool:
    return path.endswith(LARGE)


def oid_of(path: str, content: bytes) -> str:
    """The id that the Hub compares: of a large file its SHA-256, else git's."""
    return hashlib.sha256(content).hexdigest() if is_large(path) else git_hash(content)


def listed(path: str, content: bytes) -> dict[str, Any]:
    """A file as the tree of the Hub lists it; a large one with its pointer."""
    if not is_large(path):
        return {"type": "file", "path": path, "size": len(content), "oid": git_hash(content)}
    sha256 = hashlib.sha256(content).hexdigest()
    pointer = f"version https://git-lfs.github.com/spec/v1\noid sha256:{sha256}\nsize {len(content)}\n".encode()
    lfs = {"oid": sha256, "size": len(content), "pointerSize": len(pointer)}
    return {"type": "file", "path": path, "size": len(content), "oid": git_hash(pointer), "lfs": lfs}


def tree(files: Mapping[str, bytes], folder: str, recursive: bool) -> list[dict[str, Any]]:
    """The entries below a folder ('' for the root): files and folders, as the Hub lists them."""
    prefix = f"{folder}/" if folder else ""
    entries: dict[str, dict[str, Any]] = {}
    for path, content in sorted(files.items()):
        if not path.startswith(prefix):
            continue
        parts = path.removeprefix(prefix).split("/")
        for depth in range(1, len(parts) if recursive else min(2, len(parts))):
            name = prefix + "/".join(parts[:depth])
            entries[name] = {"type": "directory", "path": name, "size": 0, "oid": git_hash(name.encode())}
        if recursive or len(parts) == 1:
            entries[path] = listed(path, content)
    return list(entries.values())
