"""The entry point: `uv run main.py <command>`; `uv run main.py --help` lists the commands."""

from sql_rl.cli import run

if __name__ == "__main__":
    run()
