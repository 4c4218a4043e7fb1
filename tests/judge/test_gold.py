"""What a gold asks for (gold.py), and whether its answer is determined on a database (determined.py)."""

import apsw
import apsw.ext
import pytest
import sqlglot

from sql_rl.judge.compare import Result
from sql_rl.judge.determined import depends_on_scan, is_determined, rivals
from sql_rl.judge.gold import GoldPlan, analyse
from sql_rl.judge.schema import read_schema

DATABASE = """
CREATE TABLE t(id INTEGER PRIMARY KEY, name TEXT, grade INT, score REAL);
CREATE TABLE u(t_id INT REFERENCES t(id), tag TEXT);
INSERT INTO t VALUES (1,'ann',1,9.5),(2,'bob',1,7.0),(3,'Cid',2,7.0),(4,'dan',3,NULL),(5,'ann',3,2.0);
INSERT INTO u VALUES (1,'x'),(1,'y'),(2,'x'),(3,'z');
"""


@pytest.fixture(scope="module")
def db():
    connection = apsw.Connection(":memory:")
    connection.execute(DATABASE)
    return connection


def parse(sql):
    return sqlglot.parse_one(sql, dialect="sqlite")


def result(db, sql):
    return Result(db.execute(sql).fetchall(), len(apsw.ext.query_info(db, sql).description))


@pytest.mark.parametrize(
    ("sql", "reads", "ordered", "limited"),
    [
        ("SELECT name FROM t", True, False, False),
        ("SELECT name FROM t ORDER BY id LIMIT 1", True, True, True),
        ("SELECT name FROM (SELECT name FROM t ORDER BY id LIMIT 2)", True, False, False),
        ("SELECT name FROM t WHERE id IN (SELECT t_id FROM u ORDER BY tag)", True, False, False),
        ("SELECT name FROM t UNION SELECT tag FROM u ORDER BY 1", True, True, False),
        ("WITH c AS (SELECT name FROM t ORDER BY id) SELECT name FROM c", True, False, False),
        ("WITH c AS (SELECT name FROM t) SELECT name FROM c ORDER BY name", True, True, False),
        ("SELECT row_number() OVER (ORDER BY id) FROM t", True, False, False),
        ("VALUES (1), (2)", True, False, False),
        ("DELETE FROM t WHERE id = 1", False, False, False),
        ("UPDATE t SET grade = 1", False, False, False),
        ("INSERT INTO u SELECT id, name FROM t ORDER BY id", False, False, False),
        ("CREATE TABLE v AS SELECT name FROM t ORDER BY id", False, False, False),
    ],
)
def test_what_is_asked(db, sql, reads, ordered, limited):
    plan = analyse(parse(sql), read_schema(db))
    assert (plan.reads, plan.ordered, plan.limited) == (reads, ordered, limited)


@pytest.mark.parametrize(
    ("sql", "keys"),
    [
        ("SELECT name FROM t ORDER BY grade", [(1,), (1,), (2,), (3,), (3,)]),
        ("SELECT * FROM t ORDER BY grade DESC", [(3,), (3,), (2,), (1,), (1,)]),
        ("SELECT name, grade FROM t ORDER BY 2, name DESC LIMIT 3", [(1, "bob"), (1, "ann"), (2, "Cid")]),
        ("SELECT grade, count(*) AS n FROM t GROUP BY grade ORDER BY n", [(1,), (2,), (2,)]),
        ("SELECT grade FROM t GROUP BY grade ORDER BY count(*) DESC, grade", [(2, 1), (2, 3), (1, 2)]),
        ("SELECT name, score AS s FROM t WHERE s > 5 ORDER BY s + 1", [(8.0,), (8.0,), (10.5,)]),
        ("SELECT name FROM t ORDER BY name COLLATE NOCASE", [("ann",), ("ann",), ("bob",), ("cid",), ("dan",)]),
        ("SELECT DISTINCT name FROM t ORDER BY name", [("Cid",), ("ann",), ("bob",), ("dan",)]),
        ("SELECT name FROM t UNION SELECT tag FROM u ORDER BY name LIMIT 2", [("Cid",), ("ann",)]),
        ("WITH c AS (SELECT grade g FROM t) SELECT g + 1 FROM c ORDER BY g LIMIT 3", [(1,), (1,), (2,)]),
        ("SELECT grade AS id FROM t ORDER BY id", [(1,), (1,), (2,), (3,), (3,)]),  # the alias wins over the column
    ],
)  # fmt: skip
def test_sort_keys(db, sql, keys):
    plan = analyse(parse(sql), read_schema(db))
    gold = result(db, sql)
    assert plan.order(gold, db.execute(plan.keyed_sql).fetchall()) == keys
    assert len(keys) == len(gold.rows)
    assert result(db, plan.keyed_sql).columns == gold.columns + plan.key_count


def test_without_keys_every_row_keeps_its_place(db):
    sql = "SELECT DISTINCT name FROM t ORDER BY grade"
    plan = analyse(parse(sql), read_schema(db))
    assert plan.keyed_sql is None
    assert plan.order(result(db, sql), None) == [(0,), (1,), (2,), (3,)]


def test_keyed_rows_that_broke_a_tie_otherwise_tell_nothing():
    plan = GoldPlan(reads=True, ordered=True, keyed_sql="…", key_places=(-1,), key_count=1)
    assert plan.order(Result([("a",), ("b",)], 1), [("b", 1), ("a", 1)]) == [(0,), (1,)]


def test_no_order_no_keys(db):
    plan = analyse(parse("SELECT name FROM t"), read_schema(db))
    assert plan.order(Result([("a",)], 1), None) is None


@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        ("SELECT name FROM t ORDER BY grade LIMIT 1", True),
        (
            "SELECT grade FROM t ORDER BY grade LIMIT 1",
            True,
        ),  # both show 1, but a query for all of the lowest shows two
        ("SELECT name FROM t ORDER BY grade LIMIT 2", False),
        ("SELECT name FROM t ORDER BY grade LIMIT 4 OFFSET 2", False),
        ("SELECT name FROM t ORDER BY id LIMIT 2", False),
        ("SELECT name FROM t ORDER BY grade", False),
        ("SELECT name FROM t ORDER BY grade LIMIT 0", False),
        ("SELECT DISTINCT grade FROM t ORDER BY grade LIMIT 1", False),
        ("SELECT grade FROM t GROUP BY grade ORDER BY count(*) DESC LIMIT 1", True),
    ],
)
def test_a_tie_at_the_cut(db, sql, expected):
    plan = analyse(parse(sql), read_schema(db))
    assert plan.cuts_a_tie(result(db, sql), db.execute(plan.keyed_sql).fetchall()) is expected


@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        ("SELECT name FROM t", True),
        ("SELECT name FROM t ORDER BY grade", True),  # ties may swap, but the rows are determined
        ("SELECT grade, count(*) FROM t GROUP BY grade", True),
        ("SELECT name FROM t ORDER BY score DESC LIMIT 1", False),  # is NULL above or below all scores?
        ("SELECT name FROM t WHERE score > 0 ORDER BY score DESC LIMIT 1", True),
        ("SELECT name FROM t WHERE score > 0 ORDER BY score DESC LIMIT 2", False),  # two have 7.0
        ("SELECT score FROM t WHERE score > 0 ORDER BY score DESC LIMIT 2", True),  # and show the same
        ("SELECT name FROM t WHERE score > 0 ORDER BY score DESC LIMIT 3", True),
        ("SELECT name FROM t LIMIT 3", False),
        ("SELECT name FROM t LIMIT 5", True),
        ("SELECT * FROM t ORDER BY grade LIMIT 1", False),
        ("SELECT t.* FROM t JOIN u ON t.id = u.t_id ORDER BY u.tag LIMIT 1", False),
        ("SELECT grade FROM t GROUP BY grade ORDER BY count(*) LIMIT 1", True),
        ("SELECT grade FROM t GROUP BY grade ORDER BY count(*) DESC LIMIT 1", False),
        ("SELECT tag FROM u WHERE t_id = (SELECT id FROM t ORDER BY grade LIMIT 1)", False),
        ("SELECT tag FROM u WHERE t_id = (SELECT id FROM t WHERE grade = 1)", False),
        ("SELECT tag FROM u WHERE t_id = (SELECT id FROM t WHERE grade = 2)", True),
        ("SELECT tag FROM u WHERE t_id IN (SELECT id FROM t WHERE grade = 1)", True),
        ("SELECT name, (SELECT tag FROM u WHERE t_id = t.id) FROM t", False),
        ("SELECT name, (SELECT count(*) FROM u WHERE t_id = t.id) FROM t", True),
        ("SELECT name, count(*) FROM t GROUP BY grade", False),
        ("SELECT name, grade, count(*) FROM t GROUP BY name", False),
        ("SELECT t.name, count(*) FROM t JOIN u ON t.id = u.t_id GROUP BY t.id", True),
        ("SELECT name, count(*) FROM t", False),
        ("SELECT grade + 1 AS g, count(*) FROM t GROUP BY g", True),
        ("SELECT upper(name), count(*) FROM t GROUP BY 1", True),
        ("SELECT grade FROM t GROUP BY grade HAVING name = 'ann'", False),
        ("SELECT name, max(score) FROM t", True),  # SQLite takes the name from the row of the maximum
        ("SELECT name FROM t UNION SELECT tag FROM u ORDER BY 1 LIMIT 2", True),
    ],
)
def test_determined(db, sql, expected):
    tree = parse(sql)
    texts = rivals(tree, read_schema(db))
    assert is_determined(result(db, sql), texts, lambda text: result(db, text)) is expected
    assert tree == parse(sql)


def test_a_query_without_open_choices_costs_nothing(db):
    for sql in ("SELECT name FROM t", "SELECT grade, count(*) FROM t GROUP BY grade", "SELECT max(score) FROM t"):
        assert rivals(parse(sql), read_schema(db)) == ()
        assert not depends_on_scan(parse(sql))


@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        ("SELECT group_concat(name) FROM t", True),
        ("SELECT name, row_number() OVER (ORDER BY grade) FROM t", True),
        ("SELECT name, min(grade) FROM t", True),
        ("SELECT name FROM t LIMIT 1", True),
        ("SELECT min(grade), max(grade) FROM t", False),
    ],
)
def test_what_may_follow_the_scan(sql, expected):
    assert depends_on_scan(parse(sql)) is expected
