"""Metrics, events and the first line, as the settings shape them."""

from __future__ import annotations

from connector import __version__
from connector.config.settings import Settings
from connector.core.destination import OWN_CODES
from connector.core.event import EVENT_CODES
from connector.core.mapping.errors import MAPPING_CODES
from connector.core.outcome import Fate, Table
from connector.core.request import REMEDIES
from connector.edge.avro.decoder import DECODE_CODES, FETCH_CODES
from connector.observe.definition import PREFIX, SHADOWS_PREFIX
from connector.observe.events import AcceptedLine, Events, Logger
from connector.observe.histogram import Exemplars
from connector.observe.metrics import Metrics
from connector.observe.shadow import ShadowLogger


def events(settings: Settings, metrics: Metrics, logger: Logger, accepted_line: AcceptedLine | None) -> Events:
    """What tells of everything that happens; a shadow's lines say that nothing was posted."""
    if settings.is_shadow:
        return Events(metrics, ShadowLogger(logger), settings.log.accepted)
    return Events(metrics, logger, settings.log.accepted, accepted_line=accepted_line)


def metrics(settings: Settings, table: Table, exemplars: Exemplars | None) -> Metrics:
    """Every series from the start, with the codes that can come up; a shadow's have names of their own."""
    services = settings.openmarket.allowed_services or ()
    prefix = SHADOWS_PREFIX if settings.is_shadow else PREFIX
    answers = [row.code for row in table.rows()]
    refusals = [*sorted(DECODE_CODES), *sorted(EVENT_CODES), *sorted(MAPPING_CODES), *REMEDIES, *sorted(OWN_CODES)]
    dead_letters = [row.code for row in table.rows() if row.fate is Fate.DEAD_LETTER]
    return Metrics([*refusals, *dead_letters], answers, sorted(FETCH_CODES), services, exemplars, prefix=prefix)


def summary(settings: Settings) -> dict[str, object]:
    """What an operator wants to see first; no secret, and not the account."""
    topics, proxy = settings.kafka.topics, settings.openmarket.proxy
    return {
        "version": __version__,
        "base_url": settings.openmarket.base_url,
        "proxy": None if proxy is None else proxy.address,
        "bootstrap_servers": settings.kafka.bootstrap_servers,
        "group_id": settings.kafka.group_id,
        "mode": settings.delivery.mode,
        "topics": [topics.main, topics.retry, topics.dead_letter],
        "in_flight": settings.delivery.in_flight,
        "ordering": settings.delivery.ordering,
    }
