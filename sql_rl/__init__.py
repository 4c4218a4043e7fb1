"""sql-rl: make small language models reason about SQL."""

__version__ = "0.1.0"
