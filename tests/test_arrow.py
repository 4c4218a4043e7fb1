"""pyarrow without pandas: rows are converted without it, and who asks for it later still gets it."""

import subprocess
import sys

PROGRAM = """
import sys
from sql_rl.arrow import pa

batch = pa.RecordBatch.from_pylist([{"a": 1, "b": ["x", None]}])
assert "pandas" not in sys.modules, "it was imported for a list of dicts"
assert batch.to_pandas().shape == (1, 2)

import pandas

assert pa.Table.from_pandas(pandas.DataFrame({"a": [1, 2]})).num_rows == 2
assert pa.array(pandas.Series([1, 2])).to_pylist() == [1, 2]
"""


def test_pandas_is_imported_only_by_who_asks_for_it():
    ended = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr
