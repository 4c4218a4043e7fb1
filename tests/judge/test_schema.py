"""What the judge reads of a database's declarations."""

import apsw
import pytest

from sql_rl.judge.schema import Column, ForeignKey, UniqueKey, affinity, read_schema


def schema_of(ddl: str):
    db = apsw.Connection(":memory:")
    db.execute(ddl)
    return read_schema(db)


@pytest.mark.parametrize(
    ("declared", "expected"),
    [
        ("INTEGER", "INTEGER"),
        ("tinyint(1)", "INTEGER"),
        ("VARCHAR(10)", "TEXT"),
        ("CHARINT", "INTEGER"),
        ("text", "TEXT"),
        ("", "BLOB"),
        ("BLOB", "BLOB"),
        ("double precision", "REAL"),
        ("FLOATING POINT", "INTEGER"),  # SQLite's own example of a surprise: it contains INT
        ("DECIMAL(10,2)", "NUMERIC"),
        ("DATETIME", "NUMERIC"),
        ("BOOLEAN", "NUMERIC"),
    ],
)
def test_affinity(declared, expected):
    assert affinity(declared) == expected


def test_affinity_is_sqlites_own():
    db = apsw.Connection(":memory:")
    for declared in ("DATETIME", "CHARINT", "FLOATING POINT", "STRING", "CLOB", "DOUBLE", "NUMERIC(3)"):
        db.execute(f"CREATE TABLE t(x {declared}); INSERT INTO t VALUES ('1.0')")
        [(kind,)] = db.execute("SELECT typeof(x) FROM t")
        expected = {"TEXT": "text", "REAL": "real"}.get(affinity(declared), "integer")
        assert kind == expected, declared
        db.execute("DROP TABLE t")


def test_columns_keys_and_foreign_keys():
    schema = schema_of(
        """
        CREATE TABLE parent(
          id INTEGER PRIMARY KEY, name TEXT NOT NULL DEFAULT 'x' UNIQUE, twice AS (id * 2),
          grade INT CHECK (grade BETWEEN 1 AND 5));
        CREATE TABLE child(
          a INT, b INT, parent_id INT REFERENCES parent, parent_name TEXT,
          PRIMARY KEY (b, a), FOREIGN KEY (parent_name) REFERENCES Parent(name));
        CREATE UNIQUE INDEX once_if_positive ON child(a) WHERE a > 0;
        CREATE UNIQUE INDEX by_expression ON child(lower(parent_name), b);
        CREATE VIEW names AS SELECT name FROM parent;
        """
    )
    parent, child = schema.tables
    assert parent.columns == (
        Column("id", "INTEGER", "INTEGER", True, None, False),
        Column("name", "TEXT", "TEXT", True, "'x'", False),
        Column("twice", "", "BLOB", False, None, True),
        Column("grade", "INT", "INTEGER", False, None, False),
    )
    assert [column.name for column in parent.stored] == ["id", "name", "grade"]
    assert parent.position == {"id": 0, "name": 1, "grade": 2}
    assert parent.checks == ("grade BETWEEN 1 AND 5",)
    assert set(parent.keys) == {
        UniqueKey(("id",), primary=True, partial=False),
        UniqueKey(("name",), primary=False, partial=False),
    }
    assert set(child.keys) == {
        UniqueKey(("b", "a"), primary=True, partial=False),
        UniqueKey(("a",), primary=False, partial=True),
        UniqueKey(("b",), primary=False, partial=True),
    }
    assert child.foreign_keys == (
        ForeignKey(("parent_id",), "parent", ("id",)),
        ForeignKey(("parent_name",), "Parent", ("name",)),
    )
    assert schema.views[0].name == "names"
    assert schema.table("PARENT") is parent
    assert schema.table("nobody") is None
    assert schema.is_column("GRADE")
    assert not schema.is_column("grades")


@pytest.mark.parametrize(
    "ddl",
    [
        "CREATE TABLE a(x REFERENCES nowhere(y))",
        "CREATE TABLE a(x REFERENCES b(y)); CREATE TABLE b(y REFERENCES a(x))",
        'CREATE TABLE "order"("group" INT, "größe" TEXT, "a b" REAL, PRIMARY KEY ("group"))',
        "CREATE TABLE a(x, y, PRIMARY KEY (x, y)) WITHOUT ROWID",
        "CREATE TABLE checker(x)",
        "",
    ],
    ids=["dangling", "circular", "odd-names", "without-rowid", "check-in-a-name", "empty"],
)
def test_odd_schemas_are_read(ddl):
    schema = schema_of(ddl)
    assert len(schema.tables) == ddl.count("CREATE TABLE")


def test_a_reference_that_cannot_fit_is_left_out():
    schema = schema_of("CREATE TABLE p(a, b, PRIMARY KEY (a, b)); CREATE TABLE c(x REFERENCES p)")
    assert schema.table("c").foreign_keys == ()
