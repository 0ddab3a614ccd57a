"""The settings of `kafka`: the group, its topics, how to reach the brokers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, ValidationInfo, field_validator, model_validator

from connector.config.files import ReadableFile, Secret
from connector.config.promised import refusal
from connector.config.section import Section, one_address, together
from connector.config.units import HOUR, MINUTE, SECOND, Duration

Property = str | int | float | bool
GroupName = Annotated[str, Field(min_length=1, max_length=249)]
TopicName = Annotated[str, Field(pattern=r"^[A-Za-z0-9._-]{1,249}$")]


def _servers(servers: str) -> str:
    if "@" in servers:
        raise ValueError("must not carry credentials: they belong in kafka.security")
    for server in servers.split(","):
        _, colon, port = server.rpartition(":")
        if colon and port.isdecimal() and not 0 < int(port) <= 65535:
            raise ValueError("must be host:port separated by commas, each port 1 to 65535")
    return servers


def _token_endpoint(url: str) -> str:
    one_address(url, "https://login.example.com/oauth2/token", "they belong in client_id and client_secret_file")
    return url


class Topics(Section):
    """All different: a copy written to the topic it came from would go round for ever."""

    main: TopicName = "invocations"
    """Topic with the invocation events. 1 to 249 of `A-Z a-z 0-9 . _ -`, Kafka's own rule."""

    retry: TopicName = Field(default_factory=lambda data: f"{data.get('main', 'invocations')}.retry")
    """Topic for records that wait for their next attempt. By default the main topic's name and `.retry`, so that
    two connectors with two main topics never read each other's."""

    dead_letter: TopicName = Field(default_factory=lambda data: f"{data.get('main', 'invocations')}.dlq")
    """Topic for records that will never be posted as they are. By default the main topic's name and `.dlq`."""

    ledger: TopicName = Field(default_factory=lambda data: f"{data.get('main', 'invocations')}.ledger")
    """Topic of the delivery ledger, where the section `ledger` turns it on. By default the main topic's name and
    `.ledger`."""

    shadow: TopicName = Field(default_factory=lambda data: f"{data.get('main', 'invocations')}.shadow")
    """Topic in which `delivery.mode: shadow` says what would have become of each event, in place of `ledger` and where
    the section `ledger` is there too. By default the main topic's name and `.shadow`."""

    retry_also: tuple[TopicName, ...] = ()
    """Retry topics of an earlier configuration, read until they are empty and never written to."""

    @property
    def read(self) -> tuple[str, ...]:
        """The topics that a connector reads."""
        return (self.main, self.retry, *self.retry_also)

    @model_validator(mode="after")
    def _all_different(self) -> Self:
        names = (self.main, self.retry, self.dead_letter, self.ledger, self.shadow, *self.retry_also)
        if len(set(names)) < len(names):
            raise ValueError("main, retry, dead_letter, ledger, shadow and retry_also must all be different topics")
        return self


class OAuth(Section):
    """The client-credentials grant (OIDC), as librdkafka does it itself."""

    client_id: str = Field(min_length=1)
    """The client's public name at the token endpoint."""

    client_secret_file: Secret
    """File that holds the client's secret. One trailing newline is taken off."""

    token_endpoint: Annotated[str, AfterValidator(_token_endpoint)]
    """URL that issues the tokens. While it is away the connector waits, as for a broker."""

    scope: str | None = None
    """Scope to ask for, if the token endpoint wants one."""


class Security(Section):
    """How the brokers are reached, and as whom."""

    protocol: Literal["plaintext", "ssl", "sasl_plaintext", "sasl_ssl"] = "plaintext"
    """Transport and authentication, in Kafka's words. The default is Kafka's own."""

    mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512", "OAUTHBEARER"] | None = None
    """How to authenticate; needed with the two `sasl` protocols, refused with the others."""

    username: str | None = Field(default=None, min_length=1)
    """User name for PLAIN and SCRAM."""

    password_file: Secret | None = None
    """File that holds the password for PLAIN and SCRAM. One trailing newline is taken off."""

    oauth: OAuth | None = None
    """Where OAUTHBEARER gets its tokens."""

    ca_file: ReadableFile | None = None
    """PEM file with the certificates that may sign a broker's. Default: those of the system."""

    certificate_file: ReadableFile | None = None
    """PEM file with our own certificate, for mutual TLS. Needs `key_file`."""

    key_file: ReadableFile | None = None
    """PEM file with the key to `certificate_file`."""

    key_password_file: Secret | None = None
    """File that holds the password of `key_file`, when it has one."""

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        together("certificate_file and key_file go together", self.certificate_file, self.key_file)
        if self.key_password_file is not None and self.key_file is None:
            raise ValueError("key_password_file needs key_file")
        if not self.protocol.endswith("ssl") and (self.ca_file or self.certificate_file):
            raise ValueError(f"protocol {self.protocol} has no TLS: ca_file and certificate_file are of no use")
        self._check_sasl()
        return self

    def _check_sasl(self) -> None:
        by_password = self.username is not None and self.password_file is not None
        any_given = self.username or self.password_file or self.oauth
        if not self.protocol.startswith("sasl"):
            if self.mechanism or any_given:
                raise ValueError(f"protocol {self.protocol} does not authenticate: choose sasl_ssl")
        elif self.mechanism is None:
            raise ValueError(f"protocol {self.protocol} needs a mechanism")
        elif self.mechanism == "OAUTHBEARER" and (self.oauth is None or self.username or self.password_file):
            raise ValueError("mechanism OAUTHBEARER needs oauth, and neither username nor password_file")
        elif self.mechanism != "OAUTHBEARER" and (self.oauth or not by_password):
            raise ValueError(f"mechanism {self.mechanism} needs username and password_file, and no oauth")


class Kafka(Section):
    """The consumer group that this process is a member of."""

    bootstrap_servers: Annotated[str, Field(min_length=1), AfterValidator(_servers)] = "localhost:9092"
    """First brokers to ask, `host:port` separated by commas."""

    group_id: GroupName = "invoke-connector"
    """Consumer group. Every process of one deployment has the same; two deployments never share one. The ending
    `.shadow` is for `delivery.mode: shadow`, which must have it."""

    group_protocol: Literal["classic", "consumer"] = "classic"
    """Who assigns partitions: `classic` (the group's leader, on every broker) or `consumer` (the broker, KIP-848, 4.0
    and newer). Classic is the default because every broker knows it. A live group goes from classic to `consumer` one
    process after the other only from `assignment` `range` or `roundrobin`: docs/operations.md has the drill."""

    assignment: Literal["cooperative-sticky", "range", "roundrobin"] = "cooperative-sticky"
    """How `classic` shares partitions out. With `cooperative-sticky` only partitions that move are let go; with the
    other two, which are eager, every rebalance stops every process until it has drained: for groups that must have it.
    The same in every process of the group, so that a change needs all of them stopped; `consumer` has no use for it."""

    group_instance_id: GroupName | None = None
    """Static membership: a name of this one process that outlives its restarts, so that a restart within the session
    time-out moves no partition. Must differ between processes; null is dynamic membership. The main topic's
    member has this very name; a retry topic's adds a dot and the topic, unless `assignment` is an eager one."""

    start: Literal["earliest", "latest", "error"] = "earliest"
    """Where a group without any commit starts. `earliest` loses nothing; `error` stops with exit code 1. Partitions
    that are new to a known topic always start from their beginning."""

    translated: Literal["stop", "hold", "warn"] = "stop"
    """What to do with a partition whose commit was made in another cluster, as MirrorMaker leaves it at the target: its
    offset is a translated one, too low by up to the whole lag. `stop` ends with exit code 1, since the way on needs a
    stopped group (`connector offsets translate`); `hold` pauses the partition until `connector resume` or until it goes
    to another process, which looks at the commit anew; `warn` goes on from there and posts again what lies in between.
    A commit that names a cluster is treated alike while no broker tells which one this is. A commit without
    metadata, as earlier versions and other tools write it, cannot be told from our own."""

    max_poll_interval: Duration = Field(default=2 * MINUTE, ge=10 * SECOND, le=24 * HOUR)
    """Time after which Kafka takes the partitions of a process that no longer polls. Longer than the drain and than a
    post, or a clean revoke would be cut short and its records posted again. Nor may it be shorter than librdkafka's
    `session.timeout.ms`, 45s unless `client` says otherwise. Not much longer either: a group of the classic protocol
    can stand still for this time when its coordinator comes back and has lost track of a member (KAFKA-20938)."""

    topics: Topics = Topics()
    """The topics of this connector."""

    security: Security = Security()
    """Encryption and authentication towards the brokers."""

    client: Mapping[str, Property] = Field(default={})
    """Any property of librdkafka, for consumer and producer alike, but those that the promises rest on (below)."""

    @model_validator(mode="after")
    def _assignment_is_classic(self) -> Self:
        if self.group_protocol == "consumer" and "assignment" in self.model_fields_set:
            raise ValueError("assignment is for group_protocol classic: with consumer the broker decides")
        return self

    @field_validator("client", mode="before")
    @classmethod
    def _keeps_the_promises(cls, client: object, info: ValidationInfo) -> object:
        if isinstance(client, dict):
            problems = list(_property_problems(client, info.data.get("group_protocol")))
            if problems:
                raise ValueError("\n".join(problems))
        return client


def _property_problems(client: Mapping[object, object], group_protocol: str | None) -> Iterator[str]:
    for name, value in client.items():
        why = refusal(str(name), group_protocol)
        if why is not None:
            yield f"{name} is refused: {why}"
        elif not isinstance(value, str | int | float):
            yield f"{name} must be a text, a number, true or false"
