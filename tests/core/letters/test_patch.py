"""A patch changes what it names and nothing else."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector.core.letters.patch import Change, Patch, changes_of

FIELDS = {"eventId": "e", "serviceId": "0A", "phoneNumber": "+1 202", "createdAt": 1_000, "expiresAt": 2_000}
HOUR = 3_600_000
PATCHES = st.builds(
    Patch,
    st.dictionaries(st.sampled_from(["0A", "0B"]), st.sampled_from(["0C", "0A"])),
    st.sampled_from(["", "+", " +"]),
    st.none() | st.integers(1, HOUR),
)


@pytest.mark.parametrize(
    ("patch", "changes"),
    [
        (Patch({"0A": "0B"}), {"serviceId": ("0A", "0B")}),
        (Patch({"0C": "0B"}), {}),
        (Patch(phone_without="+ "), {"phoneNumber": ("+1 202", "1202")}),
        (Patch(expires_in_ms=5), {"expiresAt": (2_000, 10_005)}),
        (Patch(expires_in_ms=HOUR), {"expiresAt": (2_000, 10_000 + HOUR), "createdAt": (1_000, 10_000)}),
    ],
)
def test_what_a_patch_names_is_changed(patch: Patch, changes: dict[str, Change]) -> None:
    assert changes_of(patch, FIELDS, 10_000, 60_000) == changes


def test_an_event_of_wrong_types_is_left_alone() -> None:
    """It would be refused anyway, and the patch must not crash on it."""
    assert changes_of(Patch({"0A": "0B"}, "+"), {"serviceId": 1, "phoneNumber": None}, 0, 0) == {}


@given(PATCHES, st.integers(0, 10 * HOUR))
def test_patching_twice_changes_nothing_more(patch: Patch, now_ms: int) -> None:
    """Unless ids are renamed in a chain."""
    once = {**FIELDS, **{name: after for name, (_, after) in changes_of(patch, FIELDS, now_ms, HOUR).items()}}
    again = changes_of(patch._replace(service_ids={}), once, now_ms, HOUR)
    assert again == {}
