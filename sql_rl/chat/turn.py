"""From a question to a query that the database compiles, and back to the model once where it does not.

No I/O of its own: the model, the database and whoever shows what happens are handed in.
"""

from contextlib import closing
from dataclasses import dataclass, replace
from typing import Protocol

from sql_rl.answers import parse
from sql_rl.chat.databases.base import Database, QueryError
from sql_rl.chat.models import Model
from sql_rl.chat.schema_focus import Focus, focus
from sql_rl.chat.target import fitted
from sql_rl.chat.thoughts import Thoughts
from sql_rl.errors import SqlRlError
from sql_rl.examples import Example
from sql_rl.prompts import CHARACTERS_PER_TOKEN, Message, Prompts, estimated_tokens

NO_QUERY = "there is no query in the answer"
EMPTY = "(nothing)"  # APIs refuse a message without content


class View(Protocol):
    """Whoever shows what happens."""

    def thought(self, text: str) -> None:
        """A piece of the model's reasoning, as it comes."""
        ...

    def notice(self, text: str) -> None:
        """A line that the user should know."""
        ...


@dataclass(frozen=True, slots=True)
class Turn:
    """One question and what the model made of it.

    messages: what it was asked; text: what it wrote. sql: in the database's dialect, None where there is none; source:
    the dialect that it was translated from, '' for none. problem: why there is nothing to run, '' where there is.
    repaired: whether the answer is already the second one.
    """

    question: str
    messages: list[Message]
    text: str = ""
    reasoning: str = ""
    sql: str | None = None
    source: str = ""
    problem: str = ""
    repaired: bool = False


class Asker:
    """Asks one model about one database.

    max_prompt_length, max_tokens: of a prompt and of an answer, in tokens; a model with a smaller context gets a
    shorter prompt.
    """

    def __init__(
        self, model: Model, database: Database, prompts: Prompts, max_prompt_length: int, max_tokens: int
    ) -> None:
        self.model = model
        self.database = database
        self._prompts = prompts
        self._most = max_prompt_length
        if model.context is not None:
            self._most = min(max_prompt_length, max(model.context - max_tokens, model.context // 2))

    def ask(self, question: str, view: View) -> Turn:
        """The model's answer, the second one where the first cannot be compiled.

        Raises SqlRlError where the model cannot be asked, QueryError where the database is out of reach.
        """
        messages = self._prompts.draft(self._example(question, self._focus(question, view).context))
        return self._answered(Turn(question, messages), view)

    def repair(self, turn: Turn, problem: str, view: View) -> Turn:
        """The answer to the same question, once the model has been told what is wrong with `turn`."""
        view.notice(f"{problem}; asking once more")
        return self._again(turn, f"{problem}.", view)

    def retry(self, turn: Turn, wish: str, view: View) -> Turn:
        """A fresh answer to the same question; wish: what the user does not like about the last one, '' for none."""
        if wish:
            return replace(self._again(turn, wish, view), repaired=False)
        return self.ask(turn.question, view)

    def _again(self, turn: Turn, problem: str, view: View) -> Turn:
        messages = self._prompts.repair(turn.messages, turn.text or EMPTY, problem)
        return self._answered(Turn(turn.question, messages, repaired=True), view)

    def _answered(self, turn: Turn, view: View) -> Turn:
        text, reasoning = self._streamed(turn.messages, view)
        answer = parse(text, reasoning)
        turn = replace(turn, text=text, reasoning=answer.reasoning)
        if answer.sql is None:
            turn = replace(turn, problem=NO_QUERY)
        else:
            try:
                database = self.database
                sql, source = fitted(answer.sql, database.dialect, database.tables(), database.check)
                return replace(turn, sql=sql, source=source)
            except QueryError as error:
                turn = replace(turn, sql=answer.sql, problem=error.reason)
                if not error.repairable:
                    return turn
        return turn if turn.repaired else self.repair(turn, turn.problem, view)

    def _streamed(self, messages: list[Message], view: View) -> tuple[str, str]:
        """The text of the answer, and the reasoning that came beside it."""
        thoughts, texts, reasoning = Thoughts(), [], []
        with closing(self.model.stream(messages)) as pieces:
            for piece in pieces:
                if piece.kind == "reasoning":
                    reasoning.append(piece.text)
                    view.thought(piece.text)
                else:
                    texts.append(piece.text)
                    if shown := thoughts.feed(piece.text):
                        view.thought(shown)
        view.thought(thoughts.end() + "\n")
        return "".join(texts), "".join(reasoning)

    def _focus(self, question: str, view: View) -> Focus:
        tables = self.database.tables()
        if not tables:
            raise SqlRlError("there are no tables: /load a file, or start with --db")
        frame = self._prompts.draft(self._example(question, ""))
        chosen = focus(question, tables, (self._most - estimated_tokens(frame)) * CHARACTERS_PER_TOKEN)
        if not chosen.tables:
            raise SqlRlError(
                f"no table's definition fits into a prompt of {self._most} tokens: "
                "raise max_prompt_length, or take a model with a larger context"
            )
        if chosen.left_out:
            names = ", ".join(table.name for table in chosen.tables)
            view.notice(f"the model sees {len(chosen.tables)} of {len(tables)} tables: {names}")
        return chosen

    def _example(self, question: str, context: str) -> Example:
        # Students know SQLite from their training and are told nothing new; others learn what to write.
        evidence = "" if self.database.dialect == "sqlite" else f"The database is {self.database.product}."
        return Example(0, "0", question, context, gold="", evidence=evidence)
