"""The page of dead letters lists exactly the headers, strings and classes that exist."""

from __future__ import annotations

import re
from pathlib import Path

from connector.core import envelope
from connector.core.codes import DEFAULT_TABLE
from connector.core.destination import OWN_CODES
from connector.core.event import EVENT_CODES
from connector.core.letters.retry import OPERATOR_DROPPED
from connector.core.mapping.errors import MAPPING_CODES
from connector.core.outcome import Fate
from connector.core.record import Partition
from connector.core.refusal import Stage
from connector.core.request import REMEDIES
from connector.edge.avro.decoder import DECODE_CODES

PAGE = (Path(__file__).parents[2] / "docs/dead-letters.md").read_text()


def section(title: str) -> str:
    return PAGE.split(f"## {title}\n")[1].split("\n## ")[0]


def first_column(text: str) -> list[str]:
    return re.findall(r"^\| `([^`]+)` \|", text, re.MULTILINE)


def test_every_header_is_listed_and_no_other() -> None:
    """Whoever reads a dead letter finds each of its headers."""
    ours = {value for name, value in vars(envelope).items() if name.isupper() and isinstance(value, str)}
    origin = envelope.Origin(Partition("t", 0), 0, 0)
    cause = envelope.Cause(Stage.INVOKE, "code", "reason")
    letter = next(envelope.dead_letter_headers((), envelope.History(origin), cause, envelope.Names("c"), now_ms=0))
    connect = {name for name, _ in letter if name.startswith(envelope.CONNECT_PREFIX)}
    assert set(first_column(section("Headers"))) == ours - {envelope.PREFIX, envelope.CONNECT_PREFIX} | connect


def test_every_string_of_the_stage_headers_is_listed() -> None:
    """Kafka Connect's stage and class headers have a bounded set of values."""
    rows = [tuple(cell.strip(" `") for cell in row.split("|")[1:4]) for row in section("Headers").splitlines()]
    expected = [(s.value, envelope.CONNECT_STAGES[s], envelope.CONNECT_CLASSES[s]) for s in Stage]
    assert [row for row in rows if row and row[0] in {stage.value for stage in Stage}] == expected


def test_every_class_of_our_own_is_listed_and_no_other() -> None:
    """A class that is not on the page cannot come, and none is missing."""
    ours = {*DECODE_CODES, *EVENT_CODES, *MAPPING_CODES, *REMEDIES, *OWN_CODES, OPERATOR_DROPPED}
    assert set(first_column(section("Classes of our own"))) == ours


def test_every_class_of_answers_that_makes_dead_letters_is_listed() -> None:
    """The table decides; the page names the classes whose fate is the dead letter."""
    listed = set(re.findall(r"`([a-z_]+)`", section("Classes of answers")))
    decided = {row.code for row in DEFAULT_TABLE.rows() if row.fate is Fate.DEAD_LETTER}
    assert listed == decided | {"configured_dead_letter"}
