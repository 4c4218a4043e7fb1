"""`python -m sql_rl.publish.report FOLDER`: the command `report` without its command line, for `apart.py`."""

import sys
from pathlib import Path

from sql_rl.errors import SqlRlError
from sql_rl.publish.report.job import write_report

try:
    print(write_report(Path(sys.argv[1])))
except SqlRlError as error:
    print(f"error: {error}", file=sys.stderr)
    sys.exit(error.exit_code)
