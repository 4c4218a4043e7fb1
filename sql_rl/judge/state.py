"""The state of a database after a statement that changes data, and how two states differ. Pure but for `read_state`.

Two states are the same if they have the same tables with the same columns, the same views, in each the same rows as
multisets, and the same indexes under whatever names. Columns may stand in another order; a column of numbers is none
of text. Triggers do not count.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import apsw

from sql_rl.judge.compare import same_multiset
from sql_rl.judge.sandbox import Budget, Rights, execute
from sql_rl.judge.schema import affinity


@dataclass(frozen=True, slots=True)
class Relation:
    """A table's or a view's rows, over its columns in the order of their folded names. kinds: what each column is
    declared to hold, 'number', 'text', or '' where it may be either. indexes: of a table, those made by a statement of
    their own, each as whether it is unique and its columns."""

    kind: str
    columns: tuple[str, ...]
    rows: Sequence[tuple]
    kinds: tuple[str, ...]
    indexes: Sequence[tuple]


State = Mapping[str, Relation]  # by folded name


def read_state(db: apsw.Connection, budget: Budget) -> State:
    """The tables and views of `main` with all their rows. Raises Stopped, as a view's query may."""
    state = {}
    entries = db.execute(
        "SELECT name, type FROM main.sqlite_schema WHERE type IN ('table', 'view') "
        "AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\'"
    ).fetchall()
    for name, kind in entries:
        quoted = name.replace('"', '""')
        answer = execute(db, f'SELECT * FROM main."{quoted}"', Rights.READ, budget)
        columns = [column.casefold() for column in answer.columns]
        places = sorted(range(len(columns)), key=columns.__getitem__)
        rows = [tuple(row[place] for place in places) for row in answer.rows]
        declared = dict(db.execute("SELECT lower(name), type FROM pragma_table_xinfo(?)", (name,)).fetchall())
        kinds = tuple(_kind(declared.get(columns[place], "")) for place in places)
        state[name.casefold()] = Relation(
            kind, tuple(columns[place] for place in places), rows, kinds, db.execute(_INDEXES, (name,)).fetchall()
        )
    return state


_INDEXES = (
    "SELECT l.\"unique\", (SELECT group_concat(coalesce(lower(x.name), 'an expression') || x.desc ORDER BY x.seqno) "
    "FROM pragma_index_xinfo(l.name) x WHERE x.key) FROM pragma_index_list(?) l WHERE l.origin = 'c'"
)


def _kind(declared: str) -> str:
    """What a column of that type holds, '' where people differ (dates, truth values) or nothing is said."""
    stored = affinity(declared)
    if stored in ("INTEGER", "REAL") or declared.upper().startswith(("DEC", "NUM")):
        return "number"
    return "text" if stored == "TEXT" else ""


def state_difference(gold: State, predicted: State) -> str:
    """How the state differs from the gold's, '' if it does not. Names no value of the gold's."""
    if gold.keys() != predicted.keys():
        extra, missing = predicted.keys() - gold.keys(), gold.keys() - predicted.keys()
        return f"after it there are other tables or views: {len(extra)} too many, {len(missing)} missing"
    for name, relation in gold.items():
        other = predicted[name]
        if (relation.kind, relation.columns) != (other.kind, other.columns):
            return f"after it {relation.kind} {name} has other columns"
        if any({one, another} == {"number", "text"} for one, another in zip(relation.kinds, other.kinds, strict=True)):
            return f"after it {relation.kind} {name} has columns of other types"
        if not same_multiset(relation.indexes, other.indexes):
            return f"after it {relation.kind} {name} has other indexes"
        if not same_multiset(relation.rows, other.rows):
            return f"after it {relation.kind} {name} has other rows"
    return ""
