"""pyarrow as all of us import it: without pandas.

At the first conversion of Python values pyarrow imports pandas, to know a DataFrame when it meets one. Nothing of ours
is one, and it costs every run 0.3 s and 30 MB. It looks once; whoever asks for pandas by name later still gets it.
"""

import sys
from importlib.machinery import ModuleSpec

import pyarrow as pa

__all__ = ["pa"]


class _NoPandas:
    """Says that there is no pandas, and leaves all else to the finders after it."""

    def find_spec(self, name: str, path: object = None, target: object = None) -> ModuleSpec | None:
        if name == "pandas":
            raise ModuleNotFoundError(name=name)
        return None


def _look_without_pandas() -> None:
    finder = _NoPandas()
    sys.meta_path.insert(0, finder)
    try:
        pa.array([0])
    finally:
        sys.meta_path.remove(finder)


if "pandas" not in sys.modules:
    _look_without_pandas()
