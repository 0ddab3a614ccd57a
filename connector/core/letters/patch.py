"""Small corrections of events, as data: what a patch changes of one event."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

Change = tuple[object, object]
"""Before and after."""


class Patch(NamedTuple):
    """`service_ids` are renamed, the characters of `phone_without` taken out of the number, and the event expires
    `expires_in_ms` from now on."""

    service_ids: Mapping[str, str] = {}
    phone_without: str = ""
    expires_in_ms: int | None = None


def changes_of(patch: Patch, fields: Mapping[str, object], now_ms: int, max_event_age_ms: int) -> dict[str, Change]:
    """The fields that differ afterwards. `createdAt` is renewed with the expiry where it would expire the event."""
    after = dict(fields)
    service_id, phone = fields.get("serviceId"), fields.get("phoneNumber")
    if isinstance(service_id, str):
        after["serviceId"] = patch.service_ids.get(service_id, service_id)
    if isinstance(phone, str):
        after["phoneNumber"] = "".join(one for one in phone if one not in patch.phone_without)
    if patch.expires_in_ms is not None:
        after["expiresAt"] = now_ms + patch.expires_in_ms
        created = fields.get("createdAt")
        if isinstance(created, int) and created + max_event_age_ms < now_ms + patch.expires_in_ms:
            after["createdAt"] = now_ms
    return {name: (fields.get(name), value) for name, value in after.items() if fields.get(name) != value}
