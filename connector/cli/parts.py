"""The parts of the road that only the settings shape: rules, table, decoder, the vendor's API."""

from __future__ import annotations

from connector.config import rules
from connector.config.settings import Settings
from connector.core.outcome import Table
from connector.core.request import RequestRules
from connector.edge.openmarket import OpenMarket, Tls


def request_rules(settings: Settings) -> RequestRules:
    """What the settings say about requests that the vendor's page leaves open."""
    return rules.request_rules(settings.openmarket)


def outcome_table(settings: Settings) -> Table:
    """The vendor's table behind the rows of `openmarket.outcomes`."""
    return rules.outcome_table(settings.openmarket)


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
