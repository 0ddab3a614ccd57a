"""docs/metrics.md lists exactly the metrics that exist."""

from __future__ import annotations

from pathlib import Path

from connector.observe.reference import reference

PAGE = Path(__file__).parents[2] / "docs" / "metrics.md"


def test_the_page_is_the_one_that_the_table_gives() -> None:
    """Renew it with `python -m connector.observe.reference > docs/metrics.md`."""
    assert PAGE.read_text(encoding="utf-8") == reference()
