"""The settings of `mapping`: from producers' own schemas to the event."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import PlainValidator, WithJsonSchema

from connector.config.mapping_events import NO_EVENT, events_of
from connector.config.section import Section
from connector.core.mapping.rules import Rules


class Mapping(Section):
    """From producers' own schemas to the event, for those who write none of ours; docs/mapping.md. Off unless this
    section is there. Records of our own schema pass as ever, unless an event names it."""

    events: Annotated[
        tuple[Any, ...],  # of `core.mapping.rules.Event`, which pydantic need not look into
        PlainValidator(events_of),
        WithJsonSchema({"type": "array", "items": {}, "minItems": 1, "x-empty": NO_EVENT}),
    ]
    """The kinds of events, each by the full name of its writer's record (`schema`), and where each field of ours comes
    from. Of a record the first that takes it counts. docs/mapping.md has every word."""

    others: Literal["dead_letter", "skip"] = "dead_letter"
    """What becomes of a record that none of the events takes, and of null values: a dead letter, or nothing: it is
    settled without a post, and counted (`records_not_ours`). A copy in the retry topic is never skipped."""

    misfits: Literal["hold", "dead_letter"] = "hold"
    """What becomes of records of a registered schema that an event names and does not fit, such as a new version
    without a field that the mapping uses: their partition waits, until the mapping fits or the producer goes back; or
    each is a dead letter. Schema files that do not fit are refused at start. A registered schema that no event names,
    and whose name has the same last part as one that is named (of Debezium's `Envelope`, `Value` and `Key` the last
    two), waits too, unless this is `dead_letter`; any other, and a schema file, is one of the `others`."""

    @property
    def rules(self) -> Rules:
        """The mapping as the core knows it."""
        return Rules(self.events, self.others == "skip", self.misfits == "hold")
