"""What the flow decides by, as the settings say it."""

from __future__ import annotations

from connector.config.holding import Intervals as IntervalSettings
from connector.config.openmarket import AnyService
from connector.config.settings import Settings
from connector.core.concurrency import Adaptive, Fixed
from connector.core.destination import Policy
from connector.core.schedule import RetryPlan
from connector.core.tries import Intervals
from connector.flow.brake import BrakeRules
from connector.flow.gate import Limit, PaceRules
from connector.flow.judge import EndpointRules, HoldRules
from connector.flow.loop import Rules


def policy(settings: Settings) -> Policy:
    """What decides where one record goes."""
    delivery, retry = settings.delivery, settings.retry
    return Policy(
        RetryPlan(round(retry.delay * 1000), round(retry.window * 1000)),
        max_event_age_ms=round(delivery.max_event_age * 1000),
        repeat_maybe_delivered=delivery.maybe_delivered == "retry",
        maybe_delivered_repeats=delivery.maybe_delivered_repeats,
        longest_pause=settings.pace.longest_pause,
    )


def flow_rules(settings: Settings) -> Rules:
    """How records wait."""
    return Rules(policy(settings).retry, settings.delivery.ordering, _pace(settings), _hold(settings))


def limit(settings: Settings) -> Limit:
    """How many posts may be under way."""
    most = settings.delivery.in_flight
    return Fixed(most) if settings.pace.concurrency == "fixed" else Adaptive(settings.pace.floor, most)


def _pace(settings: Settings) -> PaceRules:
    pace, services = settings.pace, settings.openmarket.service_ids
    alone = not isinstance(services, AnyService) and len(services) == 1
    return PaceRules(pace.rate, pace.burst, pace.retry_share, 1.0 if alone else pace.service_share)


def _hold(settings: Settings) -> HoldRules:
    endpoint, brake = settings.hold.endpoint, settings.hold.brake
    return HoldRules(
        _intervals(settings.hold.canary),
        EndpointRules(endpoint.window, endpoint.share, endpoint.minimum, _intervals(endpoint.probes)),
        BrakeRules(brake.then == "hold", brake.window, brake.share, brake.minimum, brake.rate),
        settings.pace.longest_pause,
    )


def _intervals(settings: IntervalSettings) -> Intervals:
    return Intervals(settings.first, settings.longest)
