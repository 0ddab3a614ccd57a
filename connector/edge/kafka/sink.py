"""Copies to the retry and dead-letter topics: an idempotent producer, acks=all, its reports polled on a thread."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import threading
from collections import deque
from collections.abc import Callable, Mapping

from confluent_kafka import KafkaError, KafkaException, Message, Producer

from connector.core.record import Headers
from connector.core.signals import WriteFailed
from connector.deadline import in_time
from connector.edge.kafka.errors import name_of, row_of
from connector.edge.kafka.tokens import keep, lacks_token
from connector.edge.kafka.verdicts import NO_TOKEN, Action, Operation

_PROMISED: dict[str, object] = {
    "enable.idempotence": True,
    "acks": "all",
    # librdkafka's largest: the topic's own limit decides, and the headers get smaller when it says no.
    "message.max.bytes": 1_000_000_000,
    # Far below any topic's limit, so that a refusal for size means a record and never the batch around it.
    "batch.size": 65_536,
    # The topic's limit counts compressed bytes: a record that fitted compressed must fit here too.
    "compression.codec": "zstd",
    # None: a copy without an answer may be in the log, and only under the sequence number that it has will the broker
    # know it again. Written anew, it would be there twice.
    "message.timeout.ms": 0,
    # Half a minute by default before a topic that is not there is said to be missing: nothing would show until then.
    "topic.metadata.propagation.max.ms": 5_000,
    # A request for each copy costs more than the copy. At full speed with one event in fifty failing, 25 ms halve the
    # requests that 5 ms made; what waits for the copy is the record and its lane.
    "linger.ms": 25,
}

_POLL = 0.1
_FLUSH, _GOODBYE = 3.0, 3.5
"""Seconds for the copies under way, of which the drain left none that anybody waits for, and for all of the end."""

_FATAL = "fatal"


class KafkaSink:
    """Satisfies `engine.ports.Sink`. A fatal producer error makes a new producer: a copy may then exist twice."""

    def __init__(self, properties: Mapping[str, object], on_error: Callable[[str], None]) -> None:
        self._properties = {**_PROMISED, **properties, **{k: _PROMISED[k] for k in ("enable.idempotence", "acks")}}
        self._on_error = on_error
        self._loop = asyncio.get_running_loop()
        self._producer = self._new_producer()
        self._awaited = 0
        self._holds_unwanted = False
        self._useless: deque[Producer] = deque()
        self._replacing = threading.Lock()
        self._closing = threading.Event()
        self._ended = asyncio.Event()
        self._thread = threading.Thread(target=self._poll, name="kafka-producer", daemon=True)
        self._thread.start()

    async def write(self, topic: str, key: bytes | None, value: bytes | None, headers: Headers) -> WriteFailed | None:
        """Write one record; return None once all in-sync replicas have it, else why it failed.

        Takes as long as Kafka does, for ever if need be. Cancelled, it gives the record up: once nobody waits for
        anything that the producer holds, all of that is thrown away, or it would get into the log later.
        """
        answered: asyncio.Future[WriteFailed | None] = self._loop.create_future()

        def report(error: KafkaError | None, _message: Message) -> None:
            self._call_soon(_answer, answered, None if error is None else _failed(error))

        try:
            self._producer.produce(topic, value, key, on_delivery=report, headers=list(headers))
        except BufferError:
            return WriteFailed("queue_full", too_large=False)
        except KafkaException as raised:
            return _failed(raised.args[0])
        self._awaited += 1
        try:
            return await answered
        except asyncio.CancelledError:
            self._holds_unwanted = True
            raise
        finally:
            self._awaited -= 1
            if self._holds_unwanted and not self._awaited:
                self._holds_unwanted = False
                self._throw_away(self._producer)

    async def close(self) -> None:
        """Flush what is under way, and stop the thread; bounded, whatever the client waits for."""
        self._closing.set()
        try:
            await in_time(self._ended.wait(), _GOODBYE)
        except TimeoutError:
            self._on_error("close_timed_out")

    def _new_producer(self) -> Producer:
        properties = {**self._properties, "error_cb": self._on_client_error}
        producer = Producer(properties, logger=logging.getLogger("librdkafka"))
        keep(producer, properties)
        return producer

    def _on_client_error(self, error: KafkaError) -> None:
        self._call_soon(self._on_error, NO_TOKEN.name if lacks_token(error) else name_of(error))

    def _poll(self) -> None:
        while not self._closing.is_set():
            producer = self._producer
            try:
                producer.poll(_POLL)
            except KafkaException as fatal:  # whatever its error_cb does, the client raises these
                self._on_client_error(fatal.args[0])
                self._throw_away(producer)
            self._purge()
        self._purge()
        with contextlib.suppress(KafkaException):
            self._producer.flush(_FLUSH)
        self._call_soon(self._ended.set)

    def _throw_away(self, producer: Producer) -> None:
        """Go on with a new one, so that nothing that is written from now on is purged with it."""
        with self._replacing:
            if producer is self._producer:
                self._producer = self._new_producer()
                self._useless.append(producer)

    def _purge(self) -> None:
        """What a useless producer holds is reported as failed: its writes would wait for ever."""
        while self._useless:
            useless = self._useless.popleft()
            useless.purge()
            with contextlib.suppress(KafkaException):
                useless.flush(_FLUSH)

    def _call_soon(self, call: Callable[..., None], *arguments: object) -> None:
        try:
            self._loop.call_soon_threadsafe(call, *arguments)
        except RuntimeError:  # the event loop is closed: nobody waits for this report
            pass


def _answer(answered: asyncio.Future[WriteFailed | None], failed: WriteFailed | None) -> None:
    if not answered.done():
        answered.set_result(failed)


def _failed(error: KafkaError) -> WriteFailed:
    action = row_of(Operation.COPY, error).action
    code = _FATAL if error.fatal() or action is Action.NEW_CLIENT else name_of(error)
    return WriteFailed(code, too_large=action is Action.SMALLER)
