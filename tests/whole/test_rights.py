"""What Kafka must allow is what the chart's README says, and no more."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from connector.core.record import Partition
from tests.support.connector_process import ConnectorProcess
from tests.support.kafka_broker import KafkaBroker
from tests.whole.stage import Stage, event, number, single_object

README = Path(__file__).parents[2] / "helm" / "invoke-connector" / "README.md"


def _rights(stage: Stage, who: str) -> Iterator[tuple[str, str, str]]:
    """The rows of the README's table for `who`, with the stage's names in place of the defaults."""
    (table,) = re.findall(r"<!-- rights -->\n(.*)<!-- /rights -->", README.read_text(), re.DOTALL)
    for row in table.splitlines()[2:]:
        whom, kind, names, operations = (cell.strip() for cell in row.strip("|").split("|"))
        if who in whom:
            for name in re.findall(r"`(.+?)`", names):
                named = name.replace("invocations", stage.main).replace("invoke-connector", stage.cluster.group)
                for operation in operations.split(", "):
                    yield kind.upper().replace(" ", "_"), named, operation


async def test_the_rights_in_the_readme_are_enough(own_stage: Stage, private_kafka: KafkaBroker) -> None:
    """To make a topic, to deliver, retry, write dead letters and commit, for a check without a complaint, to redrive in
    a transaction, to expedite, and to purge: each on a broker that refuses everything else."""

    def allow(who: str) -> None:
        private_kafka.allow_only(*_rights(own_stage, who))

    own_stage.create_topics(dead_letter=False)
    own_stage.configure(own_stage.retry, "max.message.bytes", "1056780")
    own_stage.scenario(rules=[{"when": {"phone_numbers": [number(2)]}, "do": {"kind": "reject", "cause": "temporary"}}])
    own_stage.produce([b"not Avro", *(single_object(event(f"e-{n}", n)) for n in range(3))])
    allow("the connector")
    connector = own_stage.connector(retry={"delay": "500ms", "window": "1s"})
    allow("`topics create`")
    await _command(connector, 0, "topics", "create")
    checked = await _command(connector, 0, "check", "--live")
    assert {line.split()[0] for line in checked.splitlines() if "rights" in line} == {"ok"}, checked
    await connector.start()
    await connector.until(accepted=2, dead_lettered=2)
    assert await connector.stop() == 0
    assert own_stage.cluster.committed(Partition(own_stage.main, 0)) == 4
    allow("`connector dlq`")
    assert "retries_exhausted" in await _command(connector, 0, "dlq", "list")
    allow("`dlq redrive`")
    redriven = await _command(connector, 0, "dlq", "redrive", "--yes")
    assert "take no transactions" not in redriven
    assert "retries_exhausted" in redriven
    allow("`retry expedite`")
    await _command(connector, 0, "retry", "expedite", "--yes")
    allow("`dlq purge`")
    await _command(connector, 0, "dlq", "purge", "--up-to", "0:1", "--yes-lose")


async def _command(connector: ConnectorProcess, code: int, *words: str) -> str:
    """What it prints; its exit code is `code`."""
    exit_code, printed = await connector.cli(*words)
    assert exit_code == code, printed
    return printed
