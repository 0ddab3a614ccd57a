"""Logging: structlog's chain to one byte stream, without structlog's global configuration.

One line does not pass the chain: that of an accepted record, which is written for every event. The chain costs
some 10 µs; rendered straight to bytes and gathered for at most 50 ms it costs two, in the same shape. It needs
no redaction: an event id that could show a phone number is hashed before, and the rest is the vendor's request id.
"""

from __future__ import annotations

import logging
import re
import sys
from collections.abc import Callable, Collection, MutableMapping
from typing import Any, Literal, TextIO

import orjson
import structlog
from structlog.typing import FilteringBoundLogger, Processor
from typing_extensions import override

from connector.observe.accepted_line import AcceptedLine, Stamp, accepted_line
from connector.observe.lines import Lines, Stream
from connector.observe.metrics import Series
from connector.observe.redaction import Redaction
from connector.observe.sampling import Sampler
from connector.observe.stderr import Stderr

_LIBRARY_LINES_A_SECOND = 5  # of one library's logger: three Kafka clients without a broker say 30
_SAID_EVERY = 60.0  # seconds: librdkafka says why a connection fails at each try, in each of its clients
_VARYING = re.compile(r"\[[^\]]*\]|\(after [^)]*\)")  # the client and its thread, and how long it took

Level = Literal["debug", "info", "warning", "error"]
Format = Literal["auto", "json", "console"]


class Logs:
    """A logger and the way to close it. `accepted_line` is None where people read: there the chain is right.

    `hide` takes secrets that came later, which no line may show from then on. `dropped` counts lines that could not be
    written.
    """

    dropped: Series

    def __init__(
        self,
        stream: Stream,
        now_ms: Callable[[], int],
        level: Level = "info",
        format: Format = "auto",  # noqa: A002 - the setting's name
        secrets: Collection[str] = (),
    ) -> None:
        """`now_ms`: wall clock, ms since the epoch. `secrets`: values that no line may show."""
        as_json = format == "json" or (format == "auto" and not stream.isatty())
        self._lines = Lines(stream, self._tell_dropped)
        self.dropped = self._lines.dropped
        stamp = Stamp()
        redaction = Redaction(secrets)
        self.hide = redaction.hide
        self.logger: FilteringBoundLogger = structlog.wrap_logger(
            _Output(self._lines),
            processors=[
                structlog.processors.add_log_level,
                _timestamp(stamp, now_ms),
                structlog.processors.format_exc_info,  # a plain traceback: no locals, which hold the event
                _in_order,
                redaction,
                *_renderer(as_json, colors=stream.isatty()),
            ],
            wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[level.upper()]),
        )
        shows_accepted = as_json and level in ("debug", "info")
        self.accepted_line: AcceptedLine | None = accepted_line(self._lines, stamp) if shows_accepted else None
        self._handler = _Handler(self.logger, now_ms)
        self._stderr = Stderr(lambda text: self.logger.error(text, logger="stderr"))
        self._replaced: TextIO | None = None

    def take_over(self) -> None:
        """Send whatever else this process says through the same chain, until `close`.

        That is the warnings and errors of libraries (aiohttp, asyncio) and Python's own, nothing below, whatever the
        level: what a library says while debugging may show a request. And what is written to `sys.stderr`, as the
        traceback of a thread is: a stream that nobody reads must not stop who writes there.
        """
        root = logging.getLogger()
        root.addHandler(self._handler)
        root.setLevel(logging.WARNING)
        logging.captureWarnings(True)
        self._replaced, sys.stderr = sys.stderr, self._stderr

    def close(self) -> None:
        """Write what waits, for a second at most, and give back what was taken over. The last thing to do."""
        logging.getLogger().removeHandler(self._handler)
        if self._replaced is not None:
            logging.captureWarnings(False)
            sys.stderr, self._replaced = self._replaced, None
        self._lines.close()

    def _tell_dropped(self, count: int) -> None:
        self.logger.warning("lines_dropped", count=count)


class _Output:
    """What structlog calls a logger: takes the rendered line."""

    def __init__(self, lines: Lines) -> None:
        self._lines = lines

    def msg(self, line: bytes) -> None:
        self._lines.write(line)

    debug = info = warning = error = critical = exception = log = msg


class _Handler(logging.Handler):
    """Hands the standard library's log records to structlog's chain: no flood, and no louder than they are.

    librdkafka calls every failed connection an error and makes a new one in a moment: what ends the process comes as
    `source_failed`, so its own lines are warnings.
    """

    def __init__(self, logger: FilteringBoundLogger, now_ms: Callable[[], int]) -> None:
        super().__init__(logging.WARNING)
        self._log = logger
        self._now_ms = now_ms
        self._sampler = Sampler(_LIBRARY_LINES_A_SECOND)
        self._repeated = Sampler(1, _SAID_EVERY)

    @override
    def emit(self, record: logging.LogRecord) -> None:
        now = self._now_ms() / 1000
        for (name, _), count in (*self._sampler.over(now), *self._repeated.over(now)):
            self._log.warning("lines_left_out", of=name, count=count)
        is_kafka = record.name.startswith("librdkafka")
        try:
            message = record.getMessage()
        except (TypeError, ValueError):  # a library's message that does not fit its own arguments
            message = record.msg
        if is_kafka and not self._repeated.admit((record.name, _VARYING.sub("", str(message))), now):
            return
        if not self._sampler.admit((record.name, ""), now):
            return
        is_error = record.levelno >= logging.ERROR and not is_kafka
        write = self._log.error if is_error else self._log.warning
        write(str(message), logger=record.name, exc_info=record.exc_info)


def _timestamp(stamp: Stamp, now_ms: Callable[[], int]) -> Processor:
    def add(_logger: object, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
        event["timestamp"] = stamp(now_ms())
        return event

    return add


def _in_order(_logger: object, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """What every line has comes first; what is not there is left out."""
    order = {"timestamp": None, "level": None, "event": None}
    return {key: value for key, value in {**order, **event}.items() if value is not None}


def _renderer(as_json: bool, colors: bool) -> list[Processor]:
    if as_json:
        return [lambda _, __, event: orjson.dumps(event, None, orjson.OPT_APPEND_NEWLINE)]
    console = structlog.dev.ConsoleRenderer(colors=colors, exception_formatter=structlog.dev.plain_traceback)
    return [console, lambda _, __, text: f"{text}\n".encode()]
