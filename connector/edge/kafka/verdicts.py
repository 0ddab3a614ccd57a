"""What we do about an error, as a value; and what is found out by us, which no error of Kafka's says."""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple


class Operation(StrEnum):
    """What was under way: reading and membership; a commit; a copy to the retry or dead-letter topic."""

    CONSUME = "consume"
    COMMIT = "commit"
    COPY = "copy"


class Action(StrEnum):
    """What we do."""

    IGNORE = "nothing"
    WAIT = "wait"
    """The client goes on by itself; the error is counted."""
    RETRY = "retry"
    """Ours to try again, with backoff, for ever."""
    SMALLER = "smaller"
    """Again with a shorter map, or with fewer headers; if that is of no use, as RETRY."""
    NEW_CLIENT = "new client"
    STOP = "stop"
    """The process ends with exit code 1: going on would skip records silently, or never read one again."""


class Row(NamedTuple):
    """Errors that mean the same. `name` is their bounded name in the log when the process ends for them."""

    operation: Operation
    codes: frozenset[int]
    action: Action
    name: str
    remedy: str

    @classmethod
    def of(cls, operation: Operation, action: Action, name: str, remedy: str, *codes: int) -> Row:
        """One of these errors; of none, when we find it out and no error of Kafka's says so."""
        return cls(operation, frozenset(codes), action, name, remedy)


CREATED_ANEW = Row.of(
    Operation.CONSUME,
    Action.STOP,
    "topic_created_anew",
    "it was deleted and created anew while it was read, and what the old one still held is gone. The new one is read "
    "from offset 0 by the next process; what was posted of it in the seconds before this line is posted again",
)
"""The topic's id differs from that at the assignment."""

NO_COMMIT = Row.of(
    Operation.CONSUME,
    Action.STOP,
    "no_committed_offset",
    "kafka.start is `error` and the group has no commit on it: set kafka.start to earliest or latest for the first "
    "start",
)
"""kafka.start says what to do without a commit."""

OF_A_SHADOW = Row.of(
    Operation.CONSUME,
    Action.STOP,
    "commit_of_a_shadow",
    "the commit of kafka.group_id was made with delivery.mode: shadow: what lies before it was never posted by this "
    "group. Name the group that delivers; or, for a new one, one without commits, where kafka.start says where it "
    "begins",
)
"""The commit's metadata tells who made it."""

OF_A_DELIVERY = Row.of(
    Operation.CONSUME,
    Action.STOP,
    "commit_of_a_delivery",
    "the commit of kafka.group_id was made by a connector that delivers, and a shadow in its group would take events "
    "from it that would then never be posted. Name a group that nobody delivers in; `connector offsets set` starts a "
    "shadow where another group is",
)

NO_TOKEN = Row.of(
    Operation.CONSUME,
    Action.WAIT,
    "token_unavailable",
    "the endpoint of kafka.security.oauth gives no token, as it does not answer or refuses the client's id or secret. "
    "It is asked again every 10 s; until then the brokers may refuse us",
)
"""The client says `authentication`, as when brokers refuse; only we know that there was no token."""

NOT_CONVERTIBLE = Row.of(
    Operation.CONSUME,
    Action.STOP,
    "group_not_convertible",
    "members of kafka.group_id live with kafka.assignment cooperative-sticky, and from that the brokers change no live "
    "group to kafka.group_protocol consumer. Stop all processes of the group, then start them with it; or go back to "
    "classic. One process after the other works from `range` and `roundrobin` only",
)
"""The client says that it is fatal, and in its words that there is no such group."""
