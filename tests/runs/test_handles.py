"""Open files: the soft limit follows the window, the hard one is the end. Each test in a process of its own."""

import subprocess
import sys

import pytest

from sql_rl.runs.handles import SPARE

PROGRAM = """
import resource, sys
from sql_rl.errors import UsageError
from sql_rl.runs.handles import allow_connections
soft, hard, count = map(int, sys.argv[1:])
resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
try:
    allow_connections(count)
except UsageError as error:
    sys.exit(str(error))
print(*resource.getrlimit(resource.RLIMIT_NOFILE))
"""


def under(soft: int, hard: int, count: int) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", PROGRAM, str(soft), str(hard), str(count)], capture_output=True, text=True, check=False
    )


@pytest.mark.parametrize(
    ("soft", "count", "limit"),
    [(64 + SPARE, 512, 512 + SPARE), (600 + SPARE, 512, 600 + SPARE), (512 + SPARE, 512, 512 + SPARE)],
)
def test_the_soft_limit_is_raised_as_far_as_needed_and_never_lowered(soft: int, count: int, limit: int):
    assert under(soft, 1000 + SPARE, count).stdout.split() == [str(limit), str(1000 + SPARE)]


def test_a_hard_limit_that_is_too_low_is_told_with_the_way_out():
    ended = under(200 + SPARE, 200 + SPARE, 512)
    assert ended.returncode == 1
    assert f"512 requests in flight need {512 + SPARE} open files" in ended.stderr
    assert "take --batch-size 200, or raise the limit" in ended.stderr
    assert under(200 + SPARE, 200 + SPARE, 200).returncode == 0, "the way out is one"
