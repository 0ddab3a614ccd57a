"""Brokers that answer and name no broker: librdkafka 2.16 aborts the process for one kind of question."""

from __future__ import annotations

import pytest

from connector.core.record import Partition
from connector.edge.kafka_admin import AdminError, KafkaAdmin
from connector.edge.kafka_identity import LogIdentities
from tests.support.fenced_broker import fenced_broker


def test_an_assignment_while_no_broker_is_known_is_one_without_maps() -> None:
    with fenced_broker() as address:
        identities = LogIdentities({"bootstrap.servers": address})
        identities.ask("invocations")
        assert identities.of([Partition("invocations", 0)], urgent=False) == {}


def test_a_question_for_the_cluster_while_it_names_no_broker_is_refused() -> None:
    with fenced_broker() as address:
        admin = KafkaAdmin({"bootstrap.servers": address}, timeout=3)
        with pytest.raises(AdminError):
            admin.cluster()
