"""Free style: the reasoning as connected prose, from the question by way of the schema to the query."""

import re
from collections.abc import Iterator

from sqlglot import exp

from sql_rl.teachers.narrative.blocks import Block, Role
from sql_rl.teachers.narrative.changes import change
from sql_rl.teachers.narrative.clauses import SET_OPERATION, Clauses, Join, clauses, first_rows, limits, remaining
from sql_rl.teachers.narrative.linking import Link
from sql_rl.teachers.narrative.opening import opening
from sql_rl.teachers.narrative.phrases import Phrases
from sql_rl.teachers.narrative.question import Cue, Question
from sql_rl.teachers.narrative.schema import Schema
from sql_rl.teachers.narrative.wording import Voice, article, capital, listing, quoted, sentence

_SET_OPERATIONS = {
    "UNION": (Cue.EITHER, "puts {} and {} together and drops duplicates"),
    "UNION ALL": (Cue.EITHER, "puts {} and {} together and keeps duplicates"),
    "INTERSECT": (Cue.BOTH, "keeps what is both in {} and in {}"),
    "EXCEPT": (Cue.NEGATION, "starts with {} and takes away {}"),
}

_DATE = re.compile(r"\d{4}-\d\d-\d\d")
_CUES = {"COUNT": Cue.COUNT, "SUM": Cue.SUM, "AVG": Cue.AVERAGE, "MAX": Cue.EXTREME, "MIN": Cue.EXTREME}
_STARTS = ("The ", "Only ", "In ", "Each ", "For ", "What ", "Starting ", "No ", "This ", "A ")


class Prose:
    """Tells the blocks of one statement. context: where values can be looked up as they are stored."""

    def __init__(
        self, question: Question, voice: Voice, *, schema: Schema, context: str, phrases: Phrases, links: list[Link]
    ) -> None:
        self._question = question
        self._schema = schema
        self._context = context
        self._phrases = phrases
        self._links = links
        self._voice = voice
        self._pick = voice.pick
        self._said: set[str] = set()
        self._alone = True

    def tell(self, blocks: tuple[Block, ...]) -> str:
        """One paragraph, or one for each block where there are several."""
        self._alone = len(blocks) == 1
        reads = any(isinstance(block.node, exp.Select) for block in blocks)
        paragraphs = [list(opening(self._question, self._links, self._voice, reads=reads))]
        for block in blocks:
            sentences = self._place(block, list(self._block(block)))
            if self._alone:
                paragraphs[0] += sentences
            else:
                paragraphs.append(sentences)
        return "\n".join(" ".join(sentence(text) for text in paragraph) for paragraph in paragraphs)

    def _place(self, block: Block, sentences: list[str]) -> list[str]:
        """Says what a block is for, in a sentence of its own or at the head of its first one."""
        label = block.label
        if block.role is Role.CTE:
            kind = "recursive common table expression (CTE)" if block.recursive else "common table expression (CTE)"
            lead = self._pick(f"I prepare a {kind} named {block.title}", f"First comes a {kind}, {block.title}")
            return [lead, *sentences]
        if block.role is Role.DERIVED:
            return [f"In FROM I need a table that has to be worked out; I call it {block.title}", *sentences]
        if block.role is Role.BODY:
            return [f"The statement has a query inside, and I call its rows {label}", *sentences]
        if block.role is Role.SUBQUERY:
            lead = self._pick(
                f"Part of this takes a subquery, and I call what it returns {label}",
                f"Before the rest can be said I need a subquery, {label}",
                f"One piece has to be worked out by a subquery; let it be {label}",
            )
            return [lead, *sentences]
        first, *rest = sentences
        if block.role is Role.BRANCH:
            part = f", which is part of {block.part_of}" if block.part_of else ""
            return [f"For {label}{part}, {_continued(first)}", *rest]
        if self._alone or not isinstance(block.node, exp.Select):
            return sentences
        return [self._pick("In the main query, ", "With that, ", "Now ") + _continued(first), *rest]

    def _block(self, block: Block) -> Iterator[str]:
        if isinstance(block.node, exp.Select):
            yield from self._select(clauses(block.node, self._phrases, self._schema), block)
        elif isinstance(block.node, exp.SetOperation):
            yield from self._set_operation(block.node)
        else:
            yield from change(block.node, self._phrases)

    def _select(self, c: Clauses, block: Block) -> Iterator[str]:
        yield from self._sources(c, block)
        yield from self._filters(c)
        if c.groups:
            yield self._because(Cue.GROUP, self._grouping(c))
        if c.having:
            yield self._pick(
                f"Only the groups where {listing(c.having)} stay (HAVING)",
                f"A condition on a whole group goes into HAVING: {listing(c.having)}",
                f"Of these groups I keep those where {listing(c.having)}, with HAVING",
                f"WHERE cannot see groups, so HAVING asks that {listing(c.having)}",
            )
        yield self._output(c)
        yield from (f"It also takes {other}" for other in c.others)
        yield from self._order(c.order, c.limit, c.offset)
        if block.role is Role.MAIN:
            yield from self._closing(c)

    def _sources(self, c: Clauses, block: Block) -> Iterator[str]:
        if not c.source:
            yield "No table has to be read for this"
        elif not c.joins:
            told = block.role is Role.MAIN and len(self._links) == 1 and c.source == self._links[0].table
            if not told:
                yield self._pick(
                    f"I read from {c.source}", f"The rows come from {c.source}", f"I start with {c.source}"
                )
        else:
            first, *rest = (self._join(join) for join in c.joins)
            yield self._pick(
                f"I start from {c.source} and add {first}",
                f"Starting from {c.source}, I add {first}",
                f"I combine {c.source} with {first}",
                f"I put together {c.source} and {first}",
            )
            for join in rest:
                yield self._pick("Then I add ", "Next comes ", "I also bring in ") + join

    def _join(self, join: Join) -> str:
        text = f"{join.source} by {article(join.kind)} {join.kind}" + (f" on {join.on}" if join.on else "")
        if join.key and self._fresh(join.key):
            text += f", since {join.key}"
        if join.kind.startswith("LEFT"):
            text += ", so that rows without a match are kept"
        return text

    def _filters(self, c: Clauses) -> Iterator[str]:
        if not c.filters:
            return
        conditions = listing(c.filters)
        told = self._pick(
            f"I keep only the rows where {conditions}",
            f"The rows I want are those where {conditions}",
            f"In WHERE I ask that {conditions}",
            f"Only rows where {conditions} count",
            f"The filter is that {conditions}",
        )
        yield self._because(Cue.NEGATION, told) if "not in" in told or "NOT EXISTS" in told else told
        yield from self._nested_note(c)
        yield from self._value_note(c)

    def _nested_note(self, c: Clauses) -> Iterator[str]:
        """Why a subquery is needed, the first time there is one of its sort."""
        if c.nested is None or not self._fresh(f"nested {c.nested}"):
            return
        if c.nested.use == "exists":
            yield self._pick(
                "It only matters whether there is such a row, which is what EXISTS tests",
                "Nothing of those rows is shown, so EXISTS is enough and no join is needed",
            )
        elif c.nested.use == "list":
            yield self._pick(
                "The values to look for are not in the question, so a subquery fetches them",
                "The subquery makes the list that each row is checked against",
            )
        else:
            yield self._pick(
                "The value to compare with is not given, so a subquery works it out",
                "That value has to be known first, which is why it comes from a subquery",
            )
        if c.nested.correlated:
            yield self._pick(
                "It refers to the outer row, so it is worked out anew for each one",
                "The subquery is tied to the row of the outer query that is being looked at",
            )

    def _value_note(self, c: Clauses) -> Iterator[str]:
        """Where the first value that needs it comes from: the question's words, or the rows of the database."""
        for compared in c.compared:
            shown = compared.literal if compared.numeric else f"'{compared.literal}'"
            said = self._question.value(compared.literal)
            if not self._fresh(f"value {shown}"):
                continue
            if not said and _DATE.fullmatch(compared.literal):
                yield self._pick(
                    f"In the database that date is written {shown}", f"{shown} is that date as it is stored"
                )
                return
            if not said and not compared.numeric and shown in self._context:
                yield self._pick(
                    f"{shown} is not a word of the question, but it is how the rows have it",
                    f"The question puts it differently, but the stored value is {shown}",
                )
                return
            if said.lower() not in ("", compared.literal.strip("%").lower()):
                yield self._pick(
                    f"That is the {quoted(said)} of the question",
                    f"This is how {quoted(said)} translates",
                    f"{shown} comes from {quoted(said)} in the question",
                )
                return

    def _grouping(self, c: Clauses) -> str:
        keys = listing(c.groups)
        if c.group_key and self._fresh(f"key of {c.group_key}"):
            return f"I group by {keys}; that holds the primary key of {c.group_key}, so a group is one row of it"
        if c.aggregated or len(c.groups) > 1:
            return self._pick(f"I group by {keys}", f"the rows are grouped by {keys}", f"I need one group per {keys}")
        return self._pick(
            f"I group by {keys}, so that the rows of each one can be taken together",
            f"I group by {keys} to treat the rows that share it as one",
        )

    def _output(self, c: Clauses) -> str:
        outputs = [
            f"{text} ({gloss})" if gloss and self._fresh(gloss) else text
            for text, gloss in zip(c.outputs, c.glosses, strict=True)
        ]
        shown = "all columns (*)" if c.outputs == ("*",) else listing(outputs)
        if c.distinct:
            reason = ", so that nothing comes twice" if self._fresh("distinct") else ""
            return self._because(Cue.DISTINCT, f"I select {shown} with {c.distinct}{reason}")
        if c.aggregated and c.groups:
            return self._pick(f"For each group I return {shown}", f"Each group gives {shown}")
        if c.aggregated:
            told = self._pick(f"I compute {shown}", f"I need {shown} over these rows", f"the answer is {shown}")
            cue = _CUES.get(c.outputs[0].partition("(")[0])
            return self._because(cue, told) if cue else capital(told)
        return self._pick(
            f"I return {shown}", f"The output is {shown}", f"What I select is {shown}", f"The SELECT list is {shown}"
        )

    def _order(self, order: str, limit: str, offset: str) -> Iterator[str]:
        if order and limit:
            yield self._because(Cue.EXTREME, f"I sort by {order} and keep {first_rows(limit, offset)}")
        elif order:
            yield self._because(Cue.ORDER, f"I sort the result by {order}")
        if (limit or offset) and not (order and limit):
            yield f"I keep {first_rows(limit, offset)}"

    def _closing(self, c: Clauses) -> Iterator[str]:
        """What the result looks like, where that is worth a sentence."""
        count = len(c.outputs)
        if c.limit == "1" and c.order:
            yield self._pick(
                "A tie for that place would be cut to one row", "That leaves a single row", "One row is left"
            )
        elif c.aggregated and not c.groups:
            what = "a single value" if count == 1 else f"one row of {count} values"
            yield self._pick(f"The result is {what}", f"That gives {what}")
        elif c.windowed and not c.groups:
            yield self._pick(
                "A window function keeps every row, so there is no GROUP BY",
                "All rows stay as they are, since a window only adds a column to them",
            )
        elif c.groups and not c.order:
            yield self._pick("The result has one row for each group", "No order is asked for")
        elif self._alone and not (c.order or c.limit or c.distinct):
            yield self._pick(
                "Nothing has to be counted or sorted",
                "Duplicates may stay, and no order is asked for",
                "No grouping is needed",
                "That is all the question asks for",
            )

    def _set_operation(self, node: exp.SetOperation) -> Iterator[str]:
        operator = node.key.upper() + ("" if node.args.get("distinct") else " ALL")
        cue, meaning = _SET_OPERATIONS.get(operator, (Cue.BOTH, "combines {} with {}"))
        sides = [self._phrases.source(side) for side in (node.this, node.expression)]
        yield self._because(cue, f"{operator} {meaning.format(*sides)}")
        yield from (f"It also takes {self._phrases.sql(part)}" for part in remaining(node, SET_OPERATION))
        yield from self._order(*limits(node, self._phrases))

    def _because(self, cue: Cue, decision: str) -> str:
        """A decision with the words of the question that call for it, the first time such words are needed."""
        words = self._question.cue(cue)
        if not words or not self._fresh(cue.name):
            return capital(decision) if decision.startswith("the ") else decision
        return self._pick(
            f"The question says {quoted(words)}, so {_continued(decision)}",
            f"Because of {quoted(words)}, {_continued(decision)}",
            f"The wording {quoted(words)} means that {_continued(decision)}",
            f"As the question has {quoted(words)}, {_continued(decision)}",
        )

    def _fresh(self, thing: str) -> bool:
        """Has this not been said yet? Asking counts as saying it."""
        new = thing not in self._said
        self._said.add(thing)
        return new


def _continued(text: str) -> str:
    """A sentence as the second half of another: "Only rows where …" becomes "only rows where …"."""
    return text[0].lower() + text[1:] if text.startswith(_STARTS) else text
