"""The judge: is this SQL a right answer for this example? No language model in here."""

from sql_rl.judge.judge import Judge
from sql_rl.judge.outcomes import GoldAudit, Scores, Table, Vote
from sql_rl.judge.verdict import Judgement, Verdict

__all__ = ["GoldAudit", "Judge", "Judgement", "Scores", "Table", "Verdict", "Vote"]
