"""Questions that the connector never puts to Kafka, because the client library does not survive each answer."""

from __future__ import annotations

import ast
from pathlib import Path

import connector

NEVER = {"describe_cluster"}
"""On an answer to it librdkafka 2.16.0 (confluent-kafka 2.16.1) aborted the process."""


def test_no_code_asks_what_the_library_may_not_survive() -> None:
    sources = list(Path(connector.__file__).parent.rglob("*.py"))
    nodes = [node for source in sources for node in ast.walk(ast.parse(source.read_text()))]
    names = {node.attr for node in nodes if isinstance(node, ast.Attribute)}
    assert "list_topics" in names, "nothing was looked at"
    assert not names & NEVER
