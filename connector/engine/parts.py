"""The engine's parts, for those of it that work with most of them."""

from __future__ import annotations

from typing import NamedTuple

from connector.core.record import Partition
from connector.engine.blocks import Blocks
from connector.engine.budget import Budget
from connector.engine.commits import Commits
from connector.engine.context import Context
from connector.engine.copies import Copies
from connector.engine.holds import Holds
from connector.engine.judge import Judge
from connector.engine.ledger import Ledger
from connector.engine.limits import Limits
from connector.engine.partition import Assignment
from connector.engine.recent import Recent
from connector.engine.schedule import Schedule


class Parts(NamedTuple):
    """`ledger` and `recent` where the settings turn them on."""

    context: Context
    budget: Budget
    blocks: Blocks
    commits: Commits
    limits: Limits
    schedule: Schedule
    judge: Judge
    copies: Copies
    ledger: Ledger | None
    recent: Recent | None
    holds: Holds
    assignments: dict[Partition, Assignment]
