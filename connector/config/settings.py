"""All settings together, and the rules between sections."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import reduce
from typing import Self

from pydantic import model_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict
from typing_extensions import override

from connector.config.holding import Hold, Pace
from connector.config.kafka import Kafka
from connector.config.mapping import Mapping
from connector.config.openmarket import OpenMarket
from connector.config.sections import Admin, Delivery, Ledger, Log, Retry, Schemas
from connector.config.tracing import Tracing
from connector.config.units import format_duration

LONGER = (
    ("openmarket.timeouts.total", "openmarket.timeouts.connect", "it contains the connect time-out"),
    ("delivery.drain", "openmarket.timeouts.total", "or a clean stop gives up posts whose answers were coming"),
    ("kafka.max_poll_interval", "delivery.drain", "or Kafka takes the partitions away during the drain"),
    ("kafka.max_poll_interval", "openmarket.timeouts.total", "or Kafka takes the partitions away during a post"),
    ("retry.window", "retry.delay", "or there is no second attempt"),
    ("delivery.max_event_age", "retry.window", "or a retry expires before its last attempt"),
)
"""Durations that must be longer than others, and why."""


SHADOWS = ".shadow"
"""How the groups of shadows end, and no others: a shadow in the group of a connector that delivers would take
partitions and commit events that nobody posted; the other way round, events would be posted a second time."""


def too_short(seconds: Callable[[str], float | None]) -> Iterator[str]:
    """Every broken rule of `LONGER` among the durations that `seconds` knows by their dotted names."""
    for longer, shorter, why in LONGER:
        a, b = seconds(longer), seconds(shorter)
        if a is not None and b is not None and a <= b:
            yield f"{longer} ({format_duration(a)}) must be longer than {shorter} ({format_duration(b)}), {why}"


class Settings(BaseSettings):
    """The connector's settings. `load` reads them; made by hand, they read neither file nor environment."""

    model_config = SettingsConfigDict(
        frozen=True,
        extra="forbid",
        use_attribute_docstrings=True,
        hide_input_in_errors=True,
        env_prefix="CONNECTOR_",
        env_nested_delimiter="__",
        env_parse_none_str="null",
        case_sensitive=True,  # else a section in other case is taken for ours, or dropped when ours is there too
    )

    kafka: Kafka = Kafka()
    schemas: Schemas = Schemas()
    openmarket: OpenMarket
    delivery: Delivery = Delivery()
    retry: Retry = Retry()
    hold: Hold = Hold()
    pace: Pace = Pace()
    mapping: Mapping | None = None
    ledger: Ledger | None = None
    admin: Admin = Admin()
    log: Log = Log()
    tracing: Tracing = Tracing()

    @model_validator(mode="after")
    def _durations_fit(self) -> Self:
        problems = list(too_short(lambda name: float(reduce(getattr, name.split("."), self))))  # type: ignore[arg-type]  # LONGER names durations only
        if problems:
            raise ValueError("\n".join(problems))
        return self

    @model_validator(mode="after")
    def _numbers_fit(self) -> Self:
        if self.pace.floor > self.delivery.in_flight:
            raise ValueError(
                f"pace.floor ({self.pace.floor}) must not be above delivery.in_flight ({self.delivery.in_flight})"
            )
        return self

    @model_validator(mode="after")
    def _mode_fits(self) -> Self:
        is_shadows = self.kafka.group_id.endswith(SHADOWS)
        if self.is_shadow and not is_shadows:
            raise ValueError(
                "delivery.mode: shadow needs a kafka.group_id of its own that ends in `.shadow`: in the group of a "
                "connector that delivers it would take partitions, and their events would never be posted"
            )
        if is_shadows and not self.is_shadow:
            raise ValueError(
                "kafka.group_id ends in `.shadow`, which is kept for delivery.mode: shadow: name another group, or "
                "events that were posted in their own group would be posted again. A group that did deliver under this "
                "name takes its commits along by `connector offsets export` and `set --group`"
            )
        if self.is_shadow and self.openmarket.is_cie and self.pace.rate is None:
            raise ValueError(
                "delivery.mode: shadow posts to the test environment, which must not be load-tested: set pace.rate, or "
                "openmarket.base_url to production's, where it posts nothing"
            )
        return self

    @property
    def is_shadow(self) -> bool:
        """Whether nothing is delivered."""
        return self.delivery.mode == "shadow"

    @property
    def posts(self) -> bool:
        """Whether anything is posted: by a shadow to the test environment only."""
        return not self.is_shadow or self.openmarket.is_cie

    @property
    def read_topics(self) -> tuple[str, ...]:
        """The topics that are read: the main one first, and a shadow reads no other."""
        return (self.kafka.topics.main,) if self.is_shadow else self.kafka.topics.read

    @property
    def retry_topics(self) -> frozenset[str]:
        """Those of them that hold retries."""
        return frozenset(self.read_topics[1:])

    @property
    def ledger_topic(self) -> str:
        """The topic that says what became of each record, or in a shadow's case what would have."""
        return self.kafka.topics.shadow if self.is_shadow else self.kafka.topics.ledger

    @classmethod
    @override
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Only what is passed in: `load` puts file and environment together, and remembers which said what."""
        return (init_settings,)
