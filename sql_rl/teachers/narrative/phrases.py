"""Phrases: an SQL expression in words that lose nothing.

Every table, column, literal, operator and bracket of the expression is in the phrase, so two expressions that differ
are told differently. What has no phrase of its own is given as SQL, which is always exact.
"""

import re
from collections.abc import Mapping

from sqlglot import exp
from sqlglot.dialects.dialect import Dialect

from sql_rl.teachers.narrative.blocks import inner, is_query
from sql_rl.teachers.narrative.wording import listing

_PLAIN_NAME = re.compile(r"\w+")
_AGGREGATES = {exp.Count: "COUNT", exp.Sum: "SUM", exp.Avg: "AVG", exp.Max: "MAX", exp.Min: "MIN"}
_GLOSSES = {
    exp.Sum: "the total of {}",
    exp.Avg: "the average of {}",
    exp.Max: "the largest {}",
    exp.Min: "the smallest {}",
}
_OPERATORS = {
    exp.Add: "+", exp.Sub: "-", exp.Mul: "*", exp.Div: "/", exp.Mod: "%", exp.DPipe: "||",
}  # fmt: skip
# (as a statement, negated)
_COMPARISONS = {
    exp.EQ: ("is", "is not equal to"),
    exp.NEQ: ("is not", "is not different from"),
    exp.GT: ("is greater than", "is not greater than"),
    exp.GTE: ("is at least", "is not at least"),
    exp.LT: ("is less than", "is not less than"),
    exp.LTE: ("is at most", "is not at most"),
}
_CONDITIONS = (exp.Predicate, exp.Connector, exp.Not)
# What a phrase tells of a node. A node with anything else in it is given as SQL.
_TOLD = {
    **dict.fromkeys((*_COMPARISONS, exp.And, exp.Or), frozenset({"this", "expression"})),
    **dict.fromkeys((exp.Like, exp.ILike, exp.Is), frozenset({"this", "expression", "negate"})),
    **dict.fromkeys((exp.Not, exp.Exists, exp.Paren, exp.Any, exp.All), frozenset({"this"})),
    **dict.fromkeys(_AGGREGATES, frozenset({"this", "big_int"})),
    exp.Between: {"this", "low", "high"},
    exp.In: {"this", "query", "expressions"},
    exp.Case: {"this", "ifs", "default"},
    exp.Window: {"this", "partition_by", "order", "spec", "alias", "over"},
    exp.Alias: {"this", "alias"},
}
_SYMBOLS = {exp.EQ: "=", exp.NEQ: "<>", exp.GT: ">", exp.GTE: ">=", exp.LT: "<", exp.LTE: "<="}
_RANKINGS = {
    exp.RowNumber: "it numbers the rows one by one",
    exp.Rank: "tied rows get the same rank and a gap follows",
    exp.DenseRank: "tied rows get the same rank without a gap",
    exp.Lag: "it looks back at an earlier row",
    exp.Lead: "it looks ahead at a later row",
    exp.Ntile: "it deals the rows into equal buckets",
}


class Phrases:
    """Renders the expressions of one statement.

    dialect: the one the statement was read in ('' for sqlglot's own). labels: what unfolded queries are called, by
    the identity of their node (`blocks.Unfolded`).
    """

    def __init__(self, dialect: str, labels: Mapping[int, str]) -> None:
        self._dialect = dialect
        self._labels = labels
        self._nulls = Dialect.get_or_raise(dialect).NULL_ORDERING

    def sql(self, node: exp.Expression) -> str:
        return node.sql(dialect=self._dialect, comments=False)

    def name(self, identifier: str) -> str:
        return identifier if _PLAIN_NAME.fullmatch(identifier) else f'"{identifier}"'

    def value(self, node: exp.Expression) -> str:
        """What an expression stands for, as a noun."""
        kind = type(node)
        if not _is_told(node):
            return self.sql(node)
        if kind is exp.Column:
            return ".".join("*" if isinstance(part, exp.Star) else self.name(part.name) for part in node.parts)
        if kind is exp.Literal:
            return "'" + node.this.replace("'", "''") + "'" if node.is_string else node.this
        if kind is exp.Alias:
            return f"{self.value(node.this)} as {self.name(node.alias)}"
        if kind in _AGGREGATES:
            return f"{_AGGREGATES[kind]}({self._argument(node.this)})"
        if kind in _OPERATORS:
            return f"{self.value(node.this)} {_OPERATORS[kind]} {self.value(node.expression)}"
        if kind is exp.Paren:
            return f"({self.value(node.this)})"
        if kind is exp.Case:
            return self._case(node)
        if kind is exp.Window:
            return self._window(node)
        if is_query(inner(node)):
            return self._query(inner(node))
        if kind in (exp.Any, exp.All) and is_query(query := inner(node.this)):
            return f"{node.key.upper()} of {self._query(query)}"
        if isinstance(node, _CONDITIONS):
            return f"whether {self.condition(node)}"
        if isinstance(node, exp.Round | exp.Coalesce | exp.Abs | exp.Upper | exp.Lower):
            parts = [node.this, *node.expressions, node.args.get("decimals")]
            return f"{node.sql_name()}({', '.join(self.value(part) for part in parts if part is not None)})"
        return self.sql(node)

    def gloss(self, node: exp.Expression) -> str:
        """What an aggregate or a ranking means, '' for everything else."""
        node = node.unalias()
        if isinstance(node, exp.Window):
            return _RANKINGS.get(type(node.this), "")
        kind = type(node)
        if kind is exp.Count:
            counted = node.this
            if isinstance(counted, exp.Star):
                return "the number of rows"
            if isinstance(counted, exp.Distinct):
                different = " and ".join(self.value(part) for part in counted.expressions)
                return f"the number of different {different} values"
            return f"the number of rows that have a {self.value(counted)}"
        if kind in _GLOSSES and isinstance(node.this, exp.Column):
            return _GLOSSES[kind].format(self.value(node.this))
        return ""

    def condition(self, node: exp.Expression, negated: bool = False) -> str:
        """What must hold, as a clause: "head.age is greater than 56"."""
        kind = type(node)
        if not _is_told(node):
            return f"not ({self.sql(node)})" if negated else self.sql(node)
        if kind is exp.Not:
            return f"not ({self.condition(node.this)})" if negated else self.condition(node.this, True)
        if kind is exp.Paren and not isinstance(node.this, exp.Connector):
            return self.condition(node.this, negated)
        if kind in _COMPARISONS:
            return self._comparison(node, negated)
        if kind is exp.Between:
            low, high = self.value(node.args["low"]), self.value(node.args["high"])
            verb = "is not between" if negated else "is between"
            return f"{self.value(node.this)} {verb} {low} and {high}"
        if kind is exp.In and (node.args.get("query") or node.expressions):
            return self._membership(node, negated)
        if kind in (exp.Like, exp.ILike) and isinstance(node.expression, exp.Literal):
            return self._like(node, negated != bool(node.args.get("negate")))
        if kind is exp.Is and isinstance(node.expression, exp.Null):
            known = negated != bool(node.args.get("negate"))
            state = "is known (IS NOT NULL)" if known else "is missing (IS NULL)"
            return f"{self.value(node.this)} {state}"
        if kind is exp.Exists and is_query(inner(node.this)):
            rows = self._query(inner(node.this))
            return f"there is {'no row (NOT EXISTS)' if negated else 'at least one row (EXISTS)'} in {rows}"
        if negated:
            return f"not ({self.condition(node)})"
        if kind is exp.Paren:
            return f"({self.condition(node.this)})"
        if kind is exp.And:
            return " and ".join(self._operand(part) for part in node.flatten())
        if kind is exp.Or:
            return "either " + " or ".join(self._operand(part) for part in node.flatten())
        if kind is exp.Column:
            return f"{self.value(node)} is true"
        return self.sql(node) if isinstance(node, _CONDITIONS) else self.value(node)

    def order(self, ordered: exp.Expression) -> str:
        """One sort key: "age in descending order"."""
        desc = ordered.args.get("desc")
        direction = {None: "in ascending order", False: "in ascending order (ASC)", True: "in descending order"}
        small = self._nulls == "nulls_are_small"
        usual = self._nulls != "nulls_are_last" and (small if not desc else not small)
        nulls = bool(ordered.args.get("nulls_first"))
        place = "" if nulls == usual else f", NULLs {'first' if nulls else 'last'}"
        return f"{self.value(ordered.this)} {direction[desc]}{place}"

    def orders(self, order: exp.Expression) -> str:
        return ", then ".join(self.order(key) for key in order.expressions)

    def _argument(self, node: exp.Expression) -> str:
        if isinstance(node, exp.Star):
            return "*"
        if isinstance(node, exp.Distinct) and node.args.get("on") is None:
            return "DISTINCT " + ", ".join(self.value(part) for part in node.expressions)
        return self.value(node)

    def _operand(self, node: exp.Expression) -> str:
        text = self.condition(node)
        return f"({text})" if isinstance(node, exp.Connector) else text

    def _comparison(self, node: exp.Expression, negated: bool) -> str:
        kind, left, right = type(node), self.value(node.this), self.value(node.expression)
        if isinstance(node.this, exp.Column) and isinstance(node.expression, exp.Column) and not negated:
            return f"{left} {_SYMBOLS[kind]} {right}"
        verb = _COMPARISONS[kind][negated]
        if kind is exp.EQ and not negated and not isinstance(node.expression, exp.Literal | exp.Boolean):
            verb = "equals"
        return f"{left} {verb} {right}"

    def _membership(self, node: exp.Expression, negated: bool) -> str:
        subject = self.value(node.this)
        if query := node.args.get("query"):
            return f"{subject} is {'not ' if negated else ''}in {self._query(inner(query))}"
        values = ", ".join(self.value(value) for value in node.expressions)
        return f"{subject} is {'none' if negated else 'one'} of ({values})"

    def _like(self, node: exp.Expression, negated: bool) -> str:
        pattern = node.expression.this
        core = pattern.strip("%")
        operator = ("NOT " if negated else "") + node.key.upper()
        clause = f"{operator} {self.value(node.expression)}"
        if not core or "%" in core or "_" in core:
            verb = "does not match" if negated else "matches"
            return f"{self.value(node.this)} {verb} the pattern ({clause})"
        verbs = {
            (True, True): ("contains", "contain"),
            (False, True): ("starts with", "start with"),
            (True, False): ("ends with", "end with"),
            (False, False): ("reads like", "read like"),
        }
        positive, bare = verbs[pattern.startswith("%"), pattern.endswith("%")]
        verb = f"does not {bare}" if negated else positive
        return f"{self.value(node.this)} {verb} {core} ({clause})"

    def _case(self, node: exp.Expression) -> str:
        subject = f" on {self.value(node.this)}" if node.this else ""
        branches = []
        for branch in node.args["ifs"]:
            when = self.value(branch.this) if node.this else self.condition(branch.this)
            branches.append(f"{self.value(branch.args['true'])} when {when}")
        default = node.args.get("default")
        branches.append(f"{self.value(default)} otherwise" if default else "NULL otherwise (no ELSE)")
        return f"a CASE{subject} ({'; '.join(branches)})"

    def _window(self, node: exp.Expression) -> str:
        parts = []
        if partition := node.args.get("partition_by"):
            parts.append(f"within each {listing([self.value(key) for key in partition])} (PARTITION BY)")
        if order := node.args.get("order"):
            parts.append(f"ordered by {self.orders(order)}")
        if spec := node.args.get("spec"):
            parts.append(f"with the frame {self.sql(spec)}")
        if node.args.get("alias"):
            parts.append(f"with the window {self.sql(node.args['alias'])}")
        function = self.value(node.this)
        return f"the window function {function} OVER ({', '.join(parts) or 'all rows'})"

    def _query(self, query: exp.Expression) -> str:
        """A small query as a noun; a large one by the label it was told under."""
        if label := self._labels.get(id(query)):
            return label
        source = query.args["from_"].this
        output = self.value(query.expressions[0])
        where = query.args.get("where")
        rows = f", only rows where {self.condition(where.this)}" if where else ""
        if query.args.get("distinct"):
            output = f"DISTINCT {output}"
        return f"the subquery (SELECT {output} from {self.source(source)}{rows})"

    def source(self, node: exp.Expression) -> str:
        """A table with its alias, or the label of what stands in its place."""
        plain = isinstance(node, exp.Table) and isinstance(node.this, exp.Identifier)
        if plain and {key for key, value in node.args.items() if value} <= {"this", "alias", "db", "catalog"}:
            name = ".".join(self.name(part.name) for part in node.parts)
            alias = node.args.get("alias")
            if alias is None or not alias.args.get("columns"):
                return f"{name} AS {self.name(alias.name)}" if alias else name
        label = self._labels.get(id(inner(node))) or self._labels.get(id(node.this))
        return label or self.sql(node)


def _is_told(node: exp.Expression) -> bool:
    told = _TOLD.get(type(node))
    return told is None or all(key in told for key, value in node.args.items() if value)
