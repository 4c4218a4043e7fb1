"""Requests by the batch: a lower price, answers within a day, nothing paid twice (docs/batch-api.md)."""

from sql_rl.distill.batches.batches import Batches

__all__ = ["Batches"]
