"""What the offline teacher reads: the words of a question, and a schema of any dialect."""

import pytest

from sql_rl.teachers.narrative.question import Cue, Question
from sql_rl.teachers.narrative.schema import ForeignKey, read_schema


@pytest.mark.parametrize(
    ("question", "identifier", "words"),
    [
        ("List the born states of all heads.", "born_state", "born states"),
        ("How many cities are there?", "City", "cities"),
        ("What is the support rate?", "SupportRate", "support rate"),
        ("What is the date of birth of Ann?", "Date_of_Birth", "date of birth"),
        ("What is the date of birth of Ann?", "amount", ""),
        ("Update initiative 'Initiative 1'", "initiative_name", "initiative"),
    ],
)
def test_words_that_mean_an_identifier(question, identifier, words):
    assert Question(question).mention(identifier) == words


@pytest.mark.parametrize(
    ("question", "literal", "words"),
    [
        ("How many heads are older than 56?", "56", "older than 56"),
        ("Which have at least 3 heads?", "3", "at least 3"),
        ("Which have more than two heads?", "2", "more than two"),
        ("Who lives in oslo?", "Oslo", "oslo"),
        ("Who lives in Oslo?", "Oslo", "Oslo"),
        ("Who lives in Osloway?", "Oslo", ""),
        ("Names that contain 'ee'?", "%ee%", "ee"),
    ],
)
def test_words_that_mean_a_value(question, literal, words):
    assert Question(question).value(literal) == words


@pytest.mark.parametrize(
    ("question", "cue", "words"),
    [
        ("How many are there?", Cue.COUNT, "How many"),
        ("What is the largest interest?", Cue.EXTREME, "the largest"),
        ("How much interest is there?", Cue.EXTREME, ""),
        ("Which were never sold?", Cue.NEGATION, "never"),
        ("Sales for each region", Cue.GROUP, "for each"),
        ("List the first names.", Cue.ORDER, ""),
        ("List the names, the longest first.", Cue.ORDER, "the longest first"),
        ("List the names in alphabetical order.", Cue.ORDER, "in alphabetical order"),
    ],
)
def test_words_that_call_for_a_clause(question, cue, words):
    assert Question(question).cue(cue) == words


@pytest.mark.parametrize(
    ("question", "kind", "text"),
    [
        ("What are the names of all reps?", "noun", "the names of all reps"),
        ("List the names.", "task", "list the names"),
        ("Please list the names.", "task", "list the names"),
        ("How many reps are there in Oslo?", "clause", "how many reps there are in Oslo"),
        ("Which reps live in Oslo?", "clause", "which reps live in Oslo"),
        ("Which reps does Ann know?", "whole", "Which reps does Ann know?"),
        ("Who lives there?", "clause", "who lives there"),
        ("When was Oslo founded?", "whole", "When was Oslo founded?"),
    ],
)
def test_a_question_becomes_part_of_a_sentence(question, kind, text):
    assert [(goal.kind, goal.text) for goal in Question(question).goals()] == [(kind, text)]


def test_every_sentence_of_a_question_is_told():
    goals = Question("Which reps know Dr. Ek or J. Doe? List their names. Sort them, please.").goals()
    assert [goal.text for goal in goals] == [
        "which reps know Dr. Ek or J. Doe",
        "list their names",
        "sort them, please",
    ]


def test_schema_of_several_dialects():
    schema = read_schema(
        'CREATE TABLE "a b" ("x y" int, z DECIMAL(8, 2) DEFAULT 1.5, -- a comment, (with a comma\n'
        " note TEXT CHECK (note <> ','), PRIMARY KEY (\"x y\"));"
        "CREATE TABLE IF NOT EXISTS shop.`kid` (id SERIAL PRIMARY KEY, `up` INT, KEY k (id),"
        ' FOREIGN KEY (`up`) REFERENCES `a b`("x y"));'
        "CREATE TEMPORARY TABLE [big one] ([a] int REFERENCES kid, b nvarchar(max));"
    )
    assert {name: list(table.columns.values()) for name, table in schema.tables.items()} == {
        "a b": [("x y", "int"), ("z", "decimal"), ("note", "text")],
        "kid": [("id", "serial"), ("up", "int")],
        "big one": [("a", "int"), ("b", "nvarchar")],
    }
    assert schema.tables["a b"].primary_key == ("x y",)
    assert schema.tables["kid"].primary_key == ("id",)
    assert schema.tables["kid"].foreign_keys == (ForeignKey(("up",), "a b", ("x y",)),)
    assert schema.reference("big one", "a", "kid", "id")
    assert not schema.reference("kid", "id", "big one", "a")
