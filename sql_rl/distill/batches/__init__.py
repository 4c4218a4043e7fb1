"""Requests by the batch: a lower price, answers within a day, nothing paid twice (docs/batch-api.md)."""

from sql_rl.distill.batches.batches import Batches
from sql_rl.distill.batches.ledger import check_none_open

__all__ = ["Batches", "check_none_open"]
