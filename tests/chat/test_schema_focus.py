"""Which tables a question is about."""

import pytest

from sql_rl.chat.databases.base import Table
from sql_rl.chat.schema_focus import focus, words


def table(name: str, *columns: str, references: tuple[str, ...] = ()) -> Table:
    return Table(name, f"CREATE TABLE {name} ({', '.join(columns)});", columns, references)


CAMPUS = [
    table("students", "id", "full_name", "birth_date"),
    table("courses", "id", "title", "credits"),
    table("enrolments", "student_id", "course_id", references=("students", "courses")),
    table("Buildings", "id", "address", "built_year"),
    table("employees", "id", "salary", "building_id", references=("Buildings",)),
    table("audit_log", "id", "entry"),
]
SIZE = sum(len(t.definition) + 2 for t in CAMPUS)


def test_all_tables_where_they_fit():
    chosen = focus("anything", CAMPUS, SIZE)
    assert (chosen.tables, chosen.left_out) == (tuple(CAMPUS), 0)
    assert chosen.context.count("CREATE TABLE") == len(CAMPUS)


@pytest.mark.parametrize(
    ("question", "room", "names"),
    [
        ("Which building is oldest?", 80, ["Buildings"]),
        ("What is the average salary?", 80, ["employees"]),
        ("Which courses does each student take?", SIZE - 1, ["students", "courses", "enrolments"]),
        ("How many credits has the course Algebra?", 60, ["courses"]),
        ("Who was born first? (birth date)", 70, ["students"]),
    ],
)
def test_the_tables_that_the_question_is_about(question: str, room: int, names: list[str]):
    chosen = focus(question, CAMPUS, room)
    assert [t.name for t in chosen.tables] == names
    assert chosen.left_out == len(CAMPUS) - len(names)
    assert len(chosen.context) <= room


def test_a_question_about_nothing_gets_the_first_that_fit_and_no_room_none():
    assert [t.name for t in focus("Why?", CAMPUS, 110).tables] == ["students", "courses"]
    assert focus("Why?", CAMPUS, 10).tables == ()


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("customerOrders", {"customer", "order"}),
        ("HTTPStatus_codes2", {"http", "status", "code", "2"}),
        ("Cities and boxes, classes", {"city", "and", "box", "class"}),
        ("Straße der Ärzte", {"strasse", "der", "ärzte"}),
    ],
)
def test_words(text: str, found: set[str]):
    assert words(text) == found
