"""Asking a database in plain words: a model writes the query, the database runs it read-only."""
