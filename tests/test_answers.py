"""The parser of completions: forms by table, then every real completion whose query is known."""

import json
import time

import pytest

from sql_rl.answers import Answer, parse
from sql_rl.prompts import completion

CASES = {
    "tags": ("<think>a</think>\n<sql>SELECT 1</sql>", "a", "SELECT 1"),
    "trailing semicolon": ("<think>a</think><sql>SELECT 1;\n</sql>", "a", "SELECT 1"),
    "semicolon inside a string": ("<think>a</think><sql>SELECT ';'</sql>", "a", "SELECT ';'"),
    "missing opening think": ("because\n</think>\n<sql>SELECT 1</sql>", "because", "SELECT 1"),
    "several think blocks": ("<think>a</think><think>b</think><sql>SELECT 1</sql>", "a\n\nb", "SELECT 1"),
    "repeated think block": ("<think>a</think><think>a</think><sql>SELECT 1</sql>", "a", "SELECT 1"),
    "unclosed think, then sql": ("<think>a <sql>SELECT 1</sql>", "a", "SELECT 1"),
    "cut off while thinking": ("<think>first I would SELECT", "first I would SELECT", None),
    "cut off in the query": ("<think>a</think><sql>SELECT name FROM", "a", "SELECT name FROM"),
    "cut off at the tag": ("<think>a</think><sql>", "a", None),
    "fence": ("<think>a</think>\n```sql\nSELECT 1;\n```", "a", "SELECT 1"),
    "last fence is the answer": ("Try\n```sql\nSELECT 1\n```\nBetter:\n```sql\nSELECT 2\n```", None, "SELECT 2"),
    "fence in capitals": ("```SQL\nSELECT 1\n```", "", "SELECT 1"),
    "fence of a dialect": ("```postgresql\nSELECT 1::int\n```", "", "SELECT 1::int"),
    "fence without a language": ("```\nSELECT 1\n```", "", "SELECT 1"),
    "fence of another language": ("```python\nprint(1)\n```", None, None),
    "unclosed fence": ("```sql\nSELECT 1", "", "SELECT 1"),
    "fence inside the tag": ("<think>a</think><sql>```sql\nSELECT 1\n```</sql>", "a", "SELECT 1"),
    "tag beats fence": ("```sql\nSELECT 2\n```\n<sql>SELECT 1</sql>", None, "SELECT 1"),
    "answer tag": ("<think>a</think><answer>SELECT 1</answer>", "a", "SELECT 1"),
    "answer tag with a fence": ("<think>a</think><answer>\n```sql\nSELECT 1\n```\n</answer>", "a", "SELECT 1"),
    "query in thought is no answer": (
        "<think>```sql\nSELECT 1\n```</think>I cannot say.",
        "```sql\nSELECT 1\n```",
        None,
    ),
    "bare query": ("SELECT 1", "", "SELECT 1"),
    "bare query after prose": ("The query is:\nSELECT 1;", "The query is:", "SELECT 1"),
    "prose after the query": ("SELECT 1;\nThis counts.", "", "SELECT 1"),
    "prose after an empty line": ("SELECT 1\n\nThis query counts.", "", "SELECT 1"),
    "next shot of the prompt": ("SELECT 1\n\nQuestion: And then?\nSELECT 2", "", "SELECT 1"),
    "lower case": ("select 1", "", "select 1"),
    "common table expression": ("WITH a AS (SELECT 1)\nSELECT * FROM a", "", "WITH a AS (SELECT 1)\nSELECT * FROM a"),
    "data change": ("<sql>DELETE FROM t</sql>", "", "DELETE FROM t"),
    "tag opened twice": ("<think>a</think><sql><sql>SELECT 1</sql></sql>", "a", "SELECT 1"),
    "tag opened again instead of closed": ("<think>a</think><sql>SELECT 1<sql>", "a", "SELECT 1"),
    "tag with an attribute": ("<think>a</think><sql lang='sqlite'>SELECT 1</sql >", "a", "SELECT 1"),
    "cut off while thinking of the tag": ("<think>It goes in <sql> tags. First", "It goes in <sql> tags. First", None),
    "draft and answer in an unclosed think": (
        "<think>try <sql>SELECT 2</sql> or <sql>SELECT 1</sql>",
        None,
        "SELECT 1",
    ),
    "fence on one line": ("```SELECT 1```", None, "SELECT 1"),
    "fence of SQL on one line": ("```sql SELECT 1```", "", "SELECT 1"),
    "empty think block": ("<think>\n\n</think>\n\n```sql\nSELECT 1\n```", "", "SELECT 1"),
    "escaped for HTML": (
        "<think>a</think><sql>SELECT a FROM t WHERE a &lt; 3</sql>",
        "a",
        "SELECT a FROM t WHERE a < 3",
    ),
    "end token after the tag": ("<think>a</think><sql>SELECT 1</sql><|im_end|>", "a", "SELECT 1"),
    "end token in an open tag": ("<think>a</think><sql>SELECT 1<|eot_id|>", "a", "SELECT 1"),
    "end token after a bare query": ("SELECT 1<\uff5cend▁of▁sentence\uff5c>", "", "SELECT 1"),
    "end token after a fence": ("```sql\nSELECT 1\n```</s>\n", "", "SELECT 1"),
    "JSON": ('{"reasoning": "a", "sql": "SELECT \\"a\\"\\nFROM t"}', None, 'SELECT "a"\nFROM t'),
    "JSON in a fence": ('```json\n{"query": "SELECT 1;"}\n```', None, "SELECT 1"),
    "tool call": ('<tool_call>{"arguments": {"sql": "SELECT 1"}}</tool_call>', None, "SELECT 1"),
    "label": ("SQL Query:\nSELECT 1", None, "SELECT 1"),
    "label on the line": ("Final answer: SELECT 1;", "", "SELECT 1"),
    "label in bold": ("**SQL Query:** SELECT 1\n\n**Explanation:** SELECT it", None, "SELECT 1"),
    "numbered": ("1. SELECT 1", "", "SELECT 1"),
    "inline code": ("The query is `SELECT a FROM t`, which counts.", None, "SELECT a FROM t"),
    "names in backticks": ("SELECT `a` FROM `t`", "", "SELECT `a` FROM `t`"),
    "prose that begins like SQL": ("Select the rows that match.\nSELECT a FROM t", None, "SELECT a FROM t"),
    "parenthesised": ("(SELECT 1) UNION (SELECT 2)", "", "(SELECT 1) UNION (SELECT 2)"),
    "prose": ("I am sorry, I cannot do that.", "", None),
    "nothing": ("", "", None),
    "white space": (" \n ", "", None),
}


@pytest.mark.parametrize(("text", "reasoning", "sql"), CASES.values(), ids=CASES.keys())
def test_forms(text: str, reasoning: str | None, sql: str | None):
    answer = parse(text)
    assert answer.sql == sql
    if reasoning is not None:
        assert answer.reasoning == reasoning


@pytest.mark.parametrize(
    ("field", "answer"),
    [
        ("because\n<sql>SELECT 1</sql>\n", Answer("because", "SELECT 1", tagged=True)),
        ("because I would <sql>SELECT 1</sql> or", Answer("because I would <sql>SELECT 1</sql> or", None)),
        ("because SELECT 1", Answer("because SELECT 1", None)),
    ],
)
def test_a_server_that_takes_the_whole_answer_for_reasoning(field: str, answer: Answer):
    """A reasoning parser in front of a model that does not close its thoughts (vLLM's for DeepSeek, with Qwen)."""
    assert parse("", reasoning=field) == answer
    assert parse("SELECT 2", reasoning=field).sql == "SELECT 2"


@pytest.mark.parametrize("text", ["<sql>SELECT 1</sql>", "```sql\nSELECT 1\n```", "SELECT 1"])
def test_separate_reasoning_field_gives_the_same_answer(text: str):
    answer = parse(text, reasoning="because")
    assert (answer.reasoning, answer.sql) == ("because", "SELECT 1")


def test_what_we_ask_for_is_read_back_and_counts_as_tagged():
    assert parse(completion("why", "SELECT 1")) == Answer("why", "SELECT 1", tagged=True)


def test_an_end_token_does_not_spoil_the_form():
    assert parse(completion("why", "SELECT 1") + "<|im_end|>\n").tagged


REPEATED = [
    "<think>",
    "</think>",
    "<sql>",
    "<sql> ",
    "<answer>",
    "```sql\n",
    "</s> ",
    "<|im_end|>",
    " \n",
    "`SELECT ",
    "(",
]


@pytest.mark.parametrize("piece", [*REPEATED, '"sql": "', "1. ", "\t-", "With x\n"])
def test_a_model_that_repeats_itself_costs_no_more_than_its_length(piece: str):
    """Time that grows with the square would stop the whole run: 0.1 MB is what a model may write in 32,000 tokens."""
    started = time.process_time()
    parse(piece * (100_000 // len(piece)))
    assert time.process_time() - started < 5.0


@pytest.mark.parametrize("text", ["<sql>SELECT 1</sql>", "<think>a</think><sql>SELECT 1", "<think>a</think>SELECT 1"])
def test_half_the_form_is_not_tagged(text: str):
    assert not parse(text).tagged


def squeezed(sql: str | None) -> str:
    return " ".join((sql or "").split()).rstrip("; ")


@pytest.mark.parametrize(("name", "rows"), [("synsql_cot", 300), ("qwen_base_3shot", 1034)])
def test_real_completions(shared, name: str, rows: int):
    """Every row whose query is known; none is held to be wrong."""
    content = [json.loads(line) for line in (shared / "completions" / f"{name}.jsonl").open()]
    wrong = [r for r in content if squeezed(parse(r["completion"]).sql) != squeezed(r["expected_sql"])]
    assert len(content) == rows
    assert not wrong


def test_real_completions_with_repeated_think_blocks(shared):
    """DeepSeek's 25 replies: reasoning in each, a query in all but the one that was cut off while thinking."""
    content = [json.loads(line) for line in (shared / "completions" / "deepseek_think.jsonl").open()]
    answers = [parse(r["completion"]) for r in content]
    assert all(a.reasoning for a in answers)
    assert sum(a.sql is None for a in answers) == 1
    assert all(a.sql is None or "<" not in a.sql[:5] for a in answers)
