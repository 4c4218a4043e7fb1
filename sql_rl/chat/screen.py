"""What a terminal shows of a conversation: reasoning, queries, rows. Colours only where the terminal has them.

Everything that comes from a model or a database is made harmless first (`cells.harmless`).
"""

import csv
import json
from typing import TextIO

from rich.box import SIMPLE
from rich.console import Console
from rich.syntax import Syntax
from rich.table import Table as Grid
from rich.text import Text

from sql_rl.chat.cells import NULL, for_csv, for_table, harmless, records
from sql_rl.chat.databases.supervise import Result

LEAST = 8  # characters that a column of a table needs; with less for each, a row is shown line by line


class Screen:
    """One console. thinking: whether reasoning is shown."""

    def __init__(self, console: Console, thinking: bool = True) -> None:
        self._console, self._thinking = console, thinking
        self._in_line = False

    def thought(self, text: str) -> None:
        """A piece of reasoning; the line goes on with the next piece."""
        if self._thinking and (self._in_line or text.strip()):
            text = text if self._in_line else text.lstrip()
            self._console.print(Text(harmless(text), style="dim"), end="", soft_wrap=True)
            self._in_line = not text.endswith("\n")

    def line(self, text: str, style: str = "") -> None:
        """A line, or several, below whatever there is."""
        if self._in_line:
            self._console.print()
            self._in_line = False
        self._console.print(Text(harmless(text), style=style), soft_wrap=True)

    def notice(self, text: str) -> None:
        self.line(text, "yellow")

    def problem(self, text: str) -> None:
        self.line(text, "red")

    def sql(self, text: str) -> None:
        """SQL, highlighted."""
        self.line("")
        code = Syntax(harmless(text), "sql", theme="ansi_dark", background_color="default", word_wrap=True)
        # without its padding to the width of the terminal, so that it can be copied
        self._console.print(code.highlight(harmless(text)), end="", soft_wrap=True)
        self.line("")

    def rows(self, result: Result) -> None:
        """The rows as a table, or line by line where the table would be too wide; and how many they are."""
        if len(result.columns) * LEAST > self._console.width:
            for number, row in enumerate(result.rows, 1):
                self.line(f"row {number}", "dim")
                for name, value in zip(result.columns, row, strict=True):
                    self.line(f"  {name}: {for_table(value)}")
        else:
            self._console.print(_grid(result))
        self.line(counted(result), "dim")


def _grid(result: Result) -> Grid:
    grid = Grid(box=SIMPLE, show_edge=False, pad_edge=False)
    for place, name in enumerate(result.columns):
        numbers = any(isinstance(row[place], int | float) for row in result.rows)
        grid.add_column(Text(harmless(name)), justify="right" if numbers else "left", overflow="fold")
    for row in result.rows:
        grid.add_row(*(Text(for_table(value), style="dim" if value is None else "") for value in row))
    return grid


def counted(result: Result) -> str:
    """How many rows there are, how many of them are shown, and how long it took."""
    number = len(result.rows)
    rows = f"{number:,} row" if number == 1 else f"{number:,} rows"
    if result.more:
        return f"the first {rows}; there are more (--max-rows, /export FILE.csv), {result.seconds:.2f} s"
    return f"{rows}, {result.seconds:.2f} s"


def write(result: Result, form: str, out: TextIO) -> None:
    """The rows for a pipe or a terminal: as a table, CSV with a header, or a JSON array of objects."""
    if form == "json":
        lines = (json.dumps(record, ensure_ascii=False) for record in records(result.columns, result.rows))
        out.write("[" + ",\n ".join(lines) + "]\n")
    elif form == "csv":
        writer = csv.writer(out, lineterminator="\n")
        writer.writerow(result.columns)
        writer.writerows([for_csv(value) for value in row] for row in result.rows)
    else:
        # A pipe has no width: nothing is folded in it.
        Console(file=out, width=None if out.isatty() else _width(result)).print(_grid(result))


def _width(result: Result) -> int:
    """As wide as the widest rows are."""
    longest = [
        max((len(line) for cell in (name, *cells) for line in cell.split("\n")), default=0)
        for name, *cells in zip(result.columns, *([for_table(v) for v in row] for row in result.rows), strict=True)
    ]
    return 2 * sum(longest) + 4 * len(longest) + len(NULL)  # twice: some characters are two columns wide
