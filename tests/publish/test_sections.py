"""The README on the Hub: what a person wrote there stays, what is ours is brought up to date."""

import pytest

from sql_rl.publish.sections import merged, sealed


def card(data: str = "license: mit\ntags:\n- a", **sections: str) -> str:
    text = "\n\n".join(f"<!-- sql-rl: {name} -->\n{text}\n<!-- sql-rl: end -->" for name, text in sections.items())
    return sealed(f"---\n{data}\n---\n\n# Title\n\n{text}\n")


OLD, NEW = card(one="One.", two="Two."), card(one="Uno.", two="Due.")


def edited(*changes: tuple[str, str]) -> str:
    text = OLD
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    return text


def around(text: str) -> str:
    """With a person's words above, between and below our sections."""
    return (
        text.replace("# Title", "# My title\n\nAbove.").replace("end -->\n\n", "end -->\n\nBetween.\n\n") + "Below.\n"
    )


@pytest.mark.parametrize(
    ("theirs", "result"),
    [
        ("", NEW),
        (OLD, NEW),
        (NEW, NEW),
        (edited(("One.", "My one.")), OLD.replace("One.", "My one.").split("<!-- sql-rl: two")[0]
            + "<!-- sql-rl: two" + NEW.split("<!-- sql-rl: two")[1]),
        (around(OLD), around(NEW)),
    ],
    ids=["none yet", "untouched", "the same", "a section edited", "text around"],
)  # fmt: skip
def test_bodies(theirs: str, result: str):
    assert merged(theirs, NEW) == result


def test_sections_come_and_go():
    assert merged(card(one="One.", old="Old."), NEW) == merged(merged(card(one="One.", old="Old."), NEW), NEW)
    text = merged(card(one="One.", old="Old."), card(zero="Zero.", one="Uno.", two="Due."))
    assert "Old." not in text
    assert text.index("Zero.") < text.index("Uno.") < text.index("Due.")


def test_a_card_of_a_person_stays_above_ours():
    text = merged("# All mine\n\nWords.\n", NEW)
    assert text.index("Words.") < text.index("Uno.")
    assert merged(text, NEW) == text


def test_a_section_that_was_emptied_stays_away_and_one_that_was_deleted_comes_back():
    emptied = edited(("One.\n", ""))
    assert "Uno." not in merged(emptied, NEW)
    assert "Due." in merged(emptied, NEW)
    deleted = OLD.replace(OLD[OLD.index("<!-- sql-rl: two") :], "")
    assert merged(deleted, NEW).count("Due.") == 1


def test_metadata():
    theirs = card("license: cc0-1.0\npretty_name: Mine\nsize_categories:\n- n<1K\ntags:\n- b\n- a", one="One.")
    ours = card("license: mit\nlanguage: en\nsize_categories:\n- 1K<n<10K\ntags:\n- a\n- c", one="One.")
    head = merged(theirs, ours).split("---")[1]
    for line in ("license: cc0-1.0", "pretty_name: Mine", "- 1K<n<10K", "- b\n- a\n- c", "language: en"):
        assert line in head
    other = "license: other\nlicense_name: own\nlicense_link: https://them.example"
    for theirs, ours, kept in (("license: mit", other, "license: mit"), (other, "license: mit", other)):
        head = merged(card(theirs, one="One."), card(ours, one="One.")).split("---")[1]
        assert [line for line in head.splitlines() if line.startswith("license")] == kept.splitlines()
    with pytest.raises(ValueError, match="metadata"):
        merged("---\n- a list\n---\ntext", ours)
