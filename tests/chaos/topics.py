"""The topics of a long run: events written at a pace, and read back as they lie in the log when it is over."""

from __future__ import annotations

from collections.abc import Iterator

from confluent_kafka import Consumer, KafkaError, KafkaException, Producer, TopicPartition

from tests.chaos.judge import MARK
from tests.chaos.plan import Event
from tests.whole.stage import event as fields_of
from tests.whole.stage import number as phone_number
from tests.whole.stage import single_object

REJECTED_SERVICE = "0BAD"
_END_USERS = 10_000
_NUMBER = "chaos-number"
"""A header of ours, which goes into the dead-letter topic with its record."""

_ANSWER_SECONDS = 30.0
_NOTHING_BELOW_ALERT = 1
"""A broker that is gone is part of the plan."""


class EventProducer:
    """Writes events, each once, however often the broker goes away meanwhile."""

    def __init__(self, bootstrap_servers: str, topic: str) -> None:
        self._topic = topic
        self._producer = Producer(
            {
                "bootstrap.servers": bootstrap_servers,
                "enable.idempotence": True,
                "delivery.timeout.ms": 600_000,
                "linger.ms": 20,
                "partitioner": "murmur2_random",
                "log_level": _NOTHING_BELOW_ALERT,
            }
        )

    def write(self, event: Event) -> None:
        """Queue one."""
        mark, end_user = f"{MARK}{event.number}", event.number % _END_USERS
        if event.fate == "undecodable":
            value = b"\x01 not Avro"
        elif event.fate == "rejected":
            value = single_object(fields_of(mark, end_user, serviceId=REJECTED_SERVICE))
        else:
            value = single_object(fields_of(mark, end_user))
        key = phone_number(end_user).encode()
        header = (_NUMBER, str(event.number).encode())
        self._producer.produce(self._topic, value, key, headers=[header], on_delivery=_or_raise)
        self._producer.poll(0)

    def flush(self) -> None:
        """Wait until the broker has them all. Raises TimeoutError after ten minutes."""
        if self._producer.flush(600):
            raise TimeoutError("Kafka did not take all events")


def _or_raise(error: KafkaError | None, _message: object) -> None:
    if error is not None:
        raise KafkaException(error)


def numbers_in(bootstrap_servers: str, topic: str) -> Iterator[tuple[int, int]]:
    """The number of each event that the topic has, with its partition. Others have none, such as the marks that the
    commands `dlq` and `retry` write: they are passed over."""
    consumer = Consumer(
        {
            "bootstrap.servers": bootstrap_servers,
            "group.id": "chaos-reader",
            "enable.partition.eof": True,
            "log_level": _NOTHING_BELOW_ALERT,
        }
    )
    try:
        partitions = consumer.list_topics(topic, _ANSWER_SECONDS).topics[topic].partitions
        consumer.assign([TopicPartition(topic, each, 0) for each in partitions])
        ended: set[int | None] = set()
        while len(ended) < len(partitions):
            for message in consumer.consume(1000, 1.0):
                error = message.error()
                if error is None:
                    if (number := number_of(message.headers() or [])) is not None:
                        yield number, message.partition() or 0
                elif error.code() == KafkaError._PARTITION_EOF:
                    ended.add(message.partition())
    finally:
        consumer.close()


def number_of(headers: dict[str, str | bytes | None] | list[tuple[str, str | bytes | None]]) -> int | None:
    """The number of an event, or of the dead letter made of it; None for a record of others."""
    number = dict(headers).get(_NUMBER)
    return None if number is None else int(number)


def unread(bootstrap_servers: str, group: str, *topics: str) -> int:
    """Records behind the group's commits."""
    consumer = Consumer({"bootstrap.servers": bootstrap_servers, "group.id": group, "log_level": _NOTHING_BELOW_ALERT})
    try:
        wanted = [
            TopicPartition(topic, each)
            for topic in topics
            for each in consumer.list_topics(topic, _ANSWER_SECONDS).topics[topic].partitions
        ]
        behind = 0
        for committed in consumer.committed(wanted, _ANSWER_SECONDS):
            first, end = consumer.get_watermark_offsets(committed, _ANSWER_SECONDS)
            behind += end - max(first, committed.offset)
        return behind
    finally:
        consumer.close()
