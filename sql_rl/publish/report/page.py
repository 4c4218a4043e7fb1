"""The page: what a report consists of, and the one HTML file that it becomes. Nothing is loaded from anywhere.

All text goes through jinja2's escaping; the rows travel as compressed base64, in which no markup can hide; and a
content security policy lets no script run but the one that is part of the page.
"""

import base64
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache
from importlib import resources

from sql_rl.publish.report.plots import Plot
from sql_rl.publish.report.rows import Browser

COLUMNS_OF_HALF = 4  # of a table that fits in half of the page


@dataclass(frozen=True, slots=True)
class Fact:
    """One of the figures at the top: '98.0 %', 'accepted', '98 of 100 rows'."""

    value: str
    label: str
    note: str = ""


@dataclass(frozen=True, slots=True)
class Table:
    """A table; the cells of all columns but the first are numbers, aligned to the right.

    wide: it takes the page's whole width, where half of it hides the last columns.
    """

    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[str]]
    caption: str = ""

    @property
    def wide(self) -> bool:
        return len(self.columns) > COLUMNS_OF_HALF


@dataclass(frozen=True, slots=True)
class Page:
    """A report. kind: 'Distillation'. title: what was run. lead: a sentence about it. settings: name and value."""

    kind: str
    title: str
    lead: str
    facts: Sequence[Fact]
    plots: Sequence[Plot]
    tables: Sequence[Table]
    browser: Browser | None
    settings: Sequence[tuple[str, str]] = field(default_factory=tuple)


def rendered(page: Page) -> str:
    """The page as HTML. Raises jinja2's errors where a template is wrong, never for what a model wrote."""
    from jinja2 import Environment, PackageLoader, StrictUndefined
    from markupsafe import Markup

    environment = Environment(
        loader=PackageLoader("sql_rl.publish.report", "templates"),
        undefined=StrictUndefined,
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    script = _asset("report.js")
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    return environment.get_template("report.html").render(
        page=page,
        svgs=[Markup(plot.svg) for plot in page.plots],  # matplotlib's, which escapes the labels
        style=Markup(_asset("report.css")),
        script=Markup(script),
        script_digest=digest,
    )


@cache
def _asset(name: str) -> str:
    return (resources.files("sql_rl.publish.report") / "templates" / name).read_text(encoding="utf-8")
