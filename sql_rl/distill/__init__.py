"""The run of `distill`: a journal of what was paid for, and everything else derived from it."""
