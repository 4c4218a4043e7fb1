"""Opening: how a reasoning begins, with what is asked and where in the schema it is kept."""

from collections.abc import Iterator

from sql_rl.teachers.narrative.linking import Link
from sql_rl.teachers.narrative.question import Question
from sql_rl.teachers.narrative.wording import Voice, listing, quoted

_LEADS = {
    "task": ("The task is to {}", "I have to {}", "I am asked to {}", "The request is to {}"),
    "noun": ("The question asks for {}", "I need to find {}", "What is wanted is {}", "I am asked for {}"),
    "clause": ("The question asks {}", "I need to find out {}", "I want to know {}", "I have to work out {}"),
    "whole": ("The question is: {}", "This is what I am asked: {}", "What is being asked: {}"),
}


def opening(question: Question, links: list[Link], voice: Voice, *, reads: bool) -> Iterator[str]:
    """The first sentences, without their full stops. reads: is there a SELECT in the statement?"""
    first, *others = question.goals()
    yield voice.pick(*_LEADS[first.kind]).format(first.text)
    yield from (f"I also have to {goal.text}" if goal.kind == "task" else goal.text for goal in others)
    known = [link for link in links if link.known]
    if not reads and not any(link.columns for link in known):
        yield from (f"In the schema, {_table(link)} has the columns {listing(link.all_columns)}" for link in known)
    elif len(links) == len(known) == 1:
        yield _one_table(known[0], voice)
    elif known:
        yield from _several_tables(known, voice)
    if missing := [link.table for link in links if not link.known]:
        names = "its name" if len(missing) == 1 else "their names"
        yield f"The schema does not show {listing(missing)}, so I can only go by {names}"


def _one_table(link: Link, voice: Voice) -> str:
    table, name = _table(link), link.table
    columns = [_typed(link, column) for column in link.columns]
    if not columns:
        return voice.pick(
            f"The table to read is {table}, and no single column of it matters",
            f"This is about {table}, and the table as a whole is enough",
            f"In the schema that is {table}, where each row is one of them",
            f"The rows of {table} are what counts here, whatever their columns say",
        )
    held = listing(columns)
    if len(columns) == 1:
        return voice.pick(
            f"The only column that matters is {held}, in {table}",
            f"In the schema that is {held} in {table}",
            f"The {name} table is enough, since its column {held} is what this is about",
            f"For this I look at {table}, which has the column {held}",
        )
    return voice.pick(
        f"Everything needed is in {table}: {held}",
        f"Looking at the schema, {table} holds {held}, so one table is enough",
        f"The columns {held} all belong to {table}, so there is nothing to join",
        f"I find {held} in {table} and need no other table",
        f"The {name} table is enough: it keeps {held}",
    )


def _several_tables(links: list[Link], voice: Voice) -> Iterator[str]:
    held = [
        f"{_table(link)} has {listing([link.column(column) for column in link.columns])}"
        for link in links
        if link.columns and not link.joining
    ]
    lead = voice.pick("In the schema, ", "Looking at the tables, ", "As for the tables, ", "")
    if len(held) == 2:
        yield lead + voice.pick(", while ", ", and ").join(held)
    elif held:
        yield lead + "; ".join(held)
    bridges = [f"{_table(link)} with {listing(list(link.columns))}" for link in links if link.joining]
    if bridges:
        yield voice.pick("The link between them is {}", "What connects them is {}").format(listing(bridges))
    if bare := [_table(link) for link in links if not link.columns]:
        yield voice.pick(f"I also need {listing(bare)}", f"{listing(bare)} {_be(bare)} needed as well")


def _table(link: Link) -> str:
    words = link.mentions.get(link.table)
    return f"{link.table} (for {quoted(words)})" if words else link.table


def _typed(link: Link, column: str) -> str:
    """The column with its mention; with its type where no word of the question explains it."""
    kind = link.columns[column]
    return link.column(column) if column in link.mentions or not kind else f"{column} ({kind})"


def _be(items: list[str]) -> str:
    return "is" if len(items) == 1 else "are"
