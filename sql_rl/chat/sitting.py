"""A sitting: what was asked last, what waits to be run, and all that a user can do with it."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from sql_rl.chat.databases.base import Database, QueryError, Table
from sql_rl.chat.databases.sqlite import SQLiteDatabase
from sql_rl.chat.databases.supervise import Result, export, fetch
from sql_rl.chat.screen import Screen
from sql_rl.chat.turn import Asker, Turn
from sql_rl.errors import SqlRlError, UsageError
from sql_rl.settings.chat import ChatSettings

REMEMBERED = 20  # lines of history that are shown


@dataclass(slots=True)
class Sitting:
    """One conversation. Its methods raise SqlRlError and QueryError, each with one line for the user.

    past: the lines of this and earlier sittings, the oldest first. turn: the last question with its answer; waiting:
    whether its query waits for Enter; result: its rows, once it has run.
    """

    asker: Asker
    screen: Screen
    settings: ChatSettings
    past: Callable[[], list[str]]
    turn: Turn | None = None
    result: Result | None = None
    waiting: bool = False

    @property
    def database(self) -> Database:
        return self.asker.database

    def ask(self, question: str) -> None:
        """Asks the model, and shows what it would run."""
        self.waiting = False
        self._offer(self.asker.ask(question, self.screen))

    def run(self, _: str = "") -> None:
        """Runs the last query. What fails goes back to the model once."""
        turn = self._query()
        self.waiting, self.result = False, None
        try:
            self.result = fetch(self.database, turn.sql, self.settings.max_rows, self.settings.seconds)
        except QueryError as error:
            if turn.repaired or not error.repairable:
                raise
            self._offer(self.asker.repair(turn, error.reason, self.screen))
        else:
            self.screen.rows(self.result)

    def retry(self, wish: str) -> None:
        """Asks the last question anew; with words, tells the model what is wrong with its last answer."""
        if self.turn is None or not self.turn.question:
            raise UsageError("nothing was asked yet")
        self.waiting = False
        self._offer(self.asker.retry(self.turn, wish, self.screen))

    def sql(self, own: str) -> None:
        """Shows the last query; with SQL, runs that instead, under the same rules."""
        if own:
            self.turn, self.result = Turn("", [], sql=own, repaired=True), None
            self.run()
        else:
            self.screen.sql(self._query().sql)

    def last(self, _: str) -> None:
        """Shows the last question, its reasoning, its query and its rows again."""
        turn = self._query()
        if turn.question:
            self.screen.line(turn.question)
        if turn.reasoning:
            self.screen.line(turn.reasoning, "dim")
        self.screen.sql(turn.sql)
        if self.result:
            self.screen.rows(self.result)

    def explain(self, _: str) -> None:
        """Shows how the database would run the last query."""
        self.screen.line(self.database.plan(self._query().sql))

    def export(self, name: str) -> None:
        """Writes all rows of the last query into a file."""
        path = Path(name).expanduser()
        if path.suffix.lower() != ".csv":
            raise UsageError("/export needs a file that ends in .csv")
        count = export(self.database, self._query().sql, path)
        self.screen.line(f"{count:,} rows written to {path}")

    def tables(self, _: str) -> None:
        """Lists tables and views with their columns."""
        for table in self._tables():
            self.screen.line(f"{table.name}{' (view)' if table.view else ''}: {', '.join(table.columns)}")

    def schema(self, name: str) -> None:
        """Shows the definitions of all tables, or of one."""
        tables = [table for table in self._tables() if not name or table.name.casefold() == name.casefold()]
        if not tables:
            raise UsageError(f"there is no table {name}: /tables lists them")
        self.screen.sql("\n\n".join(table.definition for table in tables))

    def load(self, name: str) -> None:
        """Adds a file to the database in memory."""
        if not name:
            raise UsageError("/load needs a file: .sql, .csv or .parquet")
        if not isinstance(self.database, SQLiteDatabase):
            raise UsageError(f"{self.database.name} is only read: start without --db to load files into memory")
        from sql_rl.chat.load import load  # and with it pyarrow

        now = datetime.now(UTC).strftime("%Y-%m-%d %H:%M:%S")
        self.screen.line(load(self.database, Path(name).expanduser(), now))

    def history(self, _: str) -> None:
        """Shows what was typed last, in this sitting and before."""
        for line in self.past()[-REMEMBERED:]:
            self.screen.line(line)

    def _offer(self, turn: Turn) -> None:
        """Shows a new answer; its query waits for Enter, or is run."""
        self.turn, self.result, self.waiting = turn, None, False
        if turn.sql:
            self.screen.sql(turn.sql)
        if turn.problem:
            raise SqlRlError(turn.problem)
        if turn.source:
            self.screen.notice(f"(rewritten for {self.database.product}: it was written in another dialect)")
        self.waiting = True
        if self.settings.run_at_once:
            self.run()

    def _query(self) -> Turn:
        if self.turn is None or self.turn.sql is None:
            raise UsageError("there is no query yet: ask something")
        return self.turn

    def _tables(self) -> tuple[Table, ...]:
        if tables := self.database.tables():
            return tables
        raise UsageError("there are no tables: /load a file, or start with --db")
