"""What the gold asks for: does it read, does it ask for an order, and which rows tie on its sort keys.

Only the outermost query's ORDER BY makes an order part of the answer. To know which rows may swap, the gold is run
a second time with its sort keys appended as hidden trailing columns (`keyed_sql`). How ORDER BY terms name what
they sort by (position, alias, expression) is SQLite's rule: lang_select.html, section 4.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlglot import exp

from sql_rl.judge.compare import Order, Result, Row
from sql_rl.judge.schema import Schema


@dataclass(frozen=True, slots=True)
class GoldPlan:
    """How to run a gold and read its result.

    reads: it is a query, so its answer is rows; False: it changes data, and its answer is the database after it.
    ordered: the outermost query has ORDER BY. limited: it has LIMIT.
    keyed_sql: SQLite text that returns the gold's rows in the gold's order, sort keys and all, and one row beyond its
    LIMIT; None where no order is asked, or where the keys cannot be shown without changing the result.
    key_places: where the sort keys stand in a row of `keyed_sql`; negative from the end.
    key_count: how many trailing columns of `keyed_sql` are hidden keys, not part of the answer.
    """

    reads: bool
    ordered: bool = False
    limited: bool = False
    keyed_sql: str | None = None
    key_places: tuple[int, ...] = ()
    key_count: int = 0

    def order(self, gold: Result, keyed_rows: Sequence[Row] | None) -> Order:
        """The sort keys of each row of the gold's result, None if no order is asked.

        keyed_rows: what `keyed_sql` returned on the same database. Where there is none, or it broke ties otherwise
        than the gold did, nothing is known about ties, and every row keeps its place.
        """
        if not self.ordered:
            return None
        keyed_rows = (keyed_rows or ())[: len(gold.rows)]
        if [row[: gold.columns] for row in keyed_rows] == list(gold.rows):
            return self._keys(keyed_rows)
        return [(place,) for place in range(len(gold.rows))]

    def cuts_a_tie(self, gold: Result, keyed_rows: Sequence[Row]) -> bool:
        """Does the LIMIT part rows that tie on the sort keys? Then which of them are shown, and how many, is open."""
        last = self._keys(keyed_rows[max(0, len(gold.rows) - 1) : len(gold.rows) + 1])
        return len(last) == 2 and last[0] == last[1]

    def _keys(self, keyed_rows: Sequence[Row]) -> list[Row]:
        return [tuple(row[place] for place in self.key_places) for row in keyed_rows]


def analyse(gold_tree: exp.Expression, schema: Schema) -> GoldPlan:
    """The plan for a gold parsed in SQLite's dialect. The tree is left as it is."""
    root = gold_tree.unnest()
    if not isinstance(root, exp.Query | exp.Values):
        return GoldPlan(reads=False)
    limited = root.args.get("limit") is not None
    order = root.args.get("order")
    if order is None:
        return GoldPlan(reads=True, limited=limited)
    terms = [ordered.this for ordered in order.expressions]
    keyed = root.copy()
    if limited and keyed.args["limit"].expression.is_int:
        keyed.set("limit", exp.Limit(expression=exp.Literal.number(int(root.args["limit"].expression.this) + 1)))
    if isinstance(root, exp.Select) and not root.args.get("distinct"):
        for number, term in enumerate(terms):
            key = _sorted_by(term.copy(), root.expressions, schema)
            keyed.append("expressions", exp.alias_(_folded(key), f"sort_key_{number}"))
        places = tuple(range(-len(terms), 0))
        return GoldPlan(True, True, limited, keyed.sql(dialect="sqlite"), places, len(terms))
    shown = [_place(term, root.selects) for term in terms]
    if None in shown or any(term.find(exp.Collate) for term in terms):
        return GoldPlan(True, True, limited)
    return GoldPlan(True, True, limited, keyed.sql(dialect="sqlite"), tuple(shown))


def _place(term: exp.Expression, projections: list[exp.Expression]) -> int | None:
    """The place of the result column that an ORDER BY term names; None if it names none."""
    if isinstance(term, exp.Literal) and term.is_int:
        return int(term.this) - 1
    if any(projection.is_star for projection in projections):
        return None
    name = term.name.casefold() if isinstance(term, exp.Column) and not term.table else None
    for place, projection in enumerate(projections):
        if projection.unalias() == term or (name and projection.alias_or_name.casefold() == name):
            return place
    return None


def _sorted_by(term: exp.Expression, projections: list[exp.Expression], schema: Schema) -> exp.Expression:
    """The expression that an ORDER BY term sorts by, fit to stand among the projections."""
    if isinstance(term, exp.Literal) and term.is_int:
        place = int(term.this) - 1
        simple = 0 <= place < len(projections) and not any(p.is_star for p in projections[: place + 1])
        return projections[place].unalias().copy() if simple else term
    aliases = {p.alias.casefold(): p.this for p in projections if isinstance(p, exp.Alias)}

    def resolve(node: exp.Expression) -> exp.Expression:
        if isinstance(node, exp.Column) and not node.table:
            meant = aliases.get(node.name.casefold())
            if meant is not None and (node is term or not schema.is_column(node.name)):
                return exp.paren(meant.copy())
        return node

    return term.transform(resolve, copy=False)


def _folded(key: exp.Expression) -> exp.Expression:
    """COLLATE NOCASE as LOWER, so that keys which tie under it are equal (both fold ASCII only)."""
    nocase = isinstance(key, exp.Collate) and key.expression.name.upper() == "NOCASE"
    return exp.func("LOWER", key.this) if nocase else key
