"""The same events as a producer of its own writes them: nested, with fields that nobody here reads; and the mapping."""

from __future__ import annotations

import json
from typing import Any

_PASSENGER = {
    "type": "record",
    "name": "Passenger",
    "fields": [
        {"name": "name", "type": "string"},
        {"name": "phone", "type": ["null", "string"]},
        {"name": "operator", "type": "long"},
        {"name": "accountNumber", "type": "string"},
        {"name": "emails", "type": {"type": "array", "items": "string"}},
    ],
}
_FLIGHT = {
    "type": "record",
    "name": "Flight",
    "fields": [
        {"name": "carrier", "type": "string"},
        {"name": "number", "type": "string"},
        {"name": "seat", "type": ["null", "string"]},
        {"name": "departs", "type": {"type": "long", "logicalType": "timestamp-millis"}},
    ],
}
SCHEMA = json.dumps(
    {
        "type": "record",
        "name": "com.example.Booking",
        "fields": [
            {"name": "id", "type": "string"},
            {"name": "kind", "type": {"type": "enum", "name": "Kind", "symbols": ["WEB", "APP"]}},
            {"name": "at", "type": {"type": "long", "logicalType": "timestamp-millis"}},
            {"name": "passenger", "type": _PASSENGER},
            {"name": "flight", "type": _FLIGHT},
            {"name": "price", "type": {"type": "bytes", "logicalType": "decimal", "precision": 9, "scale": 2}},
            {"name": "notes", "type": {"type": "map", "values": "string"}},
        ],
    }
)


def mapping(service_ids: tuple[str, ...]) -> str:
    """The section of the settings: ten fields, five of them through a function."""
    first, second = service_ids[0], service_ids[-1]
    event = {
        "schema": "com.example.Booking",
        "eventId": "id",
        "serviceId": {"path": "kind", "then": [{"lookup": {"WEB": first, "APP": second}}]},
        "phoneNumber": {"path": "passenger.phone", "then": ["digits"]},
        "mobileOperatorId": "passenger.operator",
        "createdAt": "at",
        "expiresAt": {"path": "flight.departs", "then": [{"plus": "1h"}]},
        "variables": {
            "session": {
                "seatLocation": {"path": "flight.seat", "then": ["lower"], "default": "any"},
                "flightNumber": "flight.number",
                "carrier": {"path": "flight.carrier", "then": ["upper"]},
            },
            "user": {"frequentFlyerAccountNumber": "passenger.accountNumber"},
        },
    }
    return f"mapping: {json.dumps({'events': [event]})}\n"


def of(event: dict[str, Any]) -> dict[str, Any]:
    """An event of ours as this producer writes it."""
    variables, number = event["variables"], event["phoneNumber"]
    return {
        "id": event["eventId"],
        "kind": "WEB",
        "at": event["createdAt"],
        "passenger": {
            "name": "Alex Example",
            "phone": f"+{number[0]} {number[1:4]}-{number[4:7]}-{number[7:]}",
            "operator": event["mobileOperatorId"],
            "accountNumber": variables["user"]["frequentFlyerAccountNumber"],
            "emails": ["alex@example.com"],
        },
        "flight": {
            "carrier": "mj",
            "number": variables["session"]["flightNumber"],
            "seat": "AISLE",
            "departs": event["createdAt"] + 7_200_000,
        },
        "price": b"\x32\x96",
        "notes": {"meal": "none"},
    }
