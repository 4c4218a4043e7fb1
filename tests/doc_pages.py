"""The pages of the documentation, taken apart: fenced blocks, command lines, links."""

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").glob("*.md"))]
NAMES = [str(page.relative_to(ROOT)) for page in PAGES]
_FENCED = re.compile(r"^```(?P<language>\w*)\n(?P<text>.*?)^```$", re.DOTALL | re.MULTILINE)
_OPTION = re.compile(r"(?<![\w-])--[a-z][\w-]*")


@dataclass(frozen=True, slots=True)
class Block:
    """A fenced block. line: the number of its first line in the page, from 1."""

    language: str
    text: str
    line: int


@dataclass(frozen=True, slots=True)
class Command:
    """One line to type. place: 'docs/chat.md:7'; text: without its comment."""

    place: str
    text: str


def blocks(name: str) -> list[Block]:
    page = (ROOT / name).read_text(encoding="utf-8")
    return [Block(m["language"], m["text"], page.count("\n", 0, m.start()) + 2) for m in _FENCED.finditer(page)]


def commands(name: str) -> list[Command]:
    """Every line of the page's bash blocks."""
    return [
        Command(f"{name}:{block.line + number}", text)
        for block in blocks(name)
        if block.language == "bash"
        for number, line in enumerate(block.text.splitlines())
        if (text := re.split(r"(?:^|\s+)# ", line)[0].strip())
    ]


def prose(name: str) -> str:
    """The page without its fenced blocks."""
    return _FENCED.sub("", (ROOT / name).read_text(encoding="utf-8"))


def links(name: str) -> Iterator[str]:
    """Targets of its links to other files of the project and to headings."""
    for target in re.findall(r"\]\(([^)\s]+)\)", prose(name)):
        if "://" not in target:
            yield target


def anchors(path: Path) -> set[str]:
    """The headings of a page as its links name them."""
    headings = re.findall(r"^#+ (.+)$", _FENCED.sub("", path.read_text(encoding="utf-8")), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def options_in(text: str) -> set[str]:
    """The options that inline code names, but for those of benchmarks: '--limit'."""
    codes = [code for code in re.findall(r"`([^`\n]+)`", text) if "benchmarks" not in code]
    return {option for code in codes for option in _OPTION.findall(code)}


def program_arguments(line: str) -> list[str]:
    """What of a line `main.py` gets: no redirections, nothing after a pipe."""
    words = shlex.split(line)
    arguments = words[words.index("main.py") + 1 :]
    ends = [i for i, word in enumerate(arguments) if word.startswith((">", "|", "&", "2>"))]
    return arguments[: ends[0]] if ends else arguments
