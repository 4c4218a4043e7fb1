"""Few-shot: how a base model, which has no chat template, is asked: a plain text with worked examples in it.

The form is a chat template of its own (Jinja, as transformers takes it), so that the engine in process and
`vllm serve --chat-template` ask with the very same text. The examples were written for this project; their reasoning
is what `narrate` writes, in the style of the run.
"""

import hashlib
from dataclasses import dataclass

from sql_rl.examples import Example
from sql_rl.prompts import Prompts, completion
from sql_rl.teachers.narrate import Style, narrate

# A base model goes on with a next question of its own when it has answered this one.
STOPS = ("</sql>", "\nDatabase:", "\nQuestion:")

_SHOTS = (
    (
        "Which books cost more than 20, the dearest first?",
        "CREATE TABLE book (id INT, title TEXT, price REAL);",
        "SELECT title FROM book WHERE price > 20 ORDER BY price DESC",
    ),
    (
        "How many flights did each airline from Peru have in 2021?",
        "CREATE TABLE airline (id INT, name TEXT, country TEXT);\n"
        "CREATE TABLE flight (id INT, airline_id INT, day DATE);",
        "SELECT a.name, COUNT(*) FROM flight f JOIN airline a ON f.airline_id = a.id "
        "WHERE a.country = 'Peru' AND f.day BETWEEN '2021-01-01' AND '2021-12-31' GROUP BY a.name",
    ),
    (
        "What is the average weight of the parcels that were sent to Turin?",
        "CREATE TABLE parcel (id INT, city TEXT, weight REAL);",
        "SELECT AVG(weight) FROM parcel WHERE city = 'Turin'",
    ),
)


@dataclass(frozen=True, slots=True)
class FewShot:
    """The text around a conversation, as a chat template. digest: changes when the text does."""

    template: str

    @property
    def digest(self) -> str:
        return hashlib.sha256(self.template.encode()).hexdigest()[:16]


def few_shot(prompts: Prompts, style: Style) -> FewShot:
    """The template for a run's prompts: its system message, the examples, what is asked, and an open `<think>`.

    Of a conversation it leaves the roles out; a repair reads as one text, in the order in which it was said.
    """
    shots = []
    for question, context, gold in _SHOTS:
        asked = prompts.draft(Example(row=0, id="", question=question, context=context, gold=gold))[-1]["content"]
        shots.append(f"{asked}\n{completion(narrate(question, context, gold, style), gold)}")
    worked = "\n\n".join(shots)
    return FewShot(
        "{{- bos_token }}{{ messages[0].content }}\n\n"
        f"{{% raw %}}{worked}{{% endraw %}}"
        "{% for message in messages[1:] %}"
        "{% if message.role == 'assistant' %}"
        "{{ '\\n' if message.content.startswith('<think>') else '\\n<think>\\n' }}"
        "{% else %}{{ '\\n\\n' }}{% endif %}{{ message.content }}"
        "{% endfor %}"
        "{{ '\\n<think>\\n' if add_generation_prompt }}"
    )
