"""Hostile statements through real workers: each ends with its verdict, in time, and leaves nothing behind."""

import asyncio
import gc
import os
import sys
import time
from pathlib import Path

import apsw
import pytest
import pytest_asyncio

from sql_rl.examples import Example
from sql_rl.judge import Judge, Verdict
from sql_rl.settings import JudgeSettings

SECONDS = 2.0
SETTINGS = JudgeSettings(workers=2, seconds=SECONDS, steps=5_000_000, memory_mb=64, variants=2)
CONTEXT = "CREATE TABLE t (a INTEGER PRIMARY KEY, b TEXT); INSERT INTO t VALUES (1, 'x'), (2, 'y'), (3, NULL);"
READS = Example(row=0, id="0", question="?", context=CONTEXT, gold="SELECT a FROM t WHERE b = 'x'")
CHANGES = Example(row=1, id="1", question="?", context=CONTEXT, gold="DELETE FROM t WHERE b = 'x'")

N = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n{})"
STOPPED = {Verdict.TIMEOUT, Verdict.TOO_BIG}
NESTED = 2_000
A_STRING = "substr(hex(zeroblob(400000)), 1, {})"

# What is asked, and the verdicts that are right for it.
HOSTILE: list[tuple[str, set[Verdict]]] = [
    # endless or enormous work
    (N.format("") + " SELECT count(*) FROM n", {Verdict.TIMEOUT}),
    (N.format("") + " SELECT max(i) FROM n", {Verdict.TIMEOUT}),
    (N.format("") + " SELECT i FROM n ORDER BY i DESC", STOPPED),
    (N.format("") + " SELECT group_concat(i) FROM n", STOPPED),
    (N.format("") + " SELECT json_group_array(i) FROM n", STOPPED),
    (N.format("") + " SELECT i, sum(i) OVER (ORDER BY i) FROM n", STOPPED),
    (N.format("") + " SELECT DISTINCT i % 1 FROM n LIMIT 2", {Verdict.TIMEOUT}),
    (N.format("") + ", m AS (SELECT i FROM n UNION SELECT i FROM n) SELECT count(*) FROM m", STOPPED),
    ("WITH RECURSIVE s(x) AS (SELECT 'a' UNION ALL SELECT x || x FROM s) SELECT max(x) FROM s", STOPPED),
    ("SELECT count(*) FROM " + ", ".join(f"t AS t{n}" for n in range(20)), {Verdict.TIMEOUT}),
    ("SELECT * FROM " + ", ".join(f"t AS t{n}" for n in range(20)) + " ORDER BY random()", STOPPED),
    ("SELECT a FROM t WHERE (SELECT count(*) FROM " + ", ".join(f"t AS t{n}" for n in range(18)) + ") > 0",
     {Verdict.TIMEOUT}),
    ("SELECT median(i) FROM (" + N.format(" WHERE i < 100000000") + " SELECT i FROM n)", STOPPED),
    ("SELECT stddev(i) FROM (" + N.format(" WHERE i < 100000000") + " SELECT i FROM n)", STOPPED),
    # one long opcode
    ("SELECT length(replace(hex(zeroblob(30000000)), '00', 'abcdefghijklmnop'))", {Verdict.TOO_BIG}),
    (f"SELECT instr({A_STRING.format(400000)}, {A_STRING.format(200000)} || 'b')", {Verdict.MISMATCH, *STOPPED}),
    (f"SELECT replace({A_STRING.format(400000)}, '0', {A_STRING.format(400000)})", {Verdict.TOO_BIG}),
    (f"SELECT {A_STRING.format(800000)} LIKE '%0%0%0%0%0%0%0%0%0%0%1'", {Verdict.MISMATCH, *STOPPED}),
    (f"SELECT {A_STRING.format(800000)} GLOB '*0*0*0*0*0*0*0*0*1'", {Verdict.MISMATCH, *STOPPED}),
    (f"SELECT 'x' LIKE {A_STRING.format(100000)}", {Verdict.ERROR}),
    # enormous values
    ("SELECT zeroblob(1000000000)", {Verdict.TOO_BIG}),
    ("SELECT randomblob(1000000000)", {Verdict.TOO_BIG}),
    ("SELECT printf('%.*c', 1000000000, 'x')", {Verdict.TOO_BIG}),
    ("SELECT format('%1000000000d', 1)", {Verdict.TOO_BIG}),
    ("SELECT hex(zeroblob(600000))", {Verdict.TOO_BIG}),
    ("SELECT repeat('x', 2000000000)", {Verdict.TOO_BIG}),
    ("SELECT lpad('x', 2000000000, 'y')", {Verdict.MISMATCH, Verdict.TOO_BIG}),
    ("SELECT space(2000000000)", {Verdict.TOO_BIG}),
    ("SELECT group_concat(zeroblob(500000)) FROM t, t AS u", {Verdict.TOO_BIG}),
    ("SELECT " + ", ".join(["zeroblob(900000)"] * 900), {Verdict.TOO_BIG}),
    (N.format(" WHERE i < 1000") + " SELECT i, zeroblob(900000) FROM n ORDER BY 2, 1", STOPPED),
    # patterns that explode in Python's own engine
    ("SELECT 'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa!' REGEXP '^(a+)+$'", {Verdict.MISMATCH}),
    ("SELECT 'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa!' REGEXP '^(a|aa)+$'", {Verdict.TIMEOUT}),
    ("SELECT regexp_replace('aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa!', '(a|a)*$', '')", {Verdict.TIMEOUT}),
    ("SELECT regexp_like('x', '(')", {Verdict.MISMATCH}),
    # depth and width
    ("SELECT " + "(" * NESTED + "1" + ")" * NESTED, {Verdict.LUCKY}),  # no more than SELECT 1
    ("SELECT " + "NOT " * 20_000 + "1", {Verdict.ERROR}),
    ("SELECT " + "-" * 3 + "1", {Verdict.ERROR, Verdict.NO_SQL}),
    ("SELECT " + "- " * 20_000 + "1", {Verdict.ERROR}),
    ("SELECT 1" + " + 1" * 20_000, {Verdict.ERROR}),
    ("SELECT " + "CASE WHEN 1 THEN " * NESTED + "1" + " END" * NESTED, {Verdict.ERROR}),
    ("SELECT " * NESTED + "1", {Verdict.ERROR}),
    ("SELECT * FROM (" * 2_000 + "SELECT 1" + ")" * 2_000, {Verdict.ERROR}),
    (" UNION ALL ".join(["SELECT 1"] * 5_000), {Verdict.ERROR}),
    ("SELECT " + ", ".join(["1"] * 5_000), {Verdict.ERROR}),
    ("SELECT max(" + ", ".join(["1"] * 5_000) + ")", {Verdict.ERROR}),
    ("SELECT a FROM t WHERE a IN (" + ", ".join(["1"] * 30_000) + ")", {Verdict.MATCH, Verdict.ERROR, Verdict.LUCKY}),
    # out of the database
    ("ATTACH DATABASE '/tmp/judge-escape.db' AS e", {Verdict.UNSAFE}),
    ("VACUUM", {Verdict.UNSAFE}),
    ("VACUUM INTO '/tmp/judge-escape.db'", {Verdict.UNSAFE}),
    ("DETACH DATABASE main", {Verdict.UNSAFE}),
    ("SELECT load_extension('/tmp/judge-escape.so')", {Verdict.UNSAFE}),
    ("SELECT readfile('/etc/passwd')", {Verdict.ERROR, Verdict.UNSAFE}),
    ("SELECT writefile('/tmp/judge-escape.db', 'x')", {Verdict.ERROR, Verdict.UNSAFE}),
    ("SELECT fts3_tokenizer('x', x'00')", {Verdict.ERROR, Verdict.UNSAFE}),
    (".shell touch /tmp/judge-escape.db", {Verdict.ERROR}),
    ("COPY t TO '/tmp/judge-escape.db'", {Verdict.ERROR}),
    # settings and insides
    ("PRAGMA writable_schema = 1", {Verdict.UNSAFE}),
    ("PRAGMA database_list", {Verdict.UNSAFE}),
    ("SELECT * FROM pragma_database_list", {Verdict.UNSAFE}),
    ("SELECT * FROM pragma_table_info('t')", {Verdict.UNSAFE}),
    ("SELECT * FROM dbstat", {Verdict.UNSAFE}),
    ("SELECT sql FROM sqlite_master", {Verdict.MISMATCH}),
    ("EXPLAIN SELECT a FROM t", {Verdict.MISMATCH}),
    ("ANALYZE", {Verdict.UNSAFE}),
    # writes where the gold reads
    ("INSERT INTO t VALUES (9, 'z')", {Verdict.UNSAFE}),
    ("UPDATE t SET b = 'x' RETURNING a", {Verdict.UNSAFE}),
    ("DELETE FROM t", {Verdict.UNSAFE}),
    ("REPLACE INTO t VALUES (1, 'z')", {Verdict.UNSAFE}),
    ("WITH d AS (SELECT 1) DELETE FROM t", {Verdict.UNSAFE}),
    ("DROP TABLE t", {Verdict.UNSAFE}),
    ("ALTER TABLE t RENAME TO u", {Verdict.UNSAFE}),
    ("CREATE TABLE u AS SELECT * FROM t", {Verdict.UNSAFE}),
    ("CREATE TEMP TABLE u (a)", {Verdict.UNSAFE}),
    ("CREATE TEMP VIEW u AS SELECT 1", {Verdict.UNSAFE}),
    ("CREATE TRIGGER g AFTER INSERT ON t BEGIN DELETE FROM t; END", {Verdict.UNSAFE}),
    ("CREATE VIRTUAL TABLE v USING fts5(x)", {Verdict.UNSAFE}),
    ("CREATE VIRTUAL TABLE v USING rtree(a, b, c)", {Verdict.UNSAFE}),
    ("BEGIN", {Verdict.UNSAFE}),
    ("COMMIT", {Verdict.UNSAFE}),
    ("ROLLBACK", {Verdict.UNSAFE}),
    ("SAVEPOINT s", {Verdict.UNSAFE}),
    ("INSERT INTO sqlite_master VALUES ('table', 'x', 'x', 0, 'x')", {Verdict.UNSAFE}),
    # more or less than one statement
    ("SELECT a FROM t WHERE b = 'x'; DELETE FROM t", {Verdict.ERROR}),
    ("SELECT 1; SELECT 2", {Verdict.ERROR}),
    (";;;", {Verdict.NO_SQL}),
    ("-- nothing", {Verdict.NO_SQL}),
    ("/* nothing", {Verdict.NO_SQL}),
    (" \n\t ", {Verdict.NO_SQL}),
    # broken text
    ("SELECT a FROM t\x00; DROP TABLE t", {Verdict.ERROR}),
    ("\x00", {Verdict.ERROR}),
    ("SELECT '\ud800'", {Verdict.ERROR}),
    ("SELECT CAST(x'ff' AS TEXT)", {Verdict.MISMATCH}),
    ("SELECT reverse(CAST(x'ff' AS TEXT))", {Verdict.ERROR}),
    ("SELECT 'unclosed", {Verdict.ERROR}),
    ("SELECT ?, :a, @b, $c", {Verdict.ERROR}),
    ("I am sorry, but I cannot write this query.", {Verdict.ERROR}),
    ("x" * 5_000_000, {Verdict.TOO_BIG}),
    ("SELECT '" + "x" * 90_000 + "'", {Verdict.MISMATCH}),
    ("(" * 90_000, {Verdict.ERROR}),
    ("'" * 90_001, {Verdict.ERROR}),
    ("/*" * 45_000, {Verdict.ERROR}),
]  # fmt: skip

# With a gold that changes data, changes of `main` are allowed, and nothing else.
HOSTILE_CHANGES: list[tuple[str, set[Verdict]]] = [
    ("DROP TABLE t", {Verdict.MISMATCH}),
    ("DELETE FROM t", {Verdict.MISMATCH}),
    ("CREATE TABLE u (a)", {Verdict.MISMATCH}),
    ("ATTACH DATABASE '/tmp/judge-escape.db' AS e", {Verdict.UNSAFE}),
    ("VACUUM INTO '/tmp/judge-escape.db'", {Verdict.UNSAFE}),
    ("PRAGMA writable_schema = 1", {Verdict.UNSAFE}),
    ("CREATE TEMP TABLE u (a)", {Verdict.UNSAFE}),
    ("CREATE VIRTUAL TABLE v USING fts5(x)", {Verdict.UNSAFE}),
    ("BEGIN", {Verdict.UNSAFE}),
    ("DELETE FROM sqlite_master", {Verdict.ERROR, Verdict.UNSAFE}),
    (N.format("") + " INSERT INTO t SELECT i + 10, 'x' FROM n", STOPPED),
    ("UPDATE t SET b = zeroblob(900000); UPDATE t SET b = 1", {Verdict.ERROR}),
    ("CREATE VIEW v AS " + N.format("") + " SELECT count(*) FROM n", STOPPED),
]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def judge():
    async with Judge(SETTINGS) as judge:
        yield judge


TABLE = [
    pytest.param(example, sql, verdicts, id=f"{example.gold[:6]}-{number}-{sql[:30]!r}")
    for example, table in ((READS, HOSTILE), (CHANGES, HOSTILE_CHANGES))
    for number, (sql, verdicts) in enumerate(table)
]


def escaped() -> bool:
    """Has a statement written a file?"""
    return Path("/tmp/judge-escape.db").exists()


def peak_resident_mb() -> dict[int, float]:
    """Peak resident memory of this process's children in MB, by process number, from /proc (Linux)."""
    peaks = {}
    for status in Path("/proc").glob("[0-9]*/status"):
        try:
            lines = dict(line.split(":", 1) for line in status.read_text().splitlines() if ":" in line)
        except (FileNotFoundError, ProcessLookupError):
            continue
        if int(lines["PPid"]) == os.getpid() and "VmHWM" in lines:
            peaks[int(lines["Pid"])] = int(lines["VmHWM"].split()[0]) / 1024
    return peaks


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize(("example", "sql", "verdicts"), TABLE)
async def test_a_hostile_statement_ends_with_its_verdict_in_time(judge, example, sql, verdicts):
    await judge.judge(example, example.gold)  # so that what is timed is the query, not the set-up
    started = time.monotonic()
    judgement = await judge.judge(example, sql)
    assert judgement.verdict in verdicts, judgement
    assert time.monotonic() - started < SECONDS + 5.0, "and a machine may have other work"
    assert judgement.reason or judgement.verdict in (Verdict.MATCH, Verdict.LUCKY)
    assert not escaped()
    assert max(peak_resident_mb().values(), default=0) <= 512
    assert (await judge.judge(example, example.gold)).verdict is Verdict.MATCH  # no row changed, the pool answers


@pytest.mark.parametrize(
    ("context", "reason"),
    [
        (N.format("") + " SELECT count(*) FROM n;", "steps"),
        ("CREATE TABLE t (a); ATTACH '/tmp/judge-escape.db' AS e; CREATE TABLE e.u (a);", "no such column"),
        ("CREATE TABLE t (a, b); INSERT INTO t SELECT zeroblob(900000), i FROM (WITH RECURSIVE n(i) AS "
         "(SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT i FROM n);", ""),
        ("CREATE VIEW t AS " + N.format("") + " SELECT i AS a, 'x' AS b FROM n WHERE i < 0;", "steps"),
    ],
)  # fmt: skip
async def test_a_hostile_context_is_a_broken_gold_or_does_no_harm(judge_alone, context, reason):
    example = Example(row=0, id="0", question="?", context=context, gold="SELECT a FROM t WHERE b = 'x'")
    judgement = await judge_alone.judge(example, "SELECT a FROM t")
    assert judgement.verdict in (Verdict.GOLD_BROKEN, Verdict.MISMATCH, Verdict.MATCH, Verdict.LUCKY)
    assert reason in judgement.reason
    assert not escaped()


@pytest.fixture
async def judge_alone():
    async with Judge(SETTINGS) as judge:
        yield judge


async def test_a_database_file_is_neither_changed_nor_joined_by_another(tmp_path, judge_alone):
    path = tmp_path / "d.sqlite"
    apsw.Connection(str(path)).execute(CONTEXT)
    before = (path.read_bytes(), path.stat().st_mtime_ns)
    example = Example(row=0, id="0", question="?", context="", gold="SELECT a FROM t", database=path)
    for sql in ("SELECT a FROM t", "DELETE FROM t", "PRAGMA journal_mode = WAL", "VACUUM", "CREATE TABLE u (a)"):
        await judge_alone.judge(example, sql)
    assert (path.read_bytes(), path.stat().st_mtime_ns) == before
    assert [file.name for file in tmp_path.iterdir()] == ["d.sqlite"]


@pytest.mark.skipif(sys.platform != "linux", reason="counts file handles in /proc")
async def test_many_judgements_with_hostile_ones_among_them_leave_nothing_behind():
    def handles() -> int:
        gc.collect()  # what other tests left open
        return len(list(Path("/proc/self/fd").iterdir()))

    asked = [
        "SELECT a FROM t WHERE b = 'x'",
        "SELECT a FROM t",
        "SELECT a FROM t WHERE b IN ('x')",
        "SELECT c FROM t",
    ] * 5
    asked[7] = HOSTILE[0][0]
    before, children = handles(), peak_resident_mb().keys()
    async with Judge(JudgeSettings(workers=2, steps=1_000_000, variants=2)) as judge:
        tasks = [judge.judge(READS, sql) for _ in range(100) for sql in asked]
        verdicts = [judgement.verdict for judgement in await asyncio.gather(*tasks)]
        assert max(peak_resident_mb().values(), default=0) <= 512
    assert verdicts == verdicts[: len(asked)] * 100
    assert handles() == before
    assert peak_resident_mb().keys() <= children
