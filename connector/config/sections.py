"""The small sections: `schemas`, `delivery`, `retry`, `ledger`, `admin`, `log`."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from connector.config.files import ReadableFile, Secret, SecretFile, UserAndPassword
from connector.config.proxy import Proxy
from connector.config.section import EVERY_ADDRESS, Section, is_loopback, one_address, together
from connector.config.units import DAY, GIB, HOUR, KIB, MIB, MINUTE, SECOND, Duration, Size


def _unguessable(file: SecretFile) -> SecretFile:
    if not re.fullmatch(r"[!-~]{16,}", file.secret.get_secret_value()):
        raise ValueError("the file must hold one word of 16 ASCII characters at least: `openssl rand -hex 32`")
    return file


def _registry_url(url: str) -> str:
    parts = one_address(
        url, "https://registry.example.com:8081", "write user:password into a file, and name it in basic_auth_file"
    )
    if parts.query or parts.fragment:
        raise ValueError("must end with its path, without a query string")
    return url


def _apicurio_url(url: str) -> str:
    _registry_url(url)
    if not url.rstrip("/").endswith(("/apis/registry/v2", "/apis/registry/v3")):
        raise ValueError("must end with /apis/registry/v2 or /apis/registry/v3")
    return url


def _bearer_token(file: SecretFile) -> SecretFile:
    if not re.fullmatch(r"[!-~]+", file.secret.get_secret_value()):
        raise ValueError("the file must hold one token of visible ASCII characters")
    return file


def _page_address(url: str) -> str:
    one_address(url, "https://git.example.com/connector/docs/runbooks", "a link is no place for them")
    return url


class Registry(Section):
    """A Confluent-compatible schema registry."""

    url: Annotated[str, AfterValidator(_registry_url)]
    """Address of the registry, without credentials. One: what stands for several is a name or a load balancer."""

    basic_auth_file: UserAndPassword | None = None
    """File that holds `user:password`. One trailing newline is taken off."""

    bearer_token_file: Annotated[Secret, AfterValidator(_bearer_token)] | None = None
    """File that holds a token, sent as `Authorization: Bearer`, in place of `basic_auth_file`. One trailing newline is
    taken off. Read again when it changes, so that a renewed token only has to be written there."""

    ca_file: ReadableFile | None = None
    """PEM file with the certificates that may sign the registry's. Default: those of the system."""

    certificate_file: ReadableFile | None = None
    """PEM file with our certificate, for mutual TLS with the registry. Needs `key_file`."""

    key_file: ReadableFile | None = None
    """PEM file with the key to `certificate_file`."""

    key_password_file: Secret | None = None
    """File that holds the password of `key_file`, when it has one."""

    proxy: Proxy | None = None
    """Forward proxy before the registry, which a plain-http one is asked through as well. Default: none."""

    guids: bool = False
    """Whether the registry is asked for schema GUIDs (`/schemas/guids/`), which Confluent Platform serves from 8.0 on.
    Without, only GUIDs that `ids.json` maps are known: one that does not serve them would make its partition wait."""

    apicurio_url: Annotated[str, AfterValidator(_apicurio_url)] | None = None
    """Address of Apicurio's own API on the same registry, such as `https://registry.example.com/apis/registry/v2`, for
    the global ids and content ids that its serializers write. Asked with the same credentials. Default: none."""

    eight_byte_ids: Literal["global_id", "content_id"] | None = None
    """What an id of 8 bytes in front of a value is, which Apicurio's serializers 2.x write without headers: their
    `apicurio.registry.use-id`. Needs `apicurio_url`. Default: such values are refused."""

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        together("certificate_file and key_file go together", self.certificate_file, self.key_file)
        if self.key_password_file is not None and self.key_file is None:
            raise ValueError("key_password_file needs key_file")
        if self.basic_auth_file is not None and self.bearer_token_file is not None:
            raise ValueError("basic_auth_file and bearer_token_file exclude each other: a request carries one of them")
        if self.eight_byte_ids is not None and self.apicurio_url is None:
            raise ValueError("eight_byte_ids needs apicurio_url")
        if self.certificate_file is not None and self.url.startswith("http://"):
            raise ValueError("certificate_file needs a url that begins with https")
        return self


class Schemas(Section):
    """Where the schemas that events were written with come from."""

    folder: Path = Path("schemas")
    """Folder of schema files (`*.avsc`, and `ids.json` for ids and UUIDs), relative to the working directory."""

    framing: Literal["auto", "confluent", "single_object", "bare", "header", "json"] = "auto"
    """How a record names its schema. `auto`: in front of the data, where Confluent's frames (id or GUID), AWS Glue's
    and single-object encoding are told apart by the first byte. `header`: in a header of Confluent's or Apicurio's
    serializer, and where a record has none, as with `auto`; it is no default, because headers are copied from record to
    record. `bare` and `json`: not at all, and all events have one schema; neither is guessed, because bare bytes may
    begin like a frame."""

    bare_schema: Path | None = None
    """Schema file that bare events were written with. Needed with `framing: bare`, refused without."""

    json_schema: Path | None = None
    """JSON Schema that JSON events must satisfy, with `framing: json` only. Default: that of our own events, which
    comes with the connector."""

    registry: Registry | None = None
    """Registry to ask for ids that the folder does not map. Default: none."""

    @model_validator(mode="after")
    def _bare_has_its_schema(self) -> Self:
        if (self.framing == "bare") != (self.bare_schema is not None):
            raise ValueError("framing: bare and bare_schema go together")
        if self.json_schema is not None and self.framing != "json":
            raise ValueError("json_schema needs framing: json")
        return self


class Delivery(Section):
    """How records are posted."""

    mode: Literal["deliver", "shadow"] = "deliver"
    """`shadow` does everything but post, beside the connector that delivers: for trying a version or a setting on real
    events (docs/shadow.md). It posts nothing but to the test environment, where `openmarket.base_url` is that, reads no
    retry topic, and writes neither retries nor dead letters. What would have become of each event is said in
    `kafka.topics.shadow` (where `ledger` is on), in the log, and by metrics of names of their own. It needs a
    `kafka.group_id` that ends in `.shadow`, which no connector that delivers may have."""

    in_flight: int = Field(default=64, ge=1, le=5000)
    """Maximum number of posts in flight; as many connections are kept open."""

    uncommitted: int = Field(default=500, ge=1, le=100_000)
    """Maximum number of records that are answered but not yet in an acknowledged commit. At the limit posting waits:
    it is how many people a crash can text twice."""

    ordering: Literal["end_user", "partition", "none"] = "end_user"
    """Which events wait for each other: those of one end user in one partition, those of a whole partition, or
    none."""

    maybe_delivered_repeats: int = Field(default=1, ge=0, le=100)
    """How often a record may be posted again, in its whole life, after it may have been delivered (a time-out after the
    request was written, a gateway's 502); then it becomes a dead letter. Each repeat may text somebody twice; 0 may
    leave somebody without."""

    unstorable: Literal["stop", "summary"] = "stop"
    """What becomes of a dead letter that is too large for its topic for good: `stop` keeps it in place, and its
    partition waits; `summary` writes its position, size and hash instead of its value. The value itself is then kept
    only as long as the main topic keeps it."""

    deduplicate: Annotated[Duration, Field(ge=SECOND, le=HOUR)] | None = None
    """For how long an event that was accepted is not posted again from the same partition of the main topic: a record
    of the same event id, end user and service is settled as `duplicate_event`. For producers that may write an event
    twice but give each event an id of its own. At most 200,000 are remembered, some 60 MB; what other processes of the
    group accepted is known only where `ledger` is on. docs/operations.md says what it cannot see. Default: whatever is
    in the topic is posted."""

    max_event_age: Duration = Field(default=48 * HOUR, ge=SECOND, le=365 * DAY)
    """Age beyond which an event is stale and is not posted, counted from `createdAt`, or else from the original
    record's timestamp. Longer than `retry.window`, so that a retry does not expire on its way."""

    drain: Duration = Field(default=40 * SECOND, ge=0.1, le=HOUR)
    """How long a revoke or a stop waits for answers under way. Longer than `openmarket.timeouts.total`, so that a
    clean stop repeats nothing; the pod's grace period must be longer still."""

    buffer_bytes: Size = Field(default=64 * MIB, ge=64 * KIB, le=16 * GIB)
    """Maximum total size of the keys, values and headers of records taken and not yet settled, of which there are
    10,000 at most. Memory does not grow with lag."""


class Retry(Section):
    """When a record that the vendor could not take for now is tried again."""

    delay: Duration = Field(default=15 * MINUTE, ge=0.1, le=DAY)
    """Wait between two attempts. 15 minutes is the vendor's advice for its code 1010."""

    window: Duration = Field(default=24 * HOUR, ge=SECOND, le=30 * DAY)
    """How long a record is retried, counted from its first failure; after that it becomes a dead letter. 24 hours is
    the vendor's advice. The retry topic's retention must be longer."""


class Ledger(Section):
    """The delivery ledger: one entry for each settled record, in `kafka.topics.ledger`, by which `connector trace`
    tells what became of an event. Off unless this section is there."""

    key_file: Annotated[Secret, AfterValidator(_unguessable)]
    """File that holds the key of the HMAC which stands for a phone number: one word of 16 ASCII characters at least.
    One trailing newline is taken off. Read again when it changes; entries under an earlier key are not found by phone
    number any more."""

    required: bool = False
    """Whether a record is settled, and committed, only once its entry is acknowledged. Posting then stops while the
    ledger cannot be written, once `delivery.uncommitted` records wait, which a crash posts again. By default nothing
    waits for the ledger, and what is left out of it is counted."""


class Admin(Section):
    """The HTTP listener for probes, metrics and `/status`, which has no authentication and takes no commands; and the
    one that `connector pause` and `connector resume` speak to."""

    host: str = Field(default=EVERY_ADDRESS, min_length=1)
    """Address to listen on. `"*"` (in quotes) is every address of both families, or of IPv4 where the kernel has no
    IPv6; `0.0.0.0` and `"::"` are those of one family. Every address by default, because probes and scrapes come from
    outside the pod."""

    port: int = Field(default=9464, ge=0, le=65535)
    """Port to listen on; 0 takes any free one. 9464 is the usual port of a Prometheus exporter."""

    runbooks_url: Annotated[str, AfterValidator(_page_address)] | None = None
    """Where the page of this listener (`/`) links to for runbooks: this version's docs/runbooks, wherever you
    publish them, by http or https. Default: no link, since only you know the place."""

    control_host: str = Field(default="127.0.0.1", min_length=1)
    """Address to listen on for commands, as `host`. Another one than loopback needs `control_token_file`. IPv4's
    loopback is there in IPv6-only pods too."""

    control_port: int = Field(default=9465, ge=0, le=65535)
    """Port to listen on for commands; 0 takes any free one."""

    control_token_file: Annotated[Secret, AfterValidator(_unguessable)] | None = None
    """File that holds the token which every command must bring: one word of 16 ASCII characters at least. One trailing
    newline is taken off. Read again at each command. Default: none, so that everybody on this machine, or in this
    pod, may command."""

    @model_validator(mode="after")
    def _ports_differ(self) -> Self:
        if self.port and self.port == self.control_port:
            raise ValueError("port and control_port must be different: probes and commands have a listener each")
        return self

    @model_validator(mode="after")
    def _commands_are_guarded(self) -> Self:
        if self.control_token_file is None and not is_loopback(self.control_host):
            raise ValueError("control_host is not loopback: give control_token_file")
        return self


class Log(Section):
    """What is written to standard error."""

    level: Literal["debug", "info", "warning", "error"] = "info"
    """Lowest level that is written. Warning: nothing was lost; error: a person is needed."""

    format: Literal["auto", "json", "console"] = "auto"
    """`json` writes one object a line, `console` is for people; `auto` is console on a terminal and JSON elsewhere."""

    accepted: bool = True
    """Whether every accepted event has a line, with its event id and the vendor's request id, which support asks
    for."""
