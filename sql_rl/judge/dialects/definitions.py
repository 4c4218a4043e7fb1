"""Statements that define or change data, from any dialect's tree to SQLite's.

Promise: what SQLite can hold (columns, keys, checks, constant defaults, rows) is kept; what it has no place for
(storage engines, comments, secondary indexes, access rights) is dropped; a statement without a counterpart is left
as it is, for SQLite to refuse. Queries inside are the business of `rewrite.py`.
"""

from collections.abc import Callable

from sqlglot import exp

_KEPT_CONSTRAINTS = (
    exp.PrimaryKeyColumnConstraint,
    exp.NotNullColumnConstraint,
    exp.UniqueColumnConstraint,
    exp.CheckColumnConstraint,
    exp.DefaultColumnConstraint,
    exp.CollateColumnConstraint,
    exp.Reference,
    exp.ComputedColumnConstraint,
)
_KEPT_TABLE_PARTS = (
    exp.ColumnDef,
    exp.PrimaryKey,
    exp.ForeignKey,
    exp.UniqueColumnConstraint,
    exp.CheckColumnConstraint,
    exp.Constraint,
)
_CONSTANTS = (exp.Literal, exp.Null, exp.Boolean, exp.Neg, exp.CurrentDate, exp.CurrentTimestamp, exp.CurrentTime)
_SERIAL = ("serial", "bigserial", "smallserial")


def statements_for_sqlite(tree: exp.Expression) -> tuple[list[exp.Expression], tuple[str, ...]]:
    """The statements that do in SQLite what the tree does ([]: nothing is to be done), and what was rewritten.

    The given tree is consumed. A query comes back as it is.
    """
    handle = _HANDLERS.get(type(tree))
    return handle(tree) if handle else ([tree], ())


def _create(tree: exp.Create) -> tuple[list[exp.Expression], tuple[str, ...]]:
    kind = (tree.args.get("kind") or "").upper()
    if kind in ("SCHEMA", "DATABASE"):
        return [], (f"CREATE {kind} skipped",)
    notes = []
    if tree.args.get("properties") and kind != "VIEW":
        tree.set("properties", None)
        notes.append("table options dropped")
    statements: list[exp.Expression] = [tree]
    if kind == "VIEW":
        tree.set("properties", None)
        if tree.args.get("replace"):
            tree.set("replace", False)
            statements.insert(0, exp.Drop(tables=[tree.find(exp.Table).copy()], kind="VIEW", exists=True))
            notes.append("OR REPLACE as DROP and CREATE")
    elif kind == "TABLE" and isinstance(tree.this, exp.Schema):
        notes += _simplify_table(tree.this)
    return statements, tuple(notes)


def _simplify_table(schema: exp.Schema) -> list[str]:
    """Leave in a table's definition what SQLite can hold, in place; returns what was changed."""
    notes: dict[str, None] = {}
    parts = []
    for named in schema.expressions:
        part = named
        if isinstance(named, exp.Constraint):
            part = next((p for p in named.expressions if isinstance(p, _KEPT_TABLE_PARTS)), None)
        if isinstance(part, exp.UniqueColumnConstraint) and isinstance(part.this, exp.Schema):
            part.this.set("this", None)  # a name that only MySQL gives
        if not isinstance(part, _KEPT_TABLE_PARTS):
            if not isinstance(part, exp.Identifier):
                notes["secondary index dropped"] = None
            continue
        if isinstance(part, exp.ColumnDef):
            notes |= dict.fromkeys(_simplify_column(part))
        parts.append(part)
    schema.set("expressions", parts)
    return list(notes)


def _simplify_column(column: exp.ColumnDef) -> list[str]:
    notes = []
    kinds = [constraint.args.get("kind") for constraint in column.args.get("constraints") or []]
    counted = any(
        isinstance(k, exp.AutoIncrementColumnConstraint | exp.GeneratedAsIdentityColumnConstraint) for k in kinds
    )
    kept = [
        constraint
        for constraint, kind in zip(column.args.get("constraints") or [], kinds, strict=True)
        if isinstance(kind, _KEPT_CONSTRAINTS)
        and not (isinstance(kind, exp.DefaultColumnConstraint) and not isinstance(kind.this, _CONSTANTS))
    ]
    type_ = column.args.get("kind")
    if isinstance(type_, exp.DataType):
        name = type_.this.value.lower() if isinstance(type_.this, exp.DataType.Type) else ""
        if name in ("enum", "enum8", "enum16") and type_.expressions:
            values = [exp.Literal.string(value.name) for value in type_.expressions]
            allowed = exp.In(this=exp.column(column.this.copy()), expressions=values)
            kept.append(exp.ColumnConstraint(kind=exp.CheckColumnConstraint(this=allowed)))
            notes.append("ENUM as TEXT with a CHECK")
        if counted or name in _SERIAL:
            notes.append("a counted column as INTEGER")
        column.set("kind", _simple_type(type_, name, counted))
    if len(kept) < len(kinds):
        notes.append("column options dropped")
    column.set("constraints", kept)
    return notes


def _simple_type(type_: exp.DataType, name: str, counted: bool) -> exp.DataType:
    """A type name of SQLite's with the right affinity; those that tell a date or a truth value keep their names."""
    if counted or name in _SERIAL:
        return exp.DataType.build("INTEGER", dialect="sqlite")
    one_digit = [size.name for size in type_.expressions] == ["1"]
    if name in ("boolean", "bit") or (name == "tinyint" and one_digit):  # MySQL's truth value
        return exp.DataType(this=exp.DataType.Type.USERDEFINED, kind="BOOLEAN")  # sqlglot would write INTEGER
    if type_.is_type(*exp.DataType.INTEGER_TYPES) or name == "year":
        return exp.DataType.build("INTEGER", dialect="sqlite")
    if type_.is_type(*exp.DataType.REAL_TYPES) or name in ("money", "smallmoney"):
        return exp.DataType.build("REAL", dialect="sqlite")
    if name in ("date", "time", "blob", "binary", "varbinary"):
        return exp.DataType(this=type_.this)
    if name.startswith(("timestamp", "datetime", "smalldatetime")):
        return exp.DataType.build("DATETIME", dialect="mysql")
    return exp.DataType.build("TEXT", dialect="sqlite")


def _truncate(tree: exp.TruncateTable) -> tuple[list[exp.Expression], tuple[str, ...]]:
    return [exp.Delete(this=table) for table in tree.expressions], ("TRUNCATE as DELETE",)


def _alter(tree: exp.Alter) -> tuple[list[exp.Expression], tuple[str, ...]]:
    """One statement for each action: SQLite takes no more."""
    statements, notes = [], {}
    for action in tree.args.get("actions") or []:
        if isinstance(action, exp.AddConstraint):
            notes["constraint added later dropped"] = None
            continue
        if isinstance(action, exp.ColumnDef):
            _simplify_column(action)
            action.set("position", None)
        single = tree.copy()
        single.set("actions", [action.copy()])
        statements.append(single)
    if len(statements) > 1:
        notes["ALTER TABLE split"] = None
    return statements, tuple(notes)


def _update(tree: exp.Update) -> tuple[list[exp.Expression], tuple[str, ...]]:
    """UPDATE a JOIN b ON …, and T-SQL's UPDATE a … FROM t AS a JOIN b ON …, as UPDATE a … FROM b WHERE …."""
    table, from_ = tree.this, tree.args.get("from_")
    if isinstance(from_, exp.From) and from_.this.alias_or_name.casefold() == table.name.casefold():
        table = from_.this
    joins = table.args.get("joins") or []
    if not joins or any(join.side or join.args.get("using") for join in joins):
        return [tree], ()
    conditions = [join.args["on"] for join in joins if join.args.get("on")]
    where = tree.args.get("where")
    first, *others = [join.this for join in joins]
    first.set("joins", [exp.Join(this=other, kind="CROSS") for other in others])
    table.set("joins", None)
    tree.set("this", table)
    tree.set("from_", exp.From(this=first))
    tree.set("where", exp.Where(this=exp.and_(*conditions, *([where.this] if where else []))))
    for assignment in tree.expressions:
        if isinstance(assignment.this, exp.Column):
            assignment.set("this", exp.column(assignment.this.this))
    return [tree], ("a joined UPDATE as UPDATE FROM",)


def _delete(tree: exp.Delete) -> tuple[list[exp.Expression], tuple[str, ...]]:
    """DELETE a FROM a JOIN b ON … as DELETE FROM a WHERE rowid IN (SELECT a.rowid FROM a JOIN b ON …)."""
    targets = tree.args.get("tables") or []
    if not targets:
        return [tree], ()
    name = targets[0].name
    source = tree.this
    sources = [source, *[join.this for join in source.args.get("joins") or []]]
    target = next((s for s in sources if s.alias_or_name.casefold() == name.casefold()), None)
    if target is None or len(targets) > 1:
        return [tree], ()
    rows = exp.select(exp.column("rowid", table=name)).from_(source)
    rows.set("where", tree.args.get("where"))
    condition = exp.In(this=exp.column("rowid"), query=exp.Subquery(this=rows))
    table = exp.Table(this=target.this.copy())
    return [exp.Delete(this=table, where=exp.Where(this=condition))], ("a joined DELETE as DELETE WHERE rowid IN",)


def _insert(tree: exp.Insert) -> tuple[list[exp.Expression], tuple[str, ...]]:
    """MySQL's ON DUPLICATE KEY UPDATE as ON CONFLICT DO UPDATE, with VALUES(c) as excluded.c."""
    conflict = tree.args.get("conflict")
    if conflict is None or not conflict.args.get("duplicate"):
        return [tree], ()
    conflict.set("duplicate", False)
    conflict.set("action", exp.var("DO UPDATE"))
    for values in list(conflict.find_all(exp.Anonymous)):
        if values.name.upper() == "VALUES":
            values.replace(exp.column(values.expressions[0].name, table="excluded"))
    return [tree], ("ON DUPLICATE KEY as ON CONFLICT",)


_HANDLERS: dict[type[exp.Expression], Callable[[exp.Expression], tuple[list[exp.Expression], tuple[str, ...]]]] = {
    exp.Create: _create,
    exp.TruncateTable: _truncate,
    exp.Alter: _alter,
    exp.Update: _update,
    exp.Delete: _delete,
    exp.Insert: _insert,
}
