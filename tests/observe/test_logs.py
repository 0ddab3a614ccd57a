"""Log lines: their shape, what they never show, and when they are written."""

from __future__ import annotations

import io
import logging
import re
import string
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

import orjson
import pytest
import structlog
from hypothesis import assume, given
from hypothesis import strategies as st

from connector.core.envelope import History, Origin, fresh
from connector.core.record import Partition, Record
from connector.observe.accepted_line import Stamp
from connector.observe.events import Events
from connector.observe.logs import Format, Level, Logs
from connector.observe.metrics import Metrics
from connector.observe.redaction import Redaction

NOW_MS = 1_769_904_000_123  # 2026-02-01T00:00:00.123Z
PHONE = "12515550123"
RECORD = Record(Partition("invocations-20260201", 3), 123_456_789, 0, None, b"x")


class Terminal(io.BytesIO):
    def isatty(self) -> bool:
        return True


@contextmanager
def logging_to(
    stream: io.BytesIO, level: Level = "info", form: Format = "auto", secrets: tuple[str, ...] = ()
) -> Iterator[Logs]:
    logs = Logs(stream, lambda: NOW_MS, level, form, secrets)
    try:
        yield logs
    finally:
        logs.close()


def written(stream: io.BytesIO) -> list[dict[str, object]]:
    return [orjson.loads(line) for line in stream.getvalue().splitlines()]


def test_a_line_is_one_json_object_with_level_and_time() -> None:
    with logging_to(stream := io.BytesIO()) as logs:
        logs.logger.warning("retried", code="rate_limited", status=429, request_id=None)
    assert written(stream) == [
        {
            "event": "retried",
            "code": "rate_limited",
            "status": 429,
            "level": "warning",
            "timestamp": "2026-02-01T00:00:00.123Z",
        }
    ]


def test_on_a_terminal_lines_are_for_people() -> None:
    with logging_to(stream := Terminal()) as logs:
        logs.logger.info("ready")
        assert logs.accepted_line is None
    assert b"ready" in stream.getvalue()
    assert b"{" not in stream.getvalue()


def test_json_can_be_asked_for_on_a_terminal() -> None:
    with logging_to(stream := Terminal(), form="json") as logs:
        logs.logger.info("ready")
    assert written(stream)[0]["event"] == "ready"


def test_what_is_below_the_level_is_not_written() -> None:
    with logging_to(stream := io.BytesIO(), "warning") as logs:
        logs.logger.info("ready")
        logs.logger.error("dead_lettered")
        assert logs.accepted_line is None
    assert [line["event"] for line in written(stream)] == ["dead_lettered"]


def test_no_global_configuration_of_structlog_is_touched() -> None:
    with logging_to(io.BytesIO()):
        assert not structlog.is_configured()


# The accepted record's line.


@pytest.mark.parametrize("request_id", ["id-1", None, "caf\N{LATIN SMALL LETTER E WITH ACUTE}"])
@pytest.mark.parametrize("trace_id", ["0af7651916cd43dd8448eb211c80319c", None])
@pytest.mark.parametrize(
    "history",
    [
        fresh(RECORD),
        History(Origin(Partition(PHONE, 3), 1_234_567, None), attempts=1),
        History(Origin(RECORD.partition, RECORD.offset, None), attempts=2, maybe_delivered=1),
    ],
)
def test_the_short_way_writes_the_line_that_the_chain_would_write(
    request_id: str | None, trace_id: str | None, history: History
) -> None:
    """The topic of the origin is free text of a header, and on neither."""
    with logging_to(stream := io.BytesIO()) as logs:
        assert logs.accepted_line is not None
        logs.accepted_line(RECORD, history, "order-7", request_id, 0.0421, NOW_MS, trace_id)
        chain = Events(Metrics(), logs.logger, log_accepted=True)
        chain._plain_accepted_line(RECORD, history, "order-7", request_id, 0.0421, NOW_MS, trace_id)
    short, long = stream.getvalue().splitlines()
    assert short == long
    assert b'"event":"accepted"' in short
    assert PHONE.encode() not in short


@pytest.mark.parametrize(
    ("now_ms", "text"),
    [(0, "1970-01-01T00:00:00.000Z"), (NOW_MS, "2026-02-01T00:00:00.123Z"), (999, "1970-01-01T00:00:00.999Z")],
)
def test_a_stamp_is_utc_with_milliseconds(now_ms: int, text: str) -> None:
    assert Stamp()(now_ms) == text


# What no line shows.


@pytest.mark.parametrize(
    "text",
    [
        f"value {PHONE} of phoneNumber",
        "call +1 (251) 555-0123",
        "Authorization: Basic MTIzLTQ1NjpzM2NyZXQ=",
        "bearer eyJhbGciOiJIUzI1NiJ9.e30.abc",
        "password=hunter2",
        '"token": "abc"',
        "http://user:hunter2@host/",
        "the password is Tr0ub4dor",
    ],
)
def test_no_free_text_shows_a_phone_number_or_a_credential(text: str) -> None:
    with logging_to(stream := io.BytesIO(), secrets=("Tr0ub4dor",)) as logs:
        logs.logger.error("dead_lettered", reason=text, nested={"list": [text, {"deep": text}]})
    (line,) = written(stream)
    assert line["event"] == "dead_lettered"
    assert "[secret]" in str(line["reason"]) or "[number]" in str(line["reason"])
    for secret in (PHONE, "555-0123", "MTIz", "eyJh", "hunter2", '"abc', "Tr0ub4dor"):
        assert secret.encode() not in stream.getvalue()


@pytest.mark.parametrize("secret", ["conn", "route", "accept", "dead", "letter", "Winter26"])
def test_a_secret_within_another_word_is_left_for_what_it_is(secret: str) -> None:
    """A mask there garbles the line, and says what the secret is."""
    words = (
        f"connector, routes, accepted, dead_lettered, myWinter26x; alone: {secret}, ({secret}) :{secret}@ '{secret}'"
    )
    with logging_to(stream := io.BytesIO(), secrets=(secret,)) as logs:
        logs.logger.error("dead_lettered", reason=words)
    assert written(stream)[0]["reason"] == (
        "connector, routes, accepted, dead_lettered, myWinter26x; alone: [secret], ([secret]) :[secret]@ '[secret]'"
    )


@pytest.mark.parametrize("joined", ["b'x\\nhunter-2'", "x%20hunter-2", "x\nhunter-2", "x\\thunter-2\\n"])
def test_an_escape_before_a_secret_is_no_part_of_its_word(joined: str) -> None:
    with logging_to(stream := io.BytesIO(), secrets=("hunter-2",)) as logs:
        logs.logger.error("dead_lettered", reason=joined)
    assert written(stream)[0]["reason"] == joined.replace("hunter-2", "[secret]")


def test_a_long_secret_is_hidden_within_anything() -> None:
    """No word has sixteen characters by chance that a secret has, too."""
    with logging_to(stream := io.BytesIO(), secrets=("Zm9yIHJhaWxzIGFu",)) as logs:
        logs.logger.error("dead_lettered", reason="xZm9yIHJhaWxzIGFux")
    assert written(stream)[0]["reason"] == "x[secret]x"


@pytest.mark.parametrize("secret", ["error", "dead_lettered", "2026"])
def test_what_we_write_ourselves_is_never_masked(secret: str) -> None:
    """A line without its level or its name is lost to whoever looks for it."""
    with logging_to(stream := io.BytesIO(), secrets=(secret,)) as logs:
        logs.logger.error("dead_lettered", reason=f"{secret}, alone")
    assert written(stream) == [
        {
            "timestamp": "2026-02-01T00:00:00.123Z",
            "level": "error",
            "event": "dead_lettered",
            "reason": "[secret], alone",
        }
    ]


def test_what_a_library_says_is_masked() -> None:
    with logging_to(stream := io.BytesIO(), secrets=("hunter-2",)) as logs:
        logs.take_over()
        logging.getLogger("aiohttp.server").error("Unhandled %s", "hunter-2")
    assert [line["event"] for line in written(stream)] == ["Unhandled [secret]"]


@given(
    secret=st.text(string.ascii_letters + string.digits + "_-!", min_size=4, max_size=24),
    around=st.lists(st.text(string.printable, max_size=12), min_size=2, max_size=4),
)
def test_a_secret_that_stands_alone_is_never_shown(secret: str, around: list[str]) -> None:
    """Whatever stands before and after its spaces; and the rest of the line is there."""
    assume("[secret]" not in secret and not any(secret in text for text in around))
    told = Redaction([secret])._without_secrets(f" {secret} ".join(around))
    assert re.search(rf"(?<!\w){re.escape(secret)}(?!\w)", told.replace("[secret]", "")) is None
    assert told.count("[secret]") >= len(around) - 1


def test_a_secret_that_came_later_is_hidden_and_the_one_before_still() -> None:
    with logging_to(stream := io.BytesIO(), secrets=("hunter-one",)) as logs:
        logs.hide(["hunter-two"])
        logs.logger.error("dead_lettered", reason="hunter-one", event_id="hunter-two")
    (line,) = written(stream)
    assert (line["reason"], line["event_id"]) == ("[secret]", "[secret]")


@pytest.mark.parametrize("secrets", [("Winter26", "Winter26!"), ("Winter26!", "Winter26")])
def test_of_a_secret_that_begins_with_another_nothing_is_left(secrets: tuple[str, str]) -> None:
    """New passwords are often old ones with something at their end."""
    with logging_to(stream := io.BytesIO(), secrets=secrets[:1]) as logs:
        logs.hide(secrets[1:])
        logs.logger.error("dead_lettered", reason="Winter26!")
    assert written(stream)[0]["reason"] == "[secret]"


def test_of_secrets_that_came_and_went_the_last_hundred_are_hidden() -> None:
    """One that is in use stays however often another changes, since all in use are given each time."""
    with logging_to(stream := io.BytesIO(), secrets=("in use", "changing 0")) as logs:
        for number in range(1, 101):
            logs.hide(["in use", f"changing {number}."])
        logs.logger.error("dead_lettered", reason="in use, changing 0, changing 2., changing 100.")
    assert written(stream)[0]["reason"] == "[secret], changing 0, [secret], [secret]"


def test_ids_stay_whole_so_that_they_can_be_searched_for() -> None:
    ids = {"event_id": "order-1234567", "request_id": "1485-1234567-890", "trace_id": "0" * 31 + "1"}
    with logging_to(stream := io.BytesIO()) as logs:
        logs.logger.error("dead_lettered", **ids)
    assert ids.items() <= written(stream)[0].items()


def test_numbers_such_as_offsets_stay_whole() -> None:
    with logging_to(stream := io.BytesIO()) as logs:
        logs.logger.error("dead_lettered", offset=123456789)
    assert written(stream)[0]["offset"] == 123456789


def test_an_objects_repr_is_never_shown() -> None:
    with logging_to(stream := io.BytesIO()) as logs:
        logs.logger.error("dead_lettered", reason=ValueError(PHONE), raw=PHONE.encode())
    assert written(stream)[0]["reason"] == "ValueError"
    assert PHONE.encode() not in stream.getvalue()


@pytest.mark.parametrize("form", ["json", "console"])
def test_a_traceback_shows_no_locals_and_no_number(form: Format) -> None:
    with logging_to(stream := io.BytesIO(), form=form) as logs:
        phone_number = PHONE
        try:
            int(phone_number + "x")
        except ValueError:
            logs.logger.error("dead_lettered", exc_info=True)
    assert b"ValueError: invalid literal for int() with base 10: '[number]x'" in stream.getvalue()
    assert PHONE.encode() not in stream.getvalue()


def test_a_text_that_is_not_utf_8_is_still_written() -> None:
    with logging_to(stream := io.BytesIO()) as logs:
        logs.logger.error("dead_lettered", reason="caf\udce9", request_id="\udce9")
    assert written(stream)[0]["reason"] == "caf?"


# The libraries' own logging.


def test_warnings_of_libraries_pass_the_same_chain() -> None:
    with logging_to(stream := io.BytesIO()) as logs:
        logs.take_over()
        logging.getLogger("aiohttp.server").error("Unhandled %s", PHONE)
        logging.getLogger("asyncio").info("chatter")
    assert written(stream) == [
        {
            "event": "Unhandled [number]",
            "logger": "aiohttp.server",
            "level": "error",
            "timestamp": "2026-02-01T00:00:00.123Z",
        }
    ]


def test_librdkafkas_failed_connections_are_warnings_and_no_flood() -> None:
    """It makes a new connection in a moment, and each of its clients says each failure; other lines still show."""
    with logging_to(stream := io.BytesIO()) as logs:
        logs.take_over()
        for number in range(100):
            client = f"[rdkafka#consumer-{number % 4}] [thrd:b:1]"
            logging.getLogger("librdkafka").error(
                f"FAIL {client}: b:1: Connection refused (after {number}ms in CONNECT)"
            )
        logging.getLogger("librdkafka").error("FAIL [rdkafka#consumer-1]: b:2: SSL handshake failed")
    lines = written(stream)
    assert [line["level"] for line in lines] == ["warning", "warning"]
    assert "Connection refused" in str(lines[0]["event"])
    assert "SSL handshake failed" in str(lines[1]["event"])


def test_a_library_that_misuses_its_arguments_is_still_heard() -> None:
    with logging_to(stream := io.BytesIO()) as logs:
        record = logging.LogRecord("asyncio", logging.WARNING, "", 0, "%d fish", ("two",), None)
        logs._handler.emit(record)
    assert written(stream)[0]["event"] == "%d fish"


def test_after_close_libraries_have_their_logging_back() -> None:
    with logging_to(stream := io.BytesIO()) as logs:
        logs.take_over()
    logging.getLogger("asyncio").warning("after")
    assert stream.getvalue() == b""


# What else a process says.


def test_what_is_written_to_standard_error_is_a_line_like_the_others() -> None:
    """In one order with them, redacted, and never in anybody's way."""
    with logging_to(stream := io.BytesIO()) as logs:
        logs.take_over()
        logs.logger.info("ready")
        print("half of it, ", end="", file=sys.stderr)  # noqa: T201 - what libraries do
        print(f"and {PHONE}", file=sys.stderr)  # noqa: T201 - a print is what is tested
    assert [(line["level"], line["event"]) for line in written(stream)] == [
        ("info", "ready"),
        ("error", "half of it, and [number]"),
    ]


def test_a_warning_of_python_is_a_warning() -> None:
    with logging_to(stream := io.BytesIO()) as logs, warnings.catch_warnings():
        warnings.simplefilter("always")
        logs.take_over()
        warnings.warn("old", DeprecationWarning, stacklevel=1)
    (line,) = written(stream)
    assert (line["level"], line["logger"]) == ("warning", "py.warnings")
    assert "DeprecationWarning: old" in str(line["event"])


def test_after_close_standard_error_is_what_it_was() -> None:
    before = sys.stderr
    with logging_to(io.BytesIO()) as logs:
        logs.take_over()
        assert sys.stderr is not before
    assert sys.stderr is before


def test_lines_that_were_dropped_are_told_of_by_a_line() -> None:
    """Also where the log is for people."""
    for form in ("json", "console"):
        with logging_to(stream := io.BytesIO(), form=form) as logs:
            logs._tell_dropped(7)
        assert b"lines_dropped" in stream.getvalue()
        assert b"7" in stream.getvalue()
