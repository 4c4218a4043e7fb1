"""The pages hang together: links lead somewhere, tables are the program's, Python in them runs."""

import subprocess
import sys

import pytest
from doc_pages import NAMES, ROOT, anchors, blocks, links

from sql_rl.judge import Verdict


@pytest.mark.parametrize("page", NAMES)
def test_links_lead_somewhere(page: str):
    for target in links(page):
        path, _, anchor = target.partition("#")
        file = ((ROOT / page).parent / path).resolve() if path else ROOT / page
        assert file.exists(), target
        assert not anchor or anchor in anchors(file), target


def test_readme_leads_to_every_page():
    assert {name for name in NAMES if name != "README.md"} <= set(links("README.md"))


def test_readme_has_the_tables_that_the_program_gives():
    tables = [sys.executable, "tools/option_tables.py", "--check"]
    assert subprocess.run(tables, cwd=ROOT, check=False).returncode == 0, "run tools/option_tables.py"


async def test_the_judge_as_its_page_shows_it():
    shown = next(block.text for block in blocks("docs/judge.md") if block.language == "python")
    body = "".join(f"    {line}\n" for line in shown.splitlines())
    program = f"async def shown():\n{body}    return locals()\n"
    names: dict = {}
    exec(program, names)
    got = await names["shown"]()
    assert got["judgement"].verdict in (Verdict.MATCH, Verdict.LUCKY)
    assert got["table"].rows == ((2,),)
