"""What the settings make of the neighbours."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from connector.config import load
from connector.edge.openmarket import OpenMarket
from connector.edge.shadow import NoCopies, NoPosts
from connector.runtime import kafka_parts, parts


async def test_a_shadow_has_nothing_to_post_with_but_for_the_test_environment(config_file: Callable[..., Path]) -> None:
    """Whatever other address the settings name."""
    sections = {"delivery": {"mode": "shadow"}, "kafka": {"group_id": "a.shadow"}, "pace": {"rate": 2}}
    for url in (
        "https://servicemanager.openmarket.com",
        "http://127.0.0.1:1",
        "https://servicemanager-cie.example.com",
    ):
        settings = load(config_file({"base_url": url}, **sections), {})
        assert isinstance(parts.posting(settings), NoPosts)
        assert isinstance(kafka_parts.sink(settings, print), NoCopies)
    cie = load(config_file({"base_url": "https://servicemanager-cie.openmarket.com"}, **sections), {})
    posting = parts.posting(cie)
    assert isinstance(posting, OpenMarket)
    assert isinstance(kafka_parts.sink(cie, print), NoCopies)
    await posting.close()
