"""Databases that can be asked: one module for each engine, behind the Protocol of `base`."""

from sql_rl.chat.databases.base import Database
from sql_rl.chat.uri import DatabaseUri


def open_database(uri: DatabaseUri) -> Database:
    """The database that the URI names. Raises UsageError where it cannot be opened."""
    match uri.kind:
        case "duckdb":
            from sql_rl.chat.databases.duckdb import DuckDBDatabase

            return DuckDBDatabase(uri)
        case "postgresql":
            from sql_rl.chat.databases.postgres import PostgresDatabase

            return PostgresDatabase(uri)
    from sql_rl.chat.databases.sqlite import SQLiteDatabase

    return SQLiteDatabase(uri)
