"""Where settings come from, and what is said when they cannot be used."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from connector.config import ConfigError, Settings, load
from connector.config.fields import BY_NAME
from connector.config.problems import REMOVED
from tests.config.conftest import SMALLEST, Write


def problems(path: Path | None, environ: Mapping[str, str] | None = None) -> tuple[str, ...]:
    with pytest.raises(ConfigError) as raised:
        load(path, environ or {})
    return raised.value.problems


def test_a_file_of_the_required_settings_is_enough(write: Write) -> None:
    """Everything but the account and its address has a default."""
    settings = load(write(SMALLEST), {})
    assert (settings.retry.delay, settings.delivery.buffer_bytes) == (900.0, 64 * 1024 * 1024)


def test_the_environment_alone_is_enough(password: Path) -> None:
    """A deployment may have no file at all; lists are JSON."""
    environ = {
        "CONNECTOR_OPENMARKET__BASE_URL": "https://servicemanager.openmarket.com",
        "CONNECTOR_OPENMARKET__ACCOUNT_ID": "123456",
        "CONNECTOR_OPENMARKET__PASSWORD_FILE": str(password),
        "CONNECTOR_OPENMARKET__SERVICE_IDS": '["0A"]',
        "CONNECTOR_RETRY__DELAY": "3s",
        "HOME": "/root",
    }
    settings = load(None, environ)
    assert (settings.openmarket.service_ids, settings.retry.delay) == (("0A",), 3.0)


def test_the_environment_wins_over_the_file(write: Write) -> None:
    """One variable changes one setting and leaves its neighbours as the file has them."""
    file = write(SMALLEST + "kafka: {group_id: of-file, topics: {main: of-file}}")
    settings = load(file, {"CONNECTOR_KAFKA__TOPICS__MAIN": "of-environment"})
    assert (settings.kafka.group_id, settings.kafka.topics.main) == ("of-file", "of-environment")


def test_null_in_the_environment_is_null(write: Write) -> None:
    """A variable can take a file's value away."""
    file = write(SMALLEST + "kafka: {group_instance_id: one}")
    assert load(file, {"CONNECTOR_KAFKA__GROUP_INSTANCE_ID": "null"}).kafka.group_instance_id is None


def test_every_problem_is_told_at_once(write: Write) -> None:
    """Problems of sections, of fields, of the environment and between settings do not hide each other."""
    file = write("kafka: {gruop_id: x}\nretry: {delay: 48h}\ndelivery: {in_flight: 0}\nlog: {level: loud}\n")
    assert problems(file, {"CONNECTOR_KAFKAA__START": "error"}) == (
        "CONNECTOR_KAFKAA__START: unknown setting; did you mean kafka?",
        "kafka.gruop_id: unknown setting; did you mean group_id?",
        "openmarket: is missing, and has no default",
        "delivery.in_flight: must be at least 1",
        "retry.delay: must be at most 24h",
        "log.level: must be 'debug', 'info', 'warning' or 'error'",
        "retry.window (24h) must be longer than retry.delay (48h), or there is no second attempt",
    )


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("kafak: {}", "kafak: unknown setting; did you mean kafka?"),
        ("kafka: {topics: {mian: x}}", "kafka.topics.mian: unknown setting; did you mean main?"),
        ("openmarket: {password: x}", "openmarket.password: unknown setting; did you mean password_file?"),
        (
            "admin: {zzz: 1}",
            "admin.zzz: unknown setting; known here: control_host, control_port, control_token_file, host, port, "
            "runbooks_url",
        ),
        ("schemas: {registry: {ulr: x}}", "schemas.registry.ulr: unknown setting; did you mean url?"),
    ],
)
def test_an_unknown_key_is_refused_with_the_nearest_known_one(write: Write, text: str, problem: str) -> None:
    """At every level."""
    assert problem in problems(write(text))


@pytest.mark.parametrize("name", REMOVED)
def test_a_setting_that_is_gone_is_refused_with_what_says_the_same_now(write: Write, name: str) -> None:
    """In a file and in the environment; what it names exists, and with it the settings can be used."""
    *above, last = name.split(".")
    text = "".join(f"{section}: {{" for section in above) + f"{last}: x" + "}" * len(above)
    assert f"{name}: {REMOVED[name]}" in problems(write(text))
    variable = "CONNECTOR_" + "__".join([*above, last]).upper()
    with pytest.raises(ConfigError) as raised:
        load(write(SMALLEST), {variable: "x"})
    assert raised.value.problems == (f"{name}: {REMOVED[name]} (environment: {variable})",)
    assert set(re.findall(r"[a-z_]+(?:\.[a-z_]+)+", REMOVED[name])) <= BY_NAME.keys()


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (
            "schemas: {registry: {url: 'http://a:8081,http://b:8081'}}",
            "schemas.registry.url: must be one URL, not a list",
        ),
        ("schemas: {registry: {url: 'http://a,b'}}", "schemas.registry.url: must be one URL, not a list"),
        ("schemas: {registry: {url: 'http://registry:99999'}}", "schemas.registry.url: must be a URL such as https://"),
        ("schemas: {registry: {url: 'registry:8081'}}", "schemas.registry.url: must be a URL such as https://"),
        ("schemas: {registry: {url: 'https://me:pass@registry'}}", "write user:password into a file, and name it in"),
        ("schemas: {registry: {url: 'https://registry?x=1'}}", "schemas.registry.url: must end with its path"),
        ("openmarket: {base_url: 'https://a,https://b'}", "openmarket.base_url: must be one URL, not a list"),
        ("kafka: {bootstrap_servers: 'a:9092,b:99999'}", "kafka.bootstrap_servers: must be host:port"),
        ("kafka: {security: {oauth: {token_endpoint: 'http://a:99999'}}}", "token_endpoint: must be a URL such as"),
        (
            "kafka: {security: {oauth: {token_endpoint: 'http://u:p@a'}}}",
            "they belong in client_id and client_secret_file",
        ),
    ],
)
def test_an_address_that_can_reach_nobody_is_refused(write: Write, text: str, problem: str) -> None:
    """A list where one server is meant, a port that does not exist, credentials in a URL; none of it is shown."""
    found = "\n".join(problems(write(text)))
    assert problem in found
    assert "99999" not in found
    assert "pass@" not in found


@pytest.mark.parametrize(
    "url",
    [
        "https://user:{}@host",
        "https://user:{}/x@host",
        "https://user:{}#x@host",
        "https://user:{}?x@host",
        "https://{}@host",
        "user:{}@host:9092",
    ],
)
def test_credentials_in_an_address_are_refused_with_where_they_belong(write: Write, url: str) -> None:
    """And never shown, whatever the password has in it."""
    written = url.format("pl4nt")
    text = (
        f"schemas: {{registry: {{url: '{written}'}}}}\nopenmarket: {{base_url: '{written}'}}\n"
        f"kafka: {{bootstrap_servers: '{written}', security: {{oauth: {{token_endpoint: '{written}'}}}}}}\n"
    )
    found = problems(write(text))
    for name, place in {
        "schemas.registry.url": "name it in basic_auth_file",
        "openmarket.base_url": "account_id and password_file",
        "kafka.bootstrap_servers": "kafka.security",
        "kafka.security.oauth.token_endpoint": "client_id and client_secret_file",
    }.items():
        (problem,) = (each for each in found if each.startswith(f"{name}:"))
        assert "must not carry credentials" in problem
        assert place in problem
    assert "pl4nt" not in "".join(found)


REGISTRY = "schemas: {{registry: {{url: '{scheme}://registry', {more}}}}}"


@pytest.mark.parametrize(
    ("more", "problem"),
    [
        ("bearer_token_file: {token}, basic_auth_file: {basic}", "exclude each other"),
        ("bearer_token_file: {words}", "bearer_token_file: the file must hold one token of visible ASCII characters"),
        ("certificate_file: {token}", "certificate_file and key_file go together"),
        ("key_password_file: {token}", "key_password_file needs key_file"),
    ],
)
def test_a_registrys_credentials_fit_together(write: Write, tmp_path: Path, more: str, problem: str) -> None:
    """A request carries one Authorization, and a certificate needs its key."""
    files = {"token": "ey.J", "basic": "user:password", "words": "two words"}
    for name, content in files.items():
        (tmp_path / name).write_text(content)
    text = REGISTRY.format(scheme="https", more=more.format(**{name: tmp_path / name for name in files}))
    assert problem in "\n".join(problems(write(text)))


def test_a_certificate_needs_an_encrypted_registry(write: Write, tmp_path: Path) -> None:
    """It would be shown to nobody."""
    (tmp_path / "pem").write_text("x")
    text = REGISTRY.format(scheme="http", more=f"certificate_file: {tmp_path}/pem, key_file: {tmp_path}/pem")
    assert "certificate_file needs a url that begins with https" in "\n".join(problems(write(text)))


@pytest.mark.parametrize("other", [str.title, str.upper, lambda key: key.replace("_", "-") + "-"])
def test_a_key_in_another_case_is_refused_at_every_depth(write: Write, other: Callable[[str], str]) -> None:
    """It would be dropped where the right one is there too, and what was meant is the nearest one."""
    for name in BY_NAME:
        *above, last = name.split(".")
        text = "".join(f"{'  ' * depth}{key}:\n" for depth, key in enumerate(above)) + "  " * len(above)
        written = ".".join([*above, other(last)])
        assert f"{written}: unknown setting; did you mean {last}?" in problems(write(f"{text}{other(last)}: null\n"))


def test_a_section_in_another_case_is_refused_beside_the_right_one(write: Write) -> None:
    assert problems(write(SMALLEST + "openMarket: {account_id: another}")) == (
        "openMarket: unknown setting; did you mean openmarket?",
    )


def test_a_setting_that_is_written_as_one_key_is_told_apart(write: Write) -> None:
    assert problems(write(SMALLEST + "delivery.in_flight: 3")) == (
        "delivery.in_flight: unknown setting: a section and what is in it are keys of their own, one below the other",
    )


@pytest.mark.parametrize("other", [str.lower, str.title])
def test_a_variable_in_another_case_is_refused(write: Write, other: Callable[[str], str]) -> None:
    """Of two that differ in case one would be lost."""
    variables = [f"CONNECTOR_{name.upper().replace('.', '__')}" for name in BY_NAME]
    wanted = {f"{other(name)}: the name of a setting is in upper case here: {name}" for name in variables}
    assert wanted <= {*problems(write(SMALLEST), dict.fromkeys(map(other, variables), "1"))}


def test_what_a_mapping_holds_keeps_its_case_in_a_variable(write: Write) -> None:
    environ = {"CONNECTOR_KAFKA__CLIENT__socket.keepalive.enable": "true"}
    assert load(write(SMALLEST), environ).kafka.client == {"socket.keepalive.enable": "true"}


def test_a_section_as_json_is_written_as_in_the_file(write: Write) -> None:
    assert problems(write(SMALLEST), {"CONNECTOR_DELIVERY": '{"In_Flight": 3}'}) == (
        "delivery.In_Flight: unknown setting; did you mean in_flight? (environment: CONNECTOR_DELIVERY__IN_FLIGHT)",
    )


@pytest.mark.parametrize(
    ("variable", "meant"),
    [
        ("CONNECTOR_DELIVERY_IN_FLIGHT", "CONNECTOR_DELIVERY__IN_FLIGHT"),
        ("CONNECTOR_DELIVERY__INFLIGHT", "CONNECTOR_DELIVERY__IN_FLIGHT"),
        ("CONNECTOR__DELIVERY__IN_FLIGHT", "CONNECTOR_DELIVERY__IN_FLIGHT"),
        ("CONNECTOR_DELIVERY___IN_FLIGHT", "CONNECTOR_DELIVERY__IN_FLIGHT"),
        ("CONNECTOR_KAFKA_TOPICS_MAIN", "CONNECTOR_KAFKA__TOPICS__MAIN"),
        ("CONNECTOR_KAFKA__TOPICS_MAIN", "CONNECTOR_KAFKA__TOPICS__MAIN"),
    ],
)
def test_a_variable_with_other_underscores_is_told_which_was_meant(write: Write, variable: str, meant: str) -> None:
    assert problems(write(SMALLEST), {variable: "3"}) == (f"{variable}: unknown setting; did you mean {meant}?",)


@pytest.mark.parametrize(
    ("url", "problem"),
    [
        ("https://proxy:3128", "must begin with http: the proxy is spoken to in clear"),
        ("socks5://proxy:1080", "must begin with http: "),
        ("http://proxy", "must be a URL with host and port"),
        ("proxy:3128", "must begin with http: "),
        ("http://:3128", "must be a URL with host and port"),
        ("http://proxy:99999", "must be a URL such as http://"),
        ("http://proxy:3128/path", "must end with its port"),
        ("http://me:s3cret@proxy:3128", "they belong in basic_auth_file"),
    ],
)
@pytest.mark.parametrize("section", ["openmarket", "schemas.registry"])
def test_a_proxy_that_cannot_be_spoken_to_is_refused(write: Write, section: str, url: str, problem: str) -> None:
    """TLS to the proxy and SOCKS are not spoken; credentials stand in a file. The URL is not shown."""
    given = f"proxy: {{url: '{url}'}}"
    text = f"{SMALLEST}  {given}\n" if section == "openmarket" else f"schemas: {{registry: {{url: http://a, {given}}}}}"
    (found,) = [one for one in problems(write(text)) if one.startswith(f"{section}.proxy.url")]
    assert problem in found
    assert "s3cret" not in found


def test_a_proxy_before_plain_http_is_refused(write: Write) -> None:
    """It would see the password, and could answer in the vendor's place: only a tunnel is asked of it."""
    text = SMALLEST.replace("https://servicemanager.openmarket.com", "http://127.0.0.1:8080")
    found = problems(write(f"{text}  proxy: {{url: 'http://proxy:3128'}}\n"))
    assert found == (
        "openmarket: proxy needs a base_url that begins with https: only a tunnel (CONNECT) is asked of it",
    )


def test_an_unknown_nested_variable_is_refused(write: Write) -> None:
    """A typo in the environment is as bad as one in the file."""
    assert problems(write(SMALLEST), {"CONNECTOR_KAFKA__STRAT": "error"}) == (
        "kafka.strat: unknown setting; did you mean start? (environment: CONNECTOR_KAFKA__STRAT)",
    )


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("a: [", "is not YAML: line 1, column 5"),
        ("log: {level: info}\nlog: {level: debug}", "log is given twice: line 2, column 1"),
        ("- a", "must be a mapping of sections (kafka, openmarket, …)"),
        ("\x00", "is not YAML"),
        ("log:\n\tlevel: debug", "is not YAML: line 2, column 1; a tab indents there, and YAML takes spaces only"),
        (
            "log:\n  level: debug\n  \tformat: json",
            "is not YAML: line 3, column 3; a tab indents there, and YAML takes spaces only",
        ),
    ],
)
def test_a_file_that_is_no_mapping_is_refused(write: Write, text: str, problem: str) -> None:
    """With the place, and without the file's own words, which may be a secret."""
    file = write(text)
    assert problems(file) == (f"{file}: {problem}",)


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    """The file was asked for by name, so defaults are no substitute."""
    assert problems(tmp_path / "none.yaml") == (
        f"{tmp_path / 'none.yaml'}: cannot be read (No such file or directory)",
    )


def test_no_error_shows_a_value() -> None:
    """Whatever is written wherever, the error names the setting and not the value."""
    plant = "pl4nted-s3cret"
    names = (
        "OPENMARKET__BASE_URL",
        "OPENMARKET__PASSWORD_FILE",
        "OPENMARKET__SERVICE_IDS",
        "OPENMARKET__TLS__CA_FILE",
        "OPENMARKET__TIMEOUTS__TOTAL",
        "KAFKA__SECURITY",
        "KAFKA__CLIENT",
        "KAFKA__TOPICS__MAIN",
        "DELIVERY__IN_FLIGHT",
        "DELIVERY__BUFFER_BYTES",
        "LOG__LEVEL",
        "RETRY",
        "ADMIN__READY_DURING_HOLD",
        "SCHEMAS__REGISTRY__BASIC_AUTH_FILE",
    )
    environ = {f"CONNECTOR_{name}": f"{plant}: {{" for name in names}
    environ["CONNECTOR_OPENMARKET__ACCOUNT_ID"] = f"{plant}:colon"
    with pytest.raises(ConfigError) as raised:
        load(None, environ)
    complained = {problem.split(":")[0].split("[")[0] for problem in raised.value.problems}
    assert {name.removeprefix("CONNECTOR_").replace("__", ".").lower() for name in environ} <= complained
    assert plant not in str(raised.value) + repr(raised.value)
    assert raised.value.__cause__ is None


def test_settings_cannot_be_changed(write: Write) -> None:
    """They are values that travel."""
    settings = load(write(SMALLEST), {})
    with pytest.raises(ValueError, match="frozen"):
        settings.retry.delay = 1.0


def test_settings_made_by_hand_read_no_environment(write: Write, password: Path) -> None:
    """Only `load` reads the world."""
    loaded = load(write(SMALLEST), {})
    assert Settings(openmarket=loaded.openmarket).kafka.group_id == "invoke-connector"


def test_the_reprs_of_settings_hide_secrets(write: Write) -> None:
    """A settings object that ends in a log line shows no password."""
    shown = repr(load(write(SMALLEST), {}))
    assert "account_id='123-456-789-12345'" in shown
    assert "s3cret-plant" not in shown
