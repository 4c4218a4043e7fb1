"""The README on the Hub belongs to whoever edits it: what a person wrote there survives the next publishing.

A card is written in sections between markers, each with a digest of what stands below it (`sealed`):

    <!-- sql-rl: funnel 0123456789ab -->
    …
    <!-- sql-rl: end -->

When the card is published again, a section of the one on the Hub that fits its digest is ours and is replaced; one
that does not was edited and stays, and so does all text outside of the markers. In the metadata at the top (YAML)
what describes the files is ours; licence, language and whatever we do not write stay as a person set them; tags are
put together.
"""

import hashlib
import re
from collections.abc import Mapping
from itertools import pairwise
from typing import Any

_SECTION = re.compile(
    r"<!-- sql-rl: (?P<name>[\w-]+)(?: (?P<seal>[0-9a-f]{12}))? -->\n(?P<text>.*?)<!-- sql-rl: end -->", re.DOTALL
)
LICENCE = ("license", "license_name", "license_link")  # the last two of a licence that is `other`
_A_PERSONS = (*LICENCE, "language")


def sealed(card: str) -> str:
    """The card with the digest of each section in its marker."""
    return _SECTION.sub(
        lambda s: f"<!-- sql-rl: {s['name']} {_seal(s['text'])} -->\n{s['text']}<!-- sql-rl: end -->", card
    )


def merged(theirs: str, ours: str) -> str:
    """The card to publish. theirs: the one on the Hub, '' if there is none. ours: as `sealed` gave it.

    A card without any section of ours is a person's, or another program's: it stays, above ours.
    Raises ValueError where the metadata of theirs is no YAML.
    """
    if not theirs.strip():
        return ours
    from huggingface_hub import CardData, RepoCard  # half a second, and only a published card needs it

    there, here = RepoCard(theirs), RepoCard(ours)
    data = _metadata(there.data.to_dict(), here.data.to_dict())
    sections = _by_name(here.text)
    if _by_name(there.text):
        body = _added(_replaced(there.text, sections), sections)
    else:
        body = f"{there.text.strip()}\n\n{here.text.strip()}\n"
    return f"---\n{CardData(**data).to_yaml()}\n---\n{body}"


def _by_name(body: str) -> dict[str, re.Match[str]]:
    return {section["name"]: section for section in _SECTION.finditer(body)}


def _seal(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def _replaced(body: str, sections: Mapping[str, re.Match[str]]) -> str:
    """Each section that nobody edited as we write it now; one that we write no longer is gone."""

    def now(theirs: re.Match[str]) -> str:
        if theirs["seal"] != _seal(theirs["text"]):
            return theirs[0]
        return sections[theirs["name"]][0] if theirs["name"] in sections else ""

    return _SECTION.sub(now, body)


def _added(body: str, sections: Mapping[str, re.Match[str]]) -> str:
    """Sections that are not there yet, each below the one that it follows in our card."""
    for before, name in pairwise([None, *sections]):
        there = _by_name(body)
        if name not in there:
            place = there[before].end() if before else 0
            body = f"{body[:place]}\n\n{sections[name][0]}{body[place:]}"
    return body


def _metadata(theirs: dict[str, Any], ours: dict[str, Any]) -> dict[str, Any]:
    if "license" in theirs:  # with the name and link that belong to it, or without
        ours = {key: value for key, value in ours.items() if key not in LICENCE}
    a_persons = {key: theirs[key] for key in _A_PERSONS if key in theirs}
    tags = dict.fromkeys([*theirs.get("tags", []), *ours.get("tags", [])])
    return {**theirs, **ours, **a_persons, "tags": list(tags)}
