"""Settings become the rules that core and engine decide by, here and nowhere else."""

from __future__ import annotations

from typing import Literal

from connector.config.holding import Intervals as IntervalSettings
from connector.config.openmarket import AnyService, OpenMarket, OutcomeRule
from connector.config.sections import Ledger
from connector.config.settings import Settings
from connector.core.codes import DEFAULT_TABLE
from connector.core.concurrency import Adaptive, Fixed
from connector.core.destination import Policy
from connector.core.outcome import Delivered, Fate, Row, Table
from connector.core.proxy_codes import naming
from connector.core.reply import Reply
from connector.core.request import RequestRules
from connector.core.schedule import RetryPlan
from connector.core.tries import Intervals
from connector.engine.brake import BrakeRules
from connector.engine.endpoint import EndpointRules
from connector.engine.engine import EngineRules
from connector.engine.judge import HoldRules
from connector.engine.limits import Bounds, Limit, PaceRules

_RECORDS = 10_000
"""Records in memory at most. What a record costs beside its own bytes, `delivery.buffer_bytes` does not see: a million
small ones would fit into it."""

_FAILED_SHARE = 0.9
"""Of all posts in the window, from which on the endpoint may count as down. Chance is allowed for on top of it."""

_LONGEST_PAUSE = 900.0
"""Seconds that a `Retry-After` is obeyed for, after which a post asks again: an absurd date stops nobody for ever."""


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


def policy(settings: Settings) -> Policy:
    """What decides where one record goes."""
    delivery, retry = settings.delivery, settings.retry
    return Policy(
        RetryPlan(round(retry.delay * 1000), round(retry.window * 1000)),
        max_event_age_ms=round(delivery.max_event_age * 1000),
        maybe_delivered_repeats=delivery.maybe_delivered_repeats,
        longest_pause=_LONGEST_PAUSE,
    )


def engine_rules(settings: Settings) -> EngineRules:
    """How records wait."""
    return EngineRules(
        policy(settings).retry,
        settings.delivery.ordering,
        _pace(settings),
        _hold(settings),
        _ledger(settings.ledger),
        None if (seconds := settings.delivery.deduplicate) is None else round(seconds * 1000),
        settings.kafka.translated,
    )


def bounds(settings: Settings) -> Bounds:
    """How much may be under way, and in memory, at once."""
    delivery = settings.delivery
    return Bounds(delivery.in_flight, delivery.uncommitted, _RECORDS, delivery.buffer_bytes)


def limit(settings: Settings) -> Limit:
    """How many posts may be under way."""
    most = settings.delivery.in_flight
    return Fixed(most) if settings.pace.floor == most else Adaptive(settings.pace.floor, most)


def _ledger(ledger: Ledger | None) -> Literal["required", "optional"] | None:
    if ledger is None:
        return None
    return "required" if ledger.required else "optional"


def _pace(settings: Settings) -> PaceRules:
    pace, services = settings.pace, settings.openmarket.service_ids
    alone = not isinstance(services, AnyService) and len(services) == 1
    return PaceRules(pace.rate, pace.retry_share, 1.0 if alone else pace.service_share)


def _hold(settings: Settings) -> HoldRules:
    endpoint, brake = settings.hold.endpoint, settings.hold.brake
    return HoldRules(
        _intervals(settings.hold.canary),
        EndpointRules(endpoint.window, _FAILED_SHARE, endpoint.minimum, _intervals(endpoint.probes)),
        BrakeRules(brake.then == "hold", brake.window, brake.share, brake.minimum),
        _LONGEST_PAUSE,
    )


def _intervals(settings: IntervalSettings) -> Intervals:
    return Intervals(settings.first, settings.longest)


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
