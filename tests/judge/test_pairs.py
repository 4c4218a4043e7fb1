"""Pairs of queries that a careful person can decide, judged through the door.

The first part are the 26 kinds of pairs on which published judges of SQL make 5 to 12 mistakes: duplicates lost, order
ignored or seen where none is asked, 0.6 and its neighbour, empty equals empty, a constant for a count, comments, broken
golds. Each pair stands on the small library below.
"""

# ruff: noqa: E501 - a pair reads best on one line
import pytest
import pytest_asyncio

from sql_rl.examples import Example
from sql_rl.judge import Judge, Verdict
from sql_rl.settings import JudgeSettings

pytestmark = pytest.mark.asyncio(loop_scope="module")

CONTEXT = """
CREATE TABLE author (id INTEGER PRIMARY KEY, name TEXT NOT NULL, country TEXT, born INT);
CREATE TABLE book (id INTEGER PRIMARY KEY, title TEXT NOT NULL, author_id INT REFERENCES author(id), price REAL,
  year INT, pages INT, note TEXT);
CREATE TABLE loan (book_id INT REFERENCES book(id), member TEXT, day DATE, PRIMARY KEY (book_id, member, day));
INSERT INTO author VALUES (1,'Ann','Chile',1950),(2,'Bob','Peru',1960),(3,'Cid','Chile',1970),(4,'Dora',NULL,1980),
  (5,'Eve','Peru',1960);
INSERT INTO book VALUES (1,'A; B',1,10.0,1990,100,''),(2,'Two  Spaces',1,12.5,1995,200,NULL),(3,'Night',2,0.1,2000,150,'x'),
  (4,'Day',2,0.2,2000,150,NULL),(5,'Dawn',3,0.3,2010,320,''),(6,'night',3,30.0,2015,90,'y');
INSERT INTO loan VALUES (1,'m1','2024-01-05'),(1,'m2','2024-02-01'),(2,'m1','2024-02-10'),(3,'m3','2024-03-01'),
  (5,'m1','2024-03-09'),(5,'m2','2023-12-31');
"""

RIGHT, WRONG = (Verdict.MATCH,), (Verdict.MISMATCH, Verdict.LUCKY, Verdict.ERROR)
LUCKY, MISMATCH, ERROR = (Verdict.LUCKY,), (Verdict.MISMATCH,), (Verdict.ERROR,)

PAIRS = [
    # The kinds on which published judges fail.
    ("spacing and case of keywords", "SELECT name FROM author", "select  name\nfrom author", RIGHT),
    ("DISTINCT added", "SELECT country FROM author", "SELECT DISTINCT country FROM author", WRONG),
    ("DISTINCT lost", "SELECT DISTINCT country FROM author", "SELECT country FROM author", WRONG),
    ("duplicates shared out otherwise", "SELECT 1 UNION ALL SELECT 1 UNION ALL SELECT 2", "SELECT 1 UNION ALL SELECT 2 UNION ALL SELECT 2", WRONG),
    ("columns swapped", "SELECT name, born FROM author", "SELECT born, name FROM author", RIGHT),
    ("ORDER BY lost", "SELECT name FROM author ORDER BY name DESC", "SELECT name FROM author", WRONG),
    ("ORDER BY the other way", "SELECT name FROM author ORDER BY name DESC", "SELECT name FROM author ORDER BY name", WRONG),
    ("ORDER BY where none is asked", "SELECT name FROM author", "SELECT name FROM author ORDER BY name DESC", RIGHT),
    ("ORDER BY only inside", "SELECT name FROM author WHERE id IN (SELECT author_id FROM book ORDER BY price LIMIT 99)", "SELECT name FROM author WHERE id IN (SELECT author_id FROM book LIMIT 99) ORDER BY born", RIGHT),
    ("floats that differ in the last bit", "SELECT 0.6", "SELECT 0.1 + 0.2 + 0.3", RIGHT),
    ("integer and float", "SELECT 5", "SELECT 5.0", RIGHT),
    ("NULL and empty text", "SELECT NULL", "SELECT ''", WRONG),
    ("empty by accident", "SELECT name FROM author WHERE born > 2000", "SELECT name FROM author WHERE born > 3000", LUCKY),
    ("empty by another column", "SELECT title FROM book WHERE pages > 900", "SELECT title FROM book WHERE price > 900", LUCKY),
    ("a constant for a count", "SELECT count(*) FROM author WHERE born < 1975", "SELECT 4", LUCKY),
    ("another filter on the same row", "SELECT name FROM author WHERE id = 1", "SELECT name FROM author WHERE name = 'Ann'", LUCKY),
    ("a column too many", "SELECT name FROM author", "SELECT name, born FROM author", MISMATCH),
    ("two columns named alike", "SELECT a.name FROM author a", "SELECT a.name, a.name FROM author a", MISMATCH),
    ("broken prediction", "SELECT name FROM author", "SELECT nme FROM author", ERROR),
    ("two statements", "SELECT name FROM author", "SELECT name FROM author; SELECT name FROM author", ERROR),
    ("prose", "SELECT name FROM author", "The authors are Ann and Bob.", ERROR),
    ("a common table expression", "SELECT name FROM author WHERE born > 1955", "WITH late AS (SELECT * FROM author WHERE born > 1955) SELECT name FROM late", RIGHT),
    ("REPLACE()", "SELECT REPLACE(title, 'A', 'Z') FROM book", "SELECT REPLACE(b.title, 'A', 'Z') FROM book AS b", RIGHT),
    ("a semicolon inside a string", "SELECT id FROM book WHERE title = 'A; B'", "SELECT b.id FROM book b WHERE b.title = 'A; B';", RIGHT),
    ("a leading comment", "SELECT name FROM author", "-- all of them\n/* every one */ SELECT name FROM author", RIGHT),
    ("two spaces inside a string", "SELECT id FROM book WHERE title = 'Two  Spaces'", "SELECT id FROM book WHERE title = 'Two Spaces'", WRONG),
    ("the same two spaces", "SELECT id FROM book WHERE title = 'Two  Spaces'", "SELECT id FROM book WHERE title LIKE 'Two  Spaces' AND title = 'Two  Spaces'", RIGHT),
    ("LIKE's letter case", "SELECT id FROM book WHERE title LIKE 'night'", "SELECT id FROM book WHERE title LIKE 'NIGHT'", RIGHT),
    ("='s letter case", "SELECT id FROM book WHERE title LIKE 'night'", "SELECT id FROM book WHERE title = 'night'", WRONG),
    # Conditions and their boundaries.
    ("> and >=", "SELECT title FROM book WHERE pages > 120", "SELECT title FROM book WHERE pages >= 120", LUCKY),
    ("a bound one off", "SELECT title FROM book WHERE year > 2004", "SELECT title FROM book WHERE year > 2005", LUCKY),
    ("an integer bound said otherwise", "SELECT title FROM book WHERE year > 2004", "SELECT title FROM book WHERE year >= 2005", RIGHT),
    ("BETWEEN and its bounds", "SELECT title FROM book WHERE pages BETWEEN 100 AND 200", "SELECT title FROM book WHERE pages >= 100 AND pages <= 200", RIGHT),
    ("BETWEEN without its ends", "SELECT title FROM book WHERE pages BETWEEN 101 AND 199", "SELECT title FROM book WHERE pages > 101 AND pages < 199", LUCKY),
    ("AND for OR", "SELECT name FROM author WHERE country = 'Chile' OR born = 1960", "SELECT name FROM author WHERE country = 'Chile' AND born = 1960", MISMATCH),
    ("IN for OR", "SELECT name FROM author WHERE country = 'Chile' OR country = 'Peru'", "SELECT name FROM author WHERE country IN ('Peru', 'Chile')", RIGHT),
    ("a condition lost", "SELECT title FROM book WHERE price < 1 AND pages = 150", "SELECT title FROM book WHERE pages = 150", LUCKY),
    ("<> leaves NULL out", "SELECT name FROM author WHERE country <> 'Chile'", "SELECT name FROM author WHERE country <> 'Chile' OR country IS NULL", MISMATCH),
    ("IS NULL and = ''", "SELECT title FROM book WHERE note IS NULL", "SELECT title FROM book WHERE note = ''", MISMATCH),
    ("NOT IN with NULLs inside", "SELECT name FROM author WHERE country NOT IN (SELECT country FROM author WHERE born > 1975)", "SELECT name FROM author a WHERE NOT EXISTS (SELECT 1 FROM author b WHERE b.born > 1975 AND b.country = a.country)", WRONG),
    ("NOT IN without NULLs", "SELECT name FROM author WHERE id NOT IN (SELECT book_id FROM loan)", "SELECT name FROM author a WHERE NOT EXISTS (SELECT 1 FROM loan l WHERE l.book_id = a.id)", RIGHT),
    ("operands swapped", "SELECT title FROM book WHERE price > 5", "SELECT title FROM book WHERE 5 < price", RIGHT),
    ("a prefix for a substring", "SELECT title FROM book WHERE title LIKE '%igh%'", "SELECT title FROM book WHERE title LIKE 'Nig%'", LUCKY),
    ("a date's day", "SELECT member FROM loan WHERE day > '2024-02-05'", "SELECT member FROM loan WHERE day > '2024-02-06'", LUCKY),
    ("a date's year", "SELECT member FROM loan WHERE strftime('%Y', day) = '2024'", "SELECT member FROM loan WHERE day >= '2024-01-01' AND day < '2025-01-01'", RIGHT),
    # Joins.
    ("join order", "SELECT a.name, b.title FROM author a JOIN book b ON a.id = b.author_id", "SELECT a.name, b.title FROM book b JOIN author a ON b.author_id = a.id", RIGHT),
    ("LEFT for INNER", "SELECT a.name, b.title FROM author a JOIN book b ON a.id = b.author_id", "SELECT a.name, b.title FROM author a LEFT JOIN book b ON a.id = b.author_id", MISMATCH),
    ("IN for a join", "SELECT name FROM author WHERE id IN (SELECT author_id FROM book)", "SELECT a.name FROM author a JOIN book b ON a.id = b.author_id", MISMATCH),
    ("IN for a join with DISTINCT", "SELECT id FROM author WHERE id IN (SELECT author_id FROM book)", "SELECT DISTINCT a.id FROM author a JOIN book b ON a.id = b.author_id", RIGHT),
    ("the wrong join column", "SELECT b.title FROM book b JOIN loan l ON b.id = l.book_id", "SELECT b.title FROM book b JOIN loan l ON b.author_id = l.book_id", MISMATCH),
    ("a join that is not needed", "SELECT b.title FROM book b JOIN author a ON a.id = b.author_id WHERE b.author_id = 2", "SELECT title FROM book WHERE author_id = 2", RIGHT),
    ("a table lost whose rows do not always match", "SELECT DISTINCT b.title FROM book b JOIN loan l ON l.book_id = b.id WHERE b.year < 1993", "SELECT DISTINCT title FROM book WHERE year < 1993", LUCKY),
    # Groups and aggregates.
    ("COUNT(*) and COUNT of the key", "SELECT count(*) FROM book", "SELECT count(id) FROM book", RIGHT),
    ("COUNT(*) and COUNT of a column with NULLs", "SELECT count(*) FROM book", "SELECT count(note) FROM book", MISMATCH),
    ("COUNT DISTINCT", "SELECT count(DISTINCT member) FROM loan", "SELECT count(member) FROM loan", MISMATCH),
    ("SUM for COUNT", "SELECT author_id, count(*) FROM book GROUP BY author_id", "SELECT author_id, sum(1) FROM book GROUP BY author_id", RIGHT),
    ("AVG by hand", "SELECT avg(pages) FROM book", "SELECT sum(pages) * 1.0 / count(pages) FROM book", RIGHT),
    ("AVG in whole numbers", "SELECT avg(pages) FROM book", "SELECT sum(pages) / count(pages) FROM book", WRONG),
    ("MAX for an ordered LIMIT", "SELECT max(born) FROM author", "SELECT born FROM author ORDER BY born DESC LIMIT 1", RIGHT),
    ("MIN for MAX", "SELECT max(born) FROM author WHERE country = 'Peru'", "SELECT min(born) FROM author WHERE country = 'Peru'", LUCKY),
    ("HAVING one off", "SELECT author_id FROM book GROUP BY author_id HAVING count(*) > 3", "SELECT author_id FROM book GROUP BY author_id HAVING count(*) > 4", LUCKY),
    ("HAVING said otherwise", "SELECT author_id FROM book GROUP BY author_id HAVING count(*) > 1", "SELECT author_id FROM book GROUP BY author_id HAVING count(*) >= 2", RIGHT),
    ("GROUP BY for DISTINCT", "SELECT DISTINCT country FROM author", "SELECT country FROM author GROUP BY country", RIGHT),
    ("grouped by another column", "SELECT count(*) FROM book GROUP BY year", "SELECT count(*) FROM book GROUP BY pages", WRONG),
    ("above the average", "SELECT title FROM book WHERE pages > (SELECT avg(pages) FROM book)", "SELECT title FROM book WHERE pages >= (SELECT avg(pages) FROM book)", LUCKY),
    # Order and LIMIT.
    ("ties may swap", "SELECT title FROM book ORDER BY pages", "SELECT title FROM book ORDER BY pages, title", RIGHT),
    ("rows that do not tie may not", "SELECT title FROM book ORDER BY pages, title", "SELECT title FROM book ORDER BY pages", WRONG),
    ("ordered by what is not shown", "SELECT name FROM author ORDER BY born DESC", "SELECT name FROM author ORDER BY -born", RIGHT),
    ("a LIMIT one off", "SELECT title FROM book ORDER BY price LIMIT 2", "SELECT title FROM book ORDER BY price LIMIT 3", MISMATCH),
    ("LIMIT 1 for the extreme", "SELECT title FROM book WHERE price = (SELECT max(price) FROM book)", "SELECT title FROM book ORDER BY price DESC LIMIT 1", LUCKY),
    ("ordered as text", "SELECT pages FROM book ORDER BY pages", "SELECT pages FROM book ORDER BY CAST(pages AS TEXT)", MISMATCH),
    # Set operations.
    ("UNION for OR", "SELECT id FROM author WHERE born = 1950 OR born = 1960", "SELECT id FROM author WHERE born = 1950 UNION SELECT id FROM author WHERE born = 1960", RIGHT),
    ("UNION ALL for UNION", "SELECT country FROM author WHERE born < 1965 UNION SELECT country FROM author WHERE born > 1965", "SELECT country FROM author WHERE born < 1965 UNION ALL SELECT country FROM author WHERE born > 1965", MISMATCH),
    ("EXCEPT the other way round", "SELECT id FROM author EXCEPT SELECT author_id FROM book", "SELECT author_id FROM book EXCEPT SELECT id FROM author", MISMATCH),
    ("INTERSECT for AND on groups", "SELECT country FROM author WHERE born < 1955 INTERSECT SELECT country FROM author WHERE born > 1965", "SELECT country FROM author WHERE born < 1955 AND born > 1965", MISMATCH),
    ("NOT IN for EXCEPT", "SELECT id FROM author EXCEPT SELECT book_id FROM loan", "SELECT id FROM author WHERE id NOT IN (SELECT book_id FROM loan)", RIGHT),
    # Values.
    ("text and number", "SELECT 1", "SELECT '1'", MISMATCH),
    ("TRUE and 1", "SELECT 1 = 1", "SELECT TRUE", RIGHT),
    ("big integers beyond floats", "SELECT 9007199254740993", "SELECT 9007199254740992", MISMATCH),
    ("a rounded average", "SELECT avg(price) FROM book", "SELECT round(avg(price), 1) FROM book", MISMATCH),
    ("a percentage as a fraction", "SELECT 100.0 * count(note) / count(*) FROM book", "SELECT 1.0 * count(note) / count(*) FROM book", MISMATCH),
    # A key is never NULL, so that an outer join without a partner, NOT EXISTS and NOT IN agree.
    ("NOT EXISTS for an outer join without a partner", "SELECT a.name FROM author a LEFT JOIN book b ON b.author_id = a.id WHERE b.id IS NULL", "SELECT name FROM author WHERE NOT EXISTS (SELECT 1 FROM book WHERE author_id = author.id)", RIGHT),
    ("an outer join without a partner for NOT EXISTS", "SELECT name FROM author a WHERE NOT EXISTS (SELECT 1 FROM loan l WHERE l.book_id = a.id)", "SELECT a.name FROM author a LEFT JOIN loan l ON l.book_id = a.id WHERE l.book_id IS NULL", RIGHT),
    ("the key counted for the rows", "SELECT count(*) FROM book", "SELECT count(id) FROM book", RIGHT),
    # Changes of data, told apart by the state after them.
    ("a DELETE put otherwise", "DELETE FROM book WHERE price < 7", "DELETE FROM book WHERE NOT price >= 7", RIGHT),
    ("a DELETE at the boundary", "DELETE FROM book WHERE price < 7", "DELETE FROM book WHERE price <= 7", LUCKY),
    ("a DELETE beside the boundary", "DELETE FROM book WHERE pages > 205", "DELETE FROM book WHERE pages > 206", LUCKY),
    ("an UPDATE of the same rows by accident", "UPDATE author SET born = 1951 WHERE id = 1", "UPDATE author SET born = 1951 WHERE name = 'Ann'", LUCKY),
    ("an UPDATE with OR for AND", "UPDATE author SET country = 'Cuba' WHERE name = 'Zoe' AND country = 'Peru'", "UPDATE author SET country = 'Cuba' WHERE name = 'Zoe' AND country = 'Chile'", LUCKY),
    ("an UPDATE to another value", "UPDATE book SET price = price + 1 WHERE year = 1990", "UPDATE book SET price = price + 2 WHERE year = 1990", MISMATCH),
    ("a query for a change", "DELETE FROM book WHERE price < 7", "SELECT * FROM book WHERE price < 7", WRONG),
]  # fmt: skip


def example(gold: str) -> Example:
    return Example(row=0, id="0", question="?", context=CONTEXT, gold=gold)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def judge():
    async with Judge(JudgeSettings(workers=1)) as judge:
        yield judge


@pytest.mark.parametrize(("gold", "sql", "verdicts"), [pair[1:] for pair in PAIRS], ids=[pair[0] for pair in PAIRS])
async def test_pair(judge, gold, sql, verdicts):
    judgement = await judge.judge(example(gold), sql)
    assert judgement.verdict in verdicts, judgement


async def test_a_broken_gold_is_no_verdict_on_the_prediction(judge):
    for sql in ("SELECT nme FROM author", "SELECT name FROM author"):
        assert (await judge.judge(example("SELECT nme FROM author"), sql)).verdict is Verdict.GOLD_BROKEN


async def test_columns_as_given_if_the_settings_say_so():
    async with Judge(JudgeSettings(workers=1, column_order="given")) as strict:
        judgement = await strict.judge(example("SELECT name, born FROM author"), "SELECT born, name FROM author")
    assert judgement.verdict is Verdict.MISMATCH
