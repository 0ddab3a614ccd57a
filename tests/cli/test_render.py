"""`connector render`: what would be posted, without posting it."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import typer

from connector.cli.event_files import single
from connector.cli.generate import events
from connector.cli.preview import built, headers
from connector.config import load
from connector.core.refusal import Refusal
from connector.core.request import RequestRules
from connector.core.trace import TraceContext
from connector.runtime import parts, policies
from tests.cli.conftest import EVENT, PASSWORD, PHONE_NUMBER, VALUE, Run
from tests.support.raw_http import Peer, raw_server

Configure = Callable[..., Path]
TRACE = TraceContext("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", "rojo=1")


async def test_the_headers_shown_are_the_headers_sent(config_file: Configure) -> None:
    """All of them, but Host, which is the URL's; and the credential masked."""

    async def accept(peer: Peer) -> None:
        await peer.request()
        await peer.answer(X_Request_Id="x")

    async with raw_server(accept) as server:
        tls = {"name_header": "X-Agreed", "name": "us"}
        settings = load(config_file({"base_url": server.url, "tls": tls}), {})
        result = built(EVENT, policies.request_rules(settings.openmarket))
        assert not isinstance(result, Refusal)
        invoker = parts.invoker(settings)
        await invoker.invoke(result[1], TRACE)
        await invoker.close()
    sent = dict(server.requests[0].headers)
    del sent["host"]
    shown = {name.lower(): value for name, value in headers(result[1], settings, TRACE, reveal=True).items()}
    assert shown.pop("authorization") == "Basic ***"
    assert sent.pop("authorization").startswith("Basic ")
    assert shown == sent
    assert headers(result[1], settings, TRACE)["tracestate"] == "string of 6 characters"


def test_an_event_is_shown_as_the_request_that_it_becomes(connector: Run, config_file: Configure) -> None:
    """Method, URL, headers, body; what was put right is named."""
    result = connector("render", "--reveal", "--config", config_file(), given=json.dumps(EVENT))
    assert result.exit_code == 0
    assert result.stdout.startswith(
        "# line 1\nPOST https://servicemanager.openmarket.com/service/v1/invokeService/0A1B\nAuthorization: Basic ***\n"
    )
    body = {"endUser": {"phoneNumber": PHONE_NUMBER}, "variables": {"session": {"seatLocation": VALUE}}}
    assert json.dumps(body, separators=(",", ":")) in result.stdout
    assert "phone_number_plus" in result.stdout


def test_nothing_personal_is_shown_without_reveal(connector: Run, config_file: Configure) -> None:
    """Its output ends in tickets."""
    output = connector("render", "--config", config_file(), given=json.dumps(EVENT)).output
    assert not any(secret in output for secret in (PASSWORD, PHONE_NUMBER, VALUE))
    assert '"phoneNumber":"…23"' in output


def test_the_vendors_password_is_not_needed(connector: Run, config_file: Configure, tmp_path: Path) -> None:
    """Whoever looks at an event need not be able to post it."""
    file = config_file()
    (tmp_path / "password").unlink()
    assert connector("render", "--config", file, given=json.dumps(EVENT)).exit_code == 0


def test_a_refusal_names_every_problem_and_no_value(connector: Run, config_file: Configure) -> None:
    """Exit code 1; the events after it are rendered all the same."""
    bad = {**EVENT, "phoneNumber": "01234567", "variables": {"nowhere": {"key": VALUE}}}
    result = connector("render", "--config", config_file(), given=f"{json.dumps(bad)}\n{json.dumps(EVENT)}\n")
    assert result.exit_code == 1
    assert "refused at request: national_phone_number" in result.stdout
    assert "unknown_scope" in result.stdout
    assert "# line 2\nPOST " in result.stdout
    assert VALUE not in result.output


def test_events_are_read_from_a_file(connector: Run, config_file: Configure, event_file: Path) -> None:
    """Or from standard input."""
    assert connector("render", event_file, "--config", config_file()).exit_code == 0


@pytest.mark.parametrize("given", ["[1]", "{", "nonsense"])
def test_a_line_that_is_no_object_is_a_usage_error(connector: Run, config_file: Configure, given: str) -> None:
    """Named by its number, without its content."""
    result = connector("render", "--config", config_file(), given=f"\n{given}\n")
    assert result.exit_code == 2
    assert "line 2" in result.stderr


def test_a_topic_needs_an_offset(connector: Run, config_file: Configure) -> None:
    """One record, never a stream of them."""
    assert connector("render", "--topic", "invocations", "--config", config_file()).exit_code == 2


def test_generated_events_are_requests() -> None:
    """Each of them, under the strict rules."""
    rules = RequestRules(service_ids=None)
    assert not [fields for fields in events(500, seed=1) if isinstance(built(fields, rules), Refusal)]


def test_generated_phone_numbers_are_nobodys() -> None:
    """Reserved for fiction: NANP 555-0100 to 0199, Ofcom 07700 900000 to 900999."""
    numbers = {str(fields["phoneNumber"]) for fields in events(2000, seed=2)}
    assert all(
        (len(number) == 11 and number[0] == "1" and number[4:9] == "55501")
        or (len(number) == 12 and number.startswith("447700900"))
        for number in numbers
    )


def test_the_same_seed_generates_the_same_events() -> None:
    """And another one others."""
    assert [*events(50, seed=3)] == [*events(50, seed=3)]
    assert [*events(50, seed=3)] != [*events(50, seed=4)]


def test_a_field_that_no_event_has_is_refused() -> None:
    """A misspelt expiresAt would make an event that never expires."""
    with pytest.raises(typer.BadParameter, match="expiresAt"):
        single(io.BytesIO(b'{"eventId": "e", "expiresat": 1}'))


def test_no_file_is_written_for_the_password_that_is_not_needed(config_file: Configure) -> None:
    """A pod's root cannot be written: with a bound of 0 on files no temporary one can be made either."""
    words = [sys.executable, "-m", "connector", "render", "--config", str(config_file())]
    done = subprocess.run(
        ["sh", "-c", 'ulimit -f 0; exec "$@"', "sh", *words],
        input=json.dumps(EVENT),
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
