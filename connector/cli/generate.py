"""Invocation events that could be real, to nobody's number: phone numbers come from ranges reserved for fiction."""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Sequence
from random import Random

SERVICE_ID = "0A1B2C3D4E5F"
"""The service that generated events name where no other is given."""

_US_AREAS = ("202", "206", "212", "303", "312", "404", "415", "512", "602", "617", "702", "808")
_US_OPERATORS = (383, 384, 386)
_NAMES = ("Ada", "Chidi", "Élise", "Grace", "Jürgen", "Mei", "Noor", "Sofía", "Tomasz", "Yuki")
_AIRPORTS = ("AMS", "ATL", "BOS", "CDG", "LHR", "NRT", "SEA", "SIN")
_SEATS = ("aisle", "middle", "window")
_ACCOUNT = "ABCDEFGHJKLMNPQRSTUVWXYZ"


def events(
    count: int, seed: int, service_ids: Sequence[str] = (SERVICE_ID,), created_at_ms: int | None = None
) -> Iterator[dict[str, object]]:
    """Yield `count` events, the same ones for the same seed, as the fields of `schemas/invocation-event.avsc`.

    Phone numbers are +1 NXX 555-0100 to 0199 (North American Numbering Plan) and +44 7700 900000 to 900999 (Ofcom),
    so several events share an end user. `created_at_ms`: ms since the epoch, or None for events without age.
    """
    random = Random(seed)  # noqa: S311 - the same events again, not secrets
    for _ in range(count):
        yield _event(random, service_ids, created_at_ms)


def _event(random: Random, service_ids: Sequence[str], created_at_ms: int | None) -> dict[str, object]:
    american = random.random() < 0.7
    event_id = str(uuid.UUID(int=random.getrandbits(128), version=4))
    return {
        "eventId": event_id,
        "serviceId": random.choice(service_ids),
        "phoneNumber": _american(random) if american else _british(random),
        "mobileOperatorId": random.choice(_US_OPERATORS) if american and random.random() < 0.5 else None,
        "variables": _variables(random, event_id),
        "createdAt": created_at_ms,
        "expiresAt": None,
    }


def _american(random: Random) -> str:
    return f"1{random.choice(_US_AREAS)}55501{random.randrange(100):02}"


def _british(random: Random) -> str:
    return f"447700900{random.randrange(1000):03}"


def _variables(random: Random, event_id: str) -> dict[str, dict[str, object]]:
    """A gate change, with a value of every type; `session.eventId` is how the simulator's ledger names an event."""
    return {
        "session": {
            "eventId": event_id,
            "firstName": random.choice(_NAMES),
            "flightNumber": random.randrange(1, 9999),
            "destination": random.choice(_AIRPORTS),
            "gate": f"{random.choice('ABCDE')}{random.randrange(1, 60)}",
            "seatLocation": random.choice(_SEATS),
            "delayHours": random.randrange(0, 12) / 4,
            "rebooked": random.random() < 0.1,
        },
        "user": {"frequentFlyerAccountNumber": "".join(random.choices(_ACCOUNT, k=6)) + str(random.randrange(100))},
    }
