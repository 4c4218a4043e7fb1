"""Teachers: one file for each backend, behind the Protocol in `base.py`."""
