"""The last word of a command on stdout: what came out, and what to run next."""

import json
import sys
from dataclasses import dataclass, field
from typing import Any, TextIO

from rich.console import Console
from rich.text import Text

from sql_rl.terminal.manner import Manner


@dataclass(frozen=True, slots=True)
class Line:
    """One figure: 'accepted', '98', '98.0 %'. style: rich's, seen on terminals only."""

    label: str
    value: str
    note: str = ""
    style: str = ""


@dataclass(frozen=True, slots=True)
class Summary:
    """title: the first line. notes: sentences below the figures. next: a command. content: what `--json` prints."""

    title: str
    content: dict[str, Any]
    lines: list[Line] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    next: str | None = None


def show(summary: Summary, manner: Manner = "person", stream: TextIO | None = None) -> None:
    """Prints it in the given manner: JSON is one line; quiet is nothing. No colour where the stream is no terminal."""
    stream = stream or sys.stdout
    if manner == "json":
        print(json.dumps(summary.content, ensure_ascii=False), file=stream)
    elif manner == "person":
        console = Console(file=stream, highlight=False, soft_wrap=True)
        console.print(Text(summary.title, style="bold"))
        for line in _aligned(summary.lines):
            console.print(line)
        for note in summary.notes:
            console.print(Text(f"  {note}", style="dim"))
        if summary.next:
            console.print(Text("next: ").append(summary.next, style="cyan"))


def _aligned(lines: list[Line]) -> list[Text]:
    label_width = max((len(line.label) for line in lines), default=0)
    value_width = max((len(line.value) for line in lines), default=0)
    texts = []
    for line in lines:
        text = Text(f"  {line.label:<{label_width}}  ").append(f"{line.value:>{value_width}}", style=line.style)
        texts.append(text.append(f"  {line.note}", style="dim") if line.note else text)
    return texts
