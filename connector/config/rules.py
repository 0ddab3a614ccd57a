"""The core's rules, as the settings have them."""

from __future__ import annotations

from connector.config.openmarket import OpenMarket, OutcomeRule
from connector.core.codes import DEFAULT_TABLE
from connector.core.outcome import Delivered, Fate, Row, Table
from connector.core.proxy_codes import naming
from connector.core.reply import Reply
from connector.core.request import RequestRules


def request_rules(openmarket: OpenMarket) -> RequestRules:
    """What the vendor's page leaves open about a request, decided."""
    return RequestRules(
        service_ids=openmarket.allowed_services,
        digits_in_keys=openmarket.key_characters == "digits",
        native_values=openmarket.values == "native",
        reserved_words=frozenset(openmarket.reserved_words),
        built_in_variables=frozenset(openmarket.built_in_variables),
    )


def outcome_table(openmarket: OpenMarket) -> Table:
    """The classification table in force: the rows of `openmarket.outcomes`, then the default ones."""
    proxy = openmarket.proxy
    table = DEFAULT_TABLE if proxy is None else Table(naming(DEFAULT_TABLE.rows(), proxy.address))
    return table.with_overrides(map(_row, openmarket.outcomes))


def _row(rule: OutcomeRule) -> Row:
    # What is known of the request's arrival, and of the vendor's load, is no matter of choice: a 504 stays a maybe.
    known = None if rule.status is None else DEFAULT_TABLE.classify(Reply(rule.status, None, b""))
    return Row(
        f"configured_{rule.fate}",
        Fate(rule.fate),
        rule.why,
        "see openmarket.outcomes, where somebody decided so",
        vendor_codes=() if rule.vendor_code is None else (rule.vendor_code,),
        descriptions=() if rule.description is None else (rule.description,),
        statuses=() if rule.status is None else (str(rule.status),),
        delivered=Delivered.NO if known is None else known.delivered,
        overloaded=known is not None and known.overloaded,
    )
