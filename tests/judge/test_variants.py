"""Variants: what they respect, what they reach, and that they are the same tomorrow."""

# ruff: noqa: E501 - a case reads best on one line
import os
import subprocess
import sys

import apsw
import pytest
import sqlglot
from hypothesis import given, settings
from hypothesis import strategies as st

from sql_rl.judge.compare import Result
from sql_rl.judge.schema import read_schema
from sql_rl.judge.variants.generate import generate
from sql_rl.judge.variants.given import Given

SHOP = """
CREATE TABLE city (code TEXT PRIMARY KEY, name TEXT NOT NULL, people INT);
CREATE TABLE shop (id INTEGER PRIMARY KEY, city_code TEXT REFERENCES city(code), name TEXT, opened DATE);
CREATE TABLE sale (shop_id INT REFERENCES shop(id), item TEXT, day DATE, amount REAL, PRIMARY KEY (shop_id, item, day));
INSERT INTO city VALUES ('AA','Aston',10),('BB','Burg',20),('CC','Ceres',30);
INSERT INTO shop VALUES (1,'AA','Corner','2001-05-01'),(2,'AA','Market',NULL),(3,'BB','Corner','2010-01-31');
INSERT INTO sale VALUES (1,'tea','2024-01-01',2.5),(1,'salt','2024-01-01',1.5),(3,'tea','2024-01-02',9.0);
"""


def prepare(ddl):
    db = apsw.Connection(":memory:")
    db.execute(ddl)
    schema = read_schema(db)
    names = {t.name: ", ".join(f'"{c.name}"' for c in t.stored) for t in schema.tables}
    given_rows = {name: db.execute(f'SELECT {columns} FROM "{name}"').fetchall() for name, columns in names.items()}
    return schema, given_rows


def parse(sql):
    return sqlglot.parse_one(sql, dialect="sqlite")


def load(ddl, variant, verb="INSERT"):
    """The variant in a database of its own; SQLite checks what is declared."""
    db = apsw.Connection(":memory:")
    db.execute(ddl)
    schema = read_schema(db)
    for table in reversed(schema.tables):
        db.execute(f'DELETE FROM "{table.name}"')
    for name, rows in variant.items():
        columns = ", ".join(f'"{column.name}"' for column in schema.table(name).stored)
        marks = ", ".join("?" for _ in schema.table(name).stored)
        db.executemany(f'{verb} INTO "{name}" ({columns}) VALUES ({marks})', rows)
    return db


def runner(ddl, sql):
    def run(rows):
        found = load(ddl, rows, "INSERT OR IGNORE").execute(sql).fetchall()
        return Result(found, len(found[0]) if found else 1)

    return run


def decide(condition, tried):
    places = ", ".join("(?)" for _ in tried)
    return [
        truth
        for (truth,) in apsw.Connection(":memory:").execute(
            f"WITH t(v) AS (VALUES {places}) SELECT ({condition}) = 1 FROM t", tried
        )
    ]


def variants_of(ddl, sql, seed=0, count=8, run=True):
    schema, given_rows = prepare(ddl)
    ask = (runner(ddl, sql), lambda *asked: [None if t is None else bool(t) for t in decide(*asked)]) if run else ()
    return generate(schema, Given(schema, given_rows), parse(sql), seed, count, *ask)


GOLD = (
    "SELECT c.name, count(*) FROM sale s JOIN shop p ON s.shop_id = p.id JOIN city c ON c.code = p.city_code "
    "WHERE s.amount > 7.5 AND c.name <> 'Burg' GROUP BY c.code HAVING count(*) >= 2"
)


def test_the_same_seed_gives_the_same_databases():
    assert variants_of(SHOP, GOLD) == variants_of(SHOP, GOLD)
    assert variants_of(SHOP, GOLD) != variants_of(SHOP, GOLD, seed=1)


def test_a_variant_does_not_depend_on_how_many_are_asked():
    assert variants_of(SHOP, GOLD, count=8, run=False)[:3] == variants_of(SHOP, GOLD, count=3, run=False)


PROGRAM = """
import sys, apsw, sqlglot
from sql_rl.judge.schema import read_schema
from sql_rl.judge.variants.generate import generate
from sql_rl.judge.variants.given import Given
db = apsw.Connection(":memory:")
db.execute(sys.argv[1])
schema = read_schema(db)
print(generate(schema, Given(schema, {}), sqlglot.parse_one(sys.argv[2], dialect="sqlite"), 0, 8))
"""


def test_the_same_in_every_process():
    """Hashes of strings differ from process to process; nothing may follow the order of a set."""
    outputs = {
        subprocess.run(
            [sys.executable, "-c", PROGRAM, SHOP, GOLD],
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("1", "2", "3")
    }
    assert len(outputs) == 1


RESPECTED = {
    "a chain of references": SHOP,
    "a reference to itself": """
        CREATE TABLE person (id INTEGER PRIMARY KEY, name TEXT NOT NULL, boss INT REFERENCES person(id));
        INSERT INTO person VALUES (1,'a',NULL),(2,'b',1),(3,'c',1);""",
    "a circle": """
        CREATE TABLE a (id INTEGER PRIMARY KEY, b_id INT REFERENCES b(id));
        CREATE TABLE b (id INTEGER PRIMARY KEY, a_id INT REFERENCES a(id));""",
    "composite keys": """
        CREATE TABLE p (x INT NOT NULL, y TEXT NOT NULL, z REAL, PRIMARY KEY (x, y));
        CREATE TABLE c (x INT, y TEXT, n INT NOT NULL, FOREIGN KEY (x, y) REFERENCES p(x, y), UNIQUE (n));""",
    "a key that is a reference": """
        CREATE TABLE p (id INTEGER PRIMARY KEY, name TEXT UNIQUE);
        CREATE TABLE c (id INTEGER PRIMARY KEY REFERENCES p(id), extra TEXT NOT NULL);""",
    "affinities that differ": """
        CREATE TABLE p (id INTEGER PRIMARY KEY, name TEXT);
        CREATE TABLE c (p_id TEXT REFERENCES p(id), note TEXT);
        INSERT INTO p VALUES (1,'x'),(2,'y'); INSERT INTO c VALUES ('1','u'),('2','v');""",
    "odd names": """
        CREATE TABLE "order" ("group" INTEGER PRIMARY KEY, "größe" TEXT, "a b" REAL);
        CREATE TABLE "select" ("from" INT REFERENCES "order"("group"));""",
    "checks": """
        CREATE TABLE t (id INTEGER PRIMARY KEY, grade INT CHECK (grade BETWEEN 1 AND 5),
          state TEXT CHECK (state IN ('on', 'off')), size REAL CHECK (size > 0 OR size IS NULL));""",
    "generated columns": """
        CREATE TABLE t (id INTEGER PRIMARY KEY, a INT, b INT AS (a * 2), c TEXT GENERATED ALWAYS AS (a || 'x') STORED);""",
    "strict types": "CREATE TABLE t (id INTEGER PRIMARY KEY, a INT NOT NULL, b TEXT, c REAL) STRICT",
}


@pytest.mark.parametrize("ddl", RESPECTED.values(), ids=RESPECTED)
def test_what_is_declared_is_respected(ddl):
    """Loaded with a plain INSERT: SQLite would refuse what breaks a key, a NOT NULL or a CHECK."""
    schema, _ = prepare(ddl)
    gold = "SELECT * FROM " + " JOIN ".join(f'"{table.name}"' for table in schema.tables)
    for variant in variants_of(ddl, gold, run=False):
        db = load(ddl, variant)
        assert db.execute("PRAGMA foreign_key_check").fetchall() == []
        assert all(variant.values())


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT name FROM city WHERE people > 25",
        "SELECT p.name FROM shop p JOIN city c ON p.city_code = c.code WHERE c.code = 'ZZ'",
        "SELECT p.name FROM shop p, city c WHERE p.city_code = c.code AND c.name = 'Nowhere' AND c.people < 3",
        "SELECT name FROM shop WHERE name LIKE '%quay%'",
        "SELECT name FROM shop WHERE opened BETWEEN '1990-01-01' AND '1990-12-31'",
        "SELECT item FROM sale WHERE strftime('%Y', day) = '1987'",
        "SELECT name FROM city WHERE people > 25 INTERSECT SELECT name FROM city WHERE people < 15",
        "SELECT code FROM city WHERE people = 77 EXCEPT SELECT city_code FROM shop WHERE name = 'Corner'",
        "SELECT name FROM city WHERE people = 5 AND code NOT IN (SELECT city_code FROM shop WHERE city_code > 'A')",
        "SELECT shop_id FROM sale GROUP BY shop_id HAVING count(*) > 12",
        "SELECT city_code FROM shop GROUP BY city_code HAVING count(*) = 4",
        "SELECT shop_id FROM sale GROUP BY shop_id HAVING sum(amount) > 1000",
        "SELECT shop_id FROM sale GROUP BY shop_id HAVING avg(amount) = 64",
        "SELECT item FROM sale WHERE amount > (SELECT avg(amount) FROM sale WHERE item = 'ink')",
        "SELECT name FROM city WHERE code IN (SELECT city_code FROM shop WHERE id IN (SELECT shop_id FROM sale WHERE item = 'ink'))",
        "WITH big AS (SELECT code AS k FROM city WHERE people = 1234567) SELECT s.name FROM shop s JOIN big ON big.k = s.city_code",
        "SELECT name FROM shop WHERE opened IS NULL AND city_code = 'QQ'",
        "SELECT a.name FROM shop a JOIN shop b ON a.city_code = b.city_code WHERE a.name = 'Left' AND b.name = 'Right'",
        "SELECT name FROM shop WHERE id = 40 OR (id = 41 AND name = 'Fish')",
        "SELECT item FROM (SELECT item, amount AS x FROM sale) WHERE x = -17.25",
        "SELECT item FROM sale WHERE strftime('%Y', day) = '2016' AND strftime('%m', day) = '09'",
        "SELECT item FROM sale WHERE day LIKE '1998-11-%'",
        "SELECT item FROM sale WHERE day >= date('2031-05-05', '-30 days')",
        "SELECT item FROM sale WHERE amount * 1.25 > 40000 AND amount / 2 < 16100",
        "SELECT name FROM shop WHERE length(name) = 23",
        "SELECT name FROM city WHERE lower(name) LIKE '%quay%' AND people % 7 = 3",
    ],
)  # fmt: skip
def test_an_answer_is_found_where_the_given_data_have_none(sql):
    """Some variant satisfies the gold, in joins, groups, set operations and subqueries."""
    run = runner(SHOP, sql)
    answers = [run(variant).rows for variant in variants_of(SHOP, sql)]
    assert any(answers)
    assert len({tuple(sorted(rows, key=repr)) for rows in answers}) > 1


def test_values_lie_on_and_beside_the_boundary():
    held = {row[3] for variant in variants_of(SHOP, GOLD) for row in variant["sale"]}
    assert {7.5, 6.5, 8.5} <= held
    names = {row[1] for variant in variants_of(SHOP, GOLD) for row in variant["city"]}
    assert {"Burg", "bURG", "Burgx", "Bur"} <= names


BESIDE = [
    ("SELECT item FROM sale WHERE strftime('%Y-%m', day) = '2023-02'", {"2023-01-31", "2023-02-01", "2023-02-28", "2023-03-01"}),
    ("SELECT item FROM sale WHERE julianday('2024-03-31') - julianday(day) <= 30", {"2024-02-29", "2024-03-01"}),
    ("SELECT CASE WHEN day > '2019-07-04' THEN 'new' ELSE 'old' END FROM sale", {"2019-07-03", "2019-07-04", "2019-07-05"}),
    ("SELECT item FROM sale WHERE amount * 4 >= 170", {42.49, 42.5}),
    ("SELECT sum(CASE WHEN amount > 33 THEN 1 END) FROM sale", {32.0, 33.0, 34.0}),
    ("SELECT name FROM shop WHERE length(name) > 9", {9, 10}),
]  # fmt: skip


@pytest.mark.parametrize(("sql", "beside"), BESIDE)
def test_values_lie_on_both_sides_of_what_only_the_database_can_tell(sql, beside):
    variants = variants_of(SHOP, sql)
    held = {v for variant in variants for row in variant["sale"] for v in row}
    held |= {len(row[2]) for variant in variants for row in variant["shop"]}
    assert beside <= held


def test_truth_values_stay_truth_values():
    ddl = "CREATE TABLE t (id INT, done BOOLEAN, paid TINYINT(1)); INSERT INTO t VALUES (1, 1, 0), (2, 0, 1), (3, 1, 1)"
    for variant in variants_of(ddl, "SELECT done, max(id) FROM t WHERE paid = 1 AND done <> 0 GROUP BY done"):
        assert {v for row in variant["t"] for v in row[1:]} <= {0, 1}


def test_dates_with_a_time_of_day_reach_into_the_last_day():
    ddl = "CREATE TABLE t (at TIMESTAMP); INSERT INTO t VALUES ('2024-05-01 10:00:00'), ('2024-06-01 11:30:00')"
    held = {
        row[0]
        for v in variants_of(ddl, "SELECT at FROM t WHERE at BETWEEN '2024-03-01' AND '2024-03-31'")
        for row in v["t"]
    }
    assert "2024-03-31 12:00:00" in held
    held = {row[0] for v in variants_of(ddl, "SELECT at FROM t WHERE strftime('%H', at) > '15'") for row in v["t"]}
    assert {at[11:13] for at in held if at} >= {"15", "16"}


def test_a_column_that_a_scalar_subquery_takes_a_row_by_holds_nothing_twice():
    sql = "SELECT name FROM city WHERE people > (SELECT people FROM city WHERE name = 'Burg')"
    for variant in variants_of(SHOP, sql):
        names = [row[1] for row in variant["city"]]
        assert len(set(names)) == len(names)


def test_values_keep_the_manner_of_the_given_ones():
    ddl = """CREATE TABLE t (price TEXT, day TEXT, size NUMERIC);
        INSERT INTO t VALUES ('12','2024-05-01',1.5),('7','2024-06-30',2),('30','2024-12-24',8.25);"""
    for variant in variants_of(
        ddl, "SELECT price FROM t WHERE price > 10 AND day < '2024-07-01' ORDER BY size LIMIT 1"
    ):
        for price, day, size in variant["t"]:
            assert price.lstrip("-").replace(".", "").isdigit()
            assert len(day) == 10
            assert isinstance(size, int | float)


def test_nulls_only_where_the_given_data_have_them():
    """In a column that holds a value in each of several given rows, NULL would be a broken assumption."""
    rows = [variant["shop"] for variant in variants_of(SHOP, "SELECT name, opened FROM shop", count=16)]
    assert any(row[3] is None for table in rows for row in table)
    assert not any(row[1] is None or row[2] is None for table in rows for row in table)


@pytest.mark.parametrize(
    ("ddl", "sql"),
    [
        ("CREATE TABLE t (x)", "SELECT * FROM nowhere"),
        ("CREATE TABLE t (x)", "SELECT 1"),
        ("CREATE TABLE t (x)", "WITH RECURSIVE n(i) AS (SELECT 1 UNION SELECT i + 1 FROM n WHERE i < 5) SELECT i FROM n JOIN t"),
        ("CREATE TABLE t (x INT); CREATE VIEW v AS SELECT x + 1 AS y FROM t WHERE x > 3", "SELECT y FROM v WHERE y = 9"),
        ("CREATE TABLE t (x INT)", "SELECT x FROM t WHERE x IN (1, NULL) OR x = 9223372036854775807 OR x = -1e308"),
        ("CREATE TABLE t (x DATE)", "SELECT x FROM t WHERE x = '2024-02-30' OR x > '0000-00-00' OR x < '9999-12-31'"),
        ("CREATE TABLE t (x INT)", "WITH t AS (SELECT * FROM main.t WHERE x > 3) SELECT x FROM t WHERE x < 9"),
        ("CREATE TABLE t (x INT)", "WITH RECURSIVE n AS (SELECT i FROM n UNION ALL SELECT 1 AS i) SELECT i FROM n WHERE i = 2"),
        ("CREATE TABLE t (x INT)", "SELECT a.x FROM t a JOIN t b USING (x) NATURAL JOIN (SELECT x, * FROM t) c WHERE c.x = 1"),
        ("CREATE TABLE t (x INT)", "SELECT x FROM t WHERE " + " AND ".join(f"x <> {i}" for i in range(200))),
        ("CREATE TABLE t (x INT)", "DELETE FROM t WHERE x = 4"),
        ("CREATE TABLE t (x INT)", "INSERT INTO t VALUES (4)"),
        ("CREATE TABLE t (x INT)", "SELECT sum(x) OVER (ORDER BY x) FROM t WHERE x LIKE '%[' ESCAPE '\\'"),
        ("CREATE TABLE t (x BLOB); INSERT INTO t VALUES (x'00ff'), (x'01')", "SELECT x FROM t ORDER BY x LIMIT 1"),
        (";".join(f"CREATE TABLE t{i} (id INTEGER PRIMARY KEY, up INT REFERENCES t{i - 1 if i else 199}(id))" for i in range(200)), "SELECT id FROM t7"),
    ],
)  # fmt: skip
def test_odd_golds_and_schemas_are_no_trouble(ddl, sql):
    for variant in variants_of(ddl, sql, run=False):
        load(ddl, variant)


def test_no_tables_no_rows():
    assert variants_of("", "SELECT 1", run=False) == [{}] * 8


random_columns = st.lists(
    st.tuples(
        st.sampled_from(["INTEGER", "TEXT", "REAL", "DATE", "DECIMAL(9,2)", ""]),
        st.sampled_from(["", "NOT NULL", "UNIQUE"]),
        st.booleans(),
    ),
    min_size=1,
    max_size=4,
)


@given(st.lists(random_columns, min_size=1, max_size=4), st.integers(0, 99))
@settings(deadline=None, max_examples=60)
def test_any_schema_is_respected(tables, seed):
    """Tables of random columns, some of which refer to the table before."""
    ddl = ""
    for number, parts in enumerate(tables):
        lines = ["id INTEGER PRIMARY KEY"]
        for place, (declared, rule, refers) in enumerate(parts):
            target = f"REFERENCES t{number - 1}(id)" if refers and number else ""
            lines.append(f"c{place} {declared} {rule} {target}")
        ddl += f"CREATE TABLE t{number} ({', '.join(lines)});"
    sql = f"SELECT c0 FROM t{len(tables) - 1} WHERE c0 > 3 ORDER BY id LIMIT 2"
    for variant in variants_of(ddl, sql, seed, count=5, run=False):
        assert load(ddl, variant).execute("PRAGMA foreign_key_check").fetchall() == []
