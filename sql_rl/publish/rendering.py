"""From a template to the text of a card: jinja2, and the little that Markdown needs to show what a model wrote."""

import re
from typing import Any

from sql_rl.publish.sections import sealed

_LONGEST = 1500  # characters of an example


def rendered(template: str, **values: Any) -> str:
    """The card that a template in this folder makes of the values, its sections sealed."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    loader = PackageLoader("sql_rl.publish", "templates")
    environment = Environment(loader=loader, undefined=StrictUndefined, keep_trailing_newline=True, autoescape=False)
    environment.filters["n"] = "{:,}".format
    return sealed(environment.get_template(template).render(**values))


def clipped(text: str, longest: int = _LONGEST) -> str:
    """At most so many characters, in which nothing looks like a marker of ours."""
    text = text.replace("<!-- sql-rl:", "<!-- sql-rl :")
    return text if len(text) <= longest else text[:longest] + " …"


def plain(text: str) -> str:
    """A text of others in a line of Markdown: shown as it is, no markup, picture or link of it (CommonMark 2.4)."""
    return re.sub(r"[\\`*_\[\]<>&~|$]", r"\\\g<0>", " ".join(text.split()))


def fence_for(text: str) -> str:
    """A run of backticks longer than any in the text (CommonMark, fenced code blocks)."""
    return "`" * max(3, 1 + max(map(len, re.findall(r"`+", text)), default=0))


def cell(value: Any) -> str:
    """A value in a table of Markdown."""
    return "none" if value is None else str(value).replace("|", "\\|")
