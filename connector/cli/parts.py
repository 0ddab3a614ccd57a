"""The parts of the road that only the settings shape: rules, table, decoder, the vendor's API."""

from __future__ import annotations

from connector.config.openmarket import OutcomeRule
from connector.config.settings import Settings
from connector.core.outcome import DEFAULT_TABLE, Delivered, Fate, Row, Table
from connector.core.reply import Reply
from connector.core.request import RequestRules
from connector.edge.openmarket import OpenMarket, Tls

CONFIGURED = "configured"
"""The class of an answer whose fate a row of `openmarket.outcomes` decides."""


def request_rules(settings: Settings) -> RequestRules:
    """What the settings say about requests that the vendor's page leaves open."""
    openmarket = settings.openmarket
    return RequestRules(
        service_ids=openmarket.allowed_services,
        digits_in_keys=openmarket.key_characters == "digits",
        native_values=openmarket.values == "native",
        reserved_words=frozenset(openmarket.reserved_words),
        built_in_variables=frozenset(openmarket.built_in_variables),
    )


def outcome_table(settings: Settings) -> Table:
    """The vendor's table behind the rows of `openmarket.outcomes`."""
    return DEFAULT_TABLE.with_overrides(_row(rule) for rule in settings.openmarket.outcomes)


def invoker(settings: Settings) -> OpenMarket:
    """The vendor's API with the credentials in force. Make it on a running event loop.

    Raises OSError when a TLS file cannot be used.
    """
    openmarket = settings.openmarket
    return OpenMarket(
        openmarket.base_url,
        openmarket.account_id,
        openmarket.password.get_secret_value(),
        in_flight=settings.delivery.in_flight,
        connect_timeout=openmarket.timeouts.connect,
        total_timeout=openmarket.timeouts.total,
        tls=tls(settings),
        name=name_header(settings),
    )


def tls(settings: Settings) -> Tls:
    """The TLS files towards the vendor."""
    files = settings.openmarket.tls
    password = files.key_password_file
    return Tls(
        files.ca_file,
        files.certificate_file,
        files.key_file,
        password.secret.get_secret_value() if password is not None else "",
    )


def name_header(settings: Settings) -> tuple[str, str] | None:
    """The header that mutual TLS asks for, and its value."""
    files = settings.openmarket.tls
    return (files.name_header, files.name) if files.name_header is not None and files.name is not None else None


def _row(rule: OutcomeRule) -> Row:
    return Row(
        CONFIGURED,
        Fate(rule.fate),
        rule.why,
        "nothing, or another fate in openmarket.outcomes",
        vendor_codes=(rule.vendor_code,) if rule.vendor_code is not None else (),
        descriptions=(rule.description,) if rule.description is not None else (),
        statuses=(str(rule.status),) if rule.status is not None else (),
        delivered=_delivered(rule.status),
    )


def _delivered(status: int | None) -> Delivered:
    """Whether a request was acted on is no matter of choice: a gateway's 504 stays a maybe whatever its fate."""
    return Delivered.NO if status is None else DEFAULT_TABLE.classify(Reply(status, None, b"")).delivered
