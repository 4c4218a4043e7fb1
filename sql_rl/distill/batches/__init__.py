"""Requests by the batch: half the price, an answer within a day, nothing paid twice (docs/batch-api.md)."""

from sql_rl.distill.batches.batches import Batches

__all__ = ["Batches"]
