"""The driver and the decoder that trace. Nobody imports this unless tracing is on: the extra may not be there."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine, Iterator, Mapping

from typing_extensions import override

from connector.core.envelope import TRACEPARENT, traced
from connector.core.mapping.errors import NotOurs
from connector.core.record import Partition, Record
from connector.core.refusal import Refusal
from connector.core.reply import Answer
from connector.core.signals import SchemaMissing, SchemaNeeded, WriteFailed
from connector.core.trace import TraceContext, span_ids, traceparent_of
from connector.edge.otel.spans import OpenSpan, Spans
from connector.engine.engine import Engine
from connector.engine.messages import Post, Write
from connector.engine.partition import Delivery
from connector.engine.ports import Decoder
from connector.observe.histogram import Exemplars, TracedSpan
from connector.runtime.driver import Driver, Ports
from connector.runtime.untraced import Untraced

_NS = 1e9


class Traced(Untraced):
    """A process whose records have spans. `most`: records that can be in hand at once."""

    def __init__(self, spans: Spans, most: int, close: Callable[[], Awaitable[None]]) -> None:
        self.exemplars: Exemplars = Exemplars()
        self._spans = spans
        self._decodes = Decodes(most)
        self._close = close

    @override
    def decoder(self, decoder: Decoder) -> Decoder:
        return TracedDecoder(decoder, self._decodes, self._spans)

    @override
    def driver(self, ports: Ports, engine: Engine) -> Driver:
        return TracedDriver(ports, engine, self._spans, self._decodes, self.exemplars)

    @override
    async def close(self) -> None:
        await self._close()


class Decodes:
    """When records were decoded, until the first thing is done about them. Those settled with nothing to do (a repeat,
    a partition that leaves) are forgotten when there are more than can be in hand."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._at: dict[tuple[str, int, int], tuple[int, int]] = {}

    def note(self, record: Record, began: int, ended: int) -> None:
        """A record was decoded from and until then."""
        self._at.pop(_key(record), None)
        self._at[_key(record)] = began, ended
        if len(self._at) > self._most:
            del self._at[next(iter(self._at))]

    def take(self, partition: Partition, offset: int) -> tuple[int, int] | None:
        """When that was, of the record there; None the second time."""
        return self._at.pop((*partition, offset), None)

    def __len__(self) -> int:
        """How many are remembered."""
        return len(self._at)


def _key(record: Record) -> tuple[str, int, int]:
    return (*record.partition, record.offset)


class TracedDecoder:
    """`engine.ports.Decoder` that notes when each record was decoded."""

    def __init__(self, decoder: Decoder, decodes: Decodes, spans: Spans) -> None:
        self._decoder = decoder
        self._decodes = decodes
        self._now = spans.now

    def decode(self, record: Record) -> Mapping[str, object] | Refusal | NotOurs | SchemaNeeded:
        """Decode now; one that waits for its schema is decoded again."""
        began = self._now()
        fields = self._decoder.decode(record)
        if not isinstance(fields, SchemaNeeded | NotOurs):
            self._decodes.note(record, began, self._now())
        return fields

    async def fetch(self, needed: SchemaNeeded, newest: int) -> SchemaMissing | None:
        """As the decoder does."""
        return await self._decoder.fetch(needed, newest)


class TracedDriver(Driver):
    """Makes spans of what it carries out, under the producer's; each delivery's own `trace` is its first one's.

    Only what is kept is traced: where the sampler says no, a post shows the producer's trace context, as without
    tracing.
    """

    def __init__(self, ports: Ports, engine: Engine, spans: Spans, decodes: Decodes, exemplars: Exemplars) -> None:
        super().__init__(ports, engine)
        self._spans = spans
        self._decodes = decodes
        self._exemplars = exemplars
        self._posts: dict[Delivery, OpenSpan] = {}

    @override
    def stop(self) -> None:
        """What is given up has its span, too: it may have been delivered."""
        super().stop()
        while self._posts:
            self._spans.end(self._posts.popitem()[1], "abandoned")

    @override
    def _post(self, effect: Post) -> None:
        delivery = effect.delivery
        parent = self._parent(delivery)
        post = None if parent is None else self._spans.posting(parent, delivery.shown_service, dict(_post(delivery)))
        if post is None:
            super()._post(effect)
            return
        self._posts[delivery] = post
        delivery.trace = post.trace
        super()._post(effect)
        delivery.trace = parent
        if not delivery.posting and (unsent := self._posts.pop(delivery, None)) is not None:
            self._spans.end(unsent, "fault")  # a bug of ours kept it from being posted

    @override
    def _answered(self, delivery: Delivery, answer: Answer) -> None:
        post = self._posts.pop(delivery, None)
        if post is None:
            super()._answered(delivery, answer)
            return
        at, ids = self._spans.now(), span_ids(post.trace.parent)
        self._exemplars.span = TracedSpan(ids.trace_id, ids.span_id, at / _NS)
        super()._answered(delivery, answer)
        self._exemplars.span = None
        self._spans.answered(post, answer, dict(_outcome(delivery)), at)

    @override
    def _copy(self, effect: Write) -> Coroutine[None, None, WriteFailed | None]:
        return self._traced_copy(effect)

    async def _traced_copy(self, effect: Write) -> WriteFailed | None:
        delivery = effect.copy.delivery
        parent = self._parent(delivery)
        known = {**dict(_event(delivery)), "invoke.class": effect.copy.destination.cause.code}
        copy = None if parent is None else self._spans.copying(effect.topic, parent, known)
        if copy is None:
            return await super()._copy(effect)
        error: str | None = "abandoned"
        try:
            failed = await super()._copy(effect._replace(headers=traced(effect.headers, copy.trace.parent)))
            error = None if failed is None else failed.code
        finally:
            self._spans.end(copy, error)
        return failed

    def _parent(self, delivery: Delivery) -> TraceContext | None:
        """The trace context above what is done about a delivery; None where nothing of it is kept."""
        origin = delivery.history.origin  # a copy is decoded as the record that it is a copy of
        decoded = self._decodes.take(origin.partition, origin.offset)
        if decoded is not None and self._spans.may_keep(delivery.trace):
            record, known = delivery.record, dict(_event(delivery))
            if delivery.refused is not None:
                known["error.type"] = delivery.refused.cause.code
            # Of a redriven record that came here again the last one is the copy's.
            earlier = traceparent_of(record.headers[::-1], TRACEPARENT)
            made = self._spans.processed(record, decoded, delivery.trace, earlier, known)
            delivery.trace = made or delivery.trace
        above = delivery.trace
        return above if above is not None and span_ids(above.parent).sampled else None


def _event(delivery: Delivery) -> Iterator[tuple[str, str | int]]:
    if delivery.event_id is not None:
        yield "invoke.event_id", delivery.event_id


def _post(delivery: Delivery) -> Iterator[tuple[str, str | int]]:
    yield from _event(delivery)
    if delivery.tries:
        yield "http.request.resend_count", delivery.tries


def _outcome(delivery: Delivery) -> Iterator[tuple[str, str | list[str]]]:
    if (outcome := delivery.outcome) is not None:
        yield "invoke.outcome", outcome.code
        if outcome.request_id is not None:
            yield "http.response.header.x-request-id", [outcome.request_id]
