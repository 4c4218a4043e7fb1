"""Free style: the reasoning as connected prose, from the question by way of the schema to the query."""

from collections.abc import Iterator

from sqlglot import exp

from sql_rl.teachers.narrative.blocks import Block, Role
from sql_rl.teachers.narrative.changes import change
from sql_rl.teachers.narrative.clauses import Clauses, clauses, limits
from sql_rl.teachers.narrative.linking import Link
from sql_rl.teachers.narrative.phrases import Phrases
from sql_rl.teachers.narrative.question import Cue, Question
from sql_rl.teachers.narrative.schema import Schema
from sql_rl.teachers.narrative.wording import Voice, capital, listing, quoted, sentence


class Prose:
    """Tells the blocks of one statement, a paragraph for each."""

    def __init__(self, question: Question, schema: Schema, phrases: Phrases, links: list[Link], voice: Voice) -> None:
        self._question = question
        self._schema = schema
        self._phrases = phrases
        self._links = links
        self._pick = voice.pick
        self._said: set[str] = set()

    def tell(self, blocks: tuple[Block, ...], labels: dict[int, str]) -> str:
        paragraphs = [[self._opening(), *self._schema_sentences()]]
        for block in blocks:
            sentences = [*self._lead(block, blocks), *self._block(block, labels)]
            if len(blocks) == 1:
                paragraphs[0] += sentences
            else:
                paragraphs.append(sentences)
        return "\n".join(" ".join(sentence(text) for text in paragraph) for paragraph in paragraphs)

    def _opening(self) -> str:
        goal = self._question.goal()
        if goal.kind == "task":
            return self._pick("The task is to ", "I have to ", "I am asked to ", "The request is to ") + goal.text
        if goal.kind == "noun":
            return (
                self._pick("The question asks for ", "I need to find ", "What is wanted is ", "I am asked for ")
                + goal.text
            )
        if goal.kind == "clause":
            return (
                self._pick("The question asks ", "I need to find out ", "I want to know ", "I have to work out ")
                + goal.text
            )
        return self._pick("The question is: ", "I have to answer this: ", "What is being asked: ") + f"{goal.text}"

    def _schema_sentences(self) -> Iterator[str]:
        known = [link for link in self._links if link.known]
        if len(known) == 1:
            yield self._single_table(known[0])
        elif known:
            yield from self._several_tables(known)
        if missing := [link.table for link in self._links if not link.known]:
            yield f"The schema does not show {listing(missing)}, so I take that name as it is needed here"

    def _single_table(self, link: Link) -> str:
        table = self._table(link)
        columns = [link.column(name) for name, _ in link.columns]
        if not columns:
            return self._pick(
                f"The table to read is {table}; no single column of it matters here",
                f"This is about {table}, and the table as a whole is enough",
                f"In the schema that is {table}, where each row is one of them",
            )
        held = listing(columns)
        if len(columns) == 1:
            return self._pick(
                f"The only column that matters is {held}, in {table}",
                f"In the schema that is {held} in {table}",
                f"The {link.table} table is enough: its column {held} is what this is about",
                f"For this I look at {table}, which has the column {held}",
            )
        return self._pick(
            f"Everything needed is in {table}: {held}",
            f"Looking at the schema, {table} holds {held}, so one table is enough",
            f"The columns {held} all belong to {table}, so there is nothing to join",
            f"I find {held} in {table}",
        )

    def _several_tables(self, links: list[Link]) -> Iterator[str]:
        held, bare = [], []
        for link in links:
            columns = [link.column(name) for name, _ in link.columns]
            if columns:
                held.append(f"{self._table(link)} has {listing(columns)}")
            else:
                bare.append(self._table(link))
        lead = self._pick("In the schema, ", "Looking at the tables, ", "The pieces are spread out: ", "")
        if held:
            yield lead + listing(held) if len(held) < 3 else lead + "; ".join(held)
        if bare:
            yield f"I also need {listing(bare)}, though no single column of {'it' if len(bare) == 1 else 'them'}"

    def _table(self, link: Link) -> str:
        words = link.mentions.get(link.table)
        return f"{link.table} (the {quoted(words)})" if words else link.table

    def _lead(self, block: Block, blocks: tuple[Block, ...]) -> Iterator[str]:
        if block.role is Role.CTE:
            kind = "recursive common table expression" if block.recursive else "common table expression"
            yield self._pick(f"I prepare a {kind} named {block.label}", f"A {kind}, {block.label}, comes first")
        elif block.role is Role.DERIVED:
            yield f"I build an intermediate table in FROM, called {block.label}"
        elif block.role is Role.SUBQUERY:
            yield self._pick(
                f"A subquery is needed first; I call what it returns {block.label}",
                f"Before that I need a subquery, {block.label}",
            )
        elif block.role is Role.BRANCH:
            yield f"{capital(block.label)} is one side of the set operation"
        elif len(blocks) > 1 and isinstance(block.node, exp.Select):
            yield self._pick("Now the main query", "With that, the outer query can be written", "Then the whole")

    def _block(self, block: Block, labels: dict[int, str]) -> Iterator[str]:
        node = block.node
        if isinstance(node, exp.Select):
            yield from self._select(clauses(node, self._phrases, self._schema), block)
        elif isinstance(node, exp.SetOperation):
            yield from self._set_operation(node, labels, block)
        else:
            yield from change(node, self._phrases)

    def _select(self, c: Clauses, block: Block) -> Iterator[str]:
        yield from self._sources(c, block)
        yield from self._filters(c)
        if c.groups:
            yield self._because(Cue.GROUP, f"I group by {listing(c.groups)}")
        if c.having:
            yield self._pick(
                f"Only the groups where {listing(c.having)} stay (HAVING)",
                f"A condition on a whole group goes into HAVING: {listing(c.having)}",
                f"Of these groups I keep those where {listing(c.having)}, with HAVING",
            )
        yield self._output(c)
        yield from (f"It also takes {other}" for other in c.others)
        yield from self._order(c.order, c.limit, c.offset)

    def _sources(self, c: Clauses, block: Block) -> Iterator[str]:
        if not c.source:
            yield "No table is read for this"
        elif not c.joins:
            alone = block.role is Role.MAIN and len(self._links) == 1 and " " not in c.source
            if not alone:
                yield self._pick(f"I read from {c.source}", f"The rows come from {c.source}")
        else:
            first, *rest = c.joins
            start = self._pick("I start from", "I begin with", "Starting from")
            joiner = ", I add" if start == "Starting from" else " and add"
            yield f"{start} {c.source}{joiner} {self._join(first)}"
            for join in rest:
                yield self._pick("Then I add ", "Next comes ", "I also bring in ") + self._join(join)

    def _join(self, join) -> str:
        text = f"{join.source} by {_article(join.kind)} {join.kind}"
        if join.on:
            text += f" on {join.on}"
        if join.key and join.key not in self._said:
            self._said.add(join.key)
            text += f", since {join.key}"
        if join.kind.startswith("LEFT"):
            text += ", so that rows without a match are kept"
        return text

    def _filters(self, c: Clauses) -> Iterator[str]:
        if not c.filters:
            return
        conditions = listing(c.filters)
        yield self._pick(
            f"I keep only the rows where {conditions}",
            f"The rows I want are those where {conditions}",
            f"In WHERE I ask that {conditions}",
            f"Only rows where {conditions} count",
        )

    def _output(self, c: Clauses) -> str:
        outputs = [f"{text} ({gloss})" if gloss and self._fresh(gloss) else text for text, gloss in zip(c.outputs, c.glosses, strict=True)]  # fmt: skip
        shown = "all columns (*)" if c.outputs == ("*",) else listing(outputs)
        if c.distinct:
            return self._because(Cue.DISTINCT, f"I select {shown} with {c.distinct}, so that nothing is repeated")
        if c.aggregated and c.groups:
            return self._pick(f"For each group I return {shown}", f"Each group gives {shown}")
        if c.aggregated:
            return self._pick(
                f"The answer is {shown}, a single row",
                f"I compute {shown} over these rows",
                f"What remains is to compute {shown}",
            )
        return self._pick(f"I return {shown}", f"The output is {shown}", f"What I select is {shown}")

    def _order(self, order: str, limit: str, offset: str) -> Iterator[str]:
        if order and limit:
            yield self._because(Cue.EXTREME, f"I sort by {order} and keep {_first(limit, offset)}")
        elif order:
            yield self._because(Cue.ORDER, f"I sort the result by {order}")
        elif limit or offset:
            yield f"I keep {_first(limit, offset)}"

    def _set_operation(self, node: exp.SetOperation, labels: dict[int, str], block: Block) -> Iterator[str]:
        left, right = (self._phrases.source(side) for side in (node.this, node.expression))
        operator = node.key.upper() + (" ALL" if not node.args.get("distinct") else "")
        meanings = {
            "UNION": f"puts {left} and {right} together and drops duplicates",
            "UNION ALL": f"puts {left} and {right} together, duplicates included",
            "INTERSECT": f"keeps what is in both {left} and {right}",
            "EXCEPT": f"takes {left} and removes what is in {right}",
        }
        cue = {"INTERSECT": Cue.BOTH, "EXCEPT": Cue.NEGATION}.get(node.key.upper(), Cue.EITHER)
        meaning = meanings.get(operator, f"combines {left} with {right}")
        yield self._because(cue, f"{operator} {meaning}")
        yield from self._order(*limits(node, self._phrases))

    def _because(self, cue: Cue, decision: str) -> str:
        words = self._question.cue(cue)
        if not words or not self._fresh(cue.name):
            return decision
        return self._pick(
            f"The question says {quoted(words)}, so {decision}",
            f"{decision}, which is what {quoted(words)} calls for",
            f"To get {quoted(words)} right, {decision}",
        )

    def _fresh(self, thing: str) -> bool:
        """Has this not been explained yet?"""
        new = thing not in self._said
        self._said.add(thing)
        return new


def _first(limit: str, offset: str) -> str:
    rows = "the first row" if limit == "1" else f"the first {limit} rows" if limit.isdigit() else "what is left"
    kept = f"{rows} (LIMIT {limit})" if limit.isdigit() else f"{rows} of {limit}" if limit else "the rest"
    return f"{kept} after skipping {offset} (OFFSET {offset})" if offset else kept


def _article(word: str) -> str:
    return "an" if word[:1].upper() in "AEIO" else "a"
