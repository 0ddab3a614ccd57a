"""The trace context of a record."""

from __future__ import annotations

import pytest

from connector.core.trace import SpanIds, TraceContext, span_ids, trace_of, traceparent_of

FULL = b",".join(b"k%d=v" % n for n in range(32))
GOOD = b"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


def test_a_well_formed_traceparent_is_found_among_other_headers() -> None:
    """It goes on to the request as it is."""
    assert traceparent_of((("a", b"b"), ("traceparent", GOOD))) == GOOD.decode()


@pytest.mark.parametrize(
    "damaged",
    [None, b"", GOOD[:-1], GOOD.upper(), b"ff" + GOOD[2:], b"00-" + b"0" * 32 + GOOD[35:], GOOD + b"\r\nX: y"],
)
def test_a_damaged_traceparent_is_left_out(damaged: bytes | None) -> None:
    """What is not well-formed never reaches a request's headers."""
    assert traceparent_of((("traceparent", damaged),)) is None


def test_a_header_of_another_name_is_read_the_same_way() -> None:
    assert traceparent_of((("traceparent", GOOD), ("ours", GOOD[:-1] + b"0")), "ours") == GOOD.decode()[:-1] + "0"


@pytest.mark.parametrize(("flags", "sampled"), [("00", False), ("01", True), ("03", True), ("02", False)])
def test_the_first_flag_says_whether_the_trace_is_kept(flags: str, sampled: bool) -> None:
    ids = span_ids(f"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-{flags}")
    assert ids == SpanIds("4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7", sampled)


def state_of(*states: bytes | None) -> str | None:
    trace = trace_of((*(("tracestate", state) for state in states), ("traceparent", GOOD)))
    assert trace is not None
    assert trace.parent == GOOD.decode()
    return trace.state


@pytest.mark.parametrize(
    ("states", "passed_on"),
    [
        ([b"rojo=00f067aa0ba902b7,congo=t61rcWkgMzE"], "rojo=00f067aa0ba902b7,congo=t61rcWkgMzE"),
        ([b"rojo=1 \t, ,congo= a;b:c/~ "], "rojo=1,congo= a;b:c/~"),
        ([b"rojo=1", None, b"tenant@vendor=2"], "rojo=1,tenant@vendor=2"),
        ([b"rojo=1,congo=2,rojo=3"], "rojo=1,congo=2"),
        ([b"", b" , "], None),
        ([FULL], FULL.decode()),
    ],
)
def test_tracestate_goes_on_with_its_traceparent(states: list[bytes | None], passed_on: str | None) -> None:
    """Several headers are one list; empty members and a key's second one are left out."""
    assert state_of(*states) == passed_on


@pytest.mark.parametrize(
    "damaged",
    [
        b"rojo",
        b"rojo=",
        b"=1",
        b"Rojo=1",
        b"rojo=1=2",
        b"rojo=caf\xc3\xa9",
        b"rojo=1\r\nX: y",
        b"rojo=" + b"1" * 257,
        b"r" * 257 + b"=1",
        b"tenant@" + b"v" * 15 + b"=1",
        FULL + b",one-too-many=1",
        b"rojo=1," + b" " * 65_536,
    ],
)
def test_a_damaged_tracestate_is_left_out_as_a_whole_and_its_traceparent_stays(damaged: bytes) -> None:
    """What is not well-formed never reaches a request's headers."""
    assert state_of(b"good=1", damaged) is None


def test_a_tracestate_alone_is_nothing() -> None:
    assert trace_of((("tracestate", b"rojo=1"),)) is None
    assert trace_of((("tracestate", b"rojo=1"), ("traceparent", GOOD[:-1]))) is None


def test_of_a_long_tracestate_at_most_512_characters_go_on() -> None:
    """Members of more than 128 characters go first, the last of them before the others, and then the last members."""
    short = [b"k%d=%b" % (n, b"v" * 97) for n in range(1, 6)]  # 100 characters each
    long = [b"l%d=%b" % (n, b"v" * 126) for n in range(1, 3)]  # 129 each
    assert state_of(b",".join([long[0], *short[:2], long[1], short[2]])) == b",".join([long[0], *short[:3]]).decode()
    assert state_of(b",".join([*long, *short])) == b",".join(short).decode()
    assert state_of(b",".join([*short, b"last=" + b"v" * 8])) == b",".join(short).decode()
    assert state_of(b",".join([*short, b"k6=" + b"v" * 4])) == b",".join([*short, b"k6=vvvv"]).decode()


def test_the_headers_of_a_request_have_a_tracestate_where_there_is_one() -> None:
    assert TraceContext("p").headers() == {"traceparent": "p"}
    assert TraceContext("p", "a=1").headers() == {"traceparent": "p", "tracestate": "a=1"}
