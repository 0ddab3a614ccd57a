"""The settings of `openmarket`: the vendor's address, the account, and the rules of its API that are open."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal, Self
from urllib.parse import urlsplit

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Discriminator,
    Field,
    SecretStr,
    Tag,
    ValidationInfo,
    WithJsonSchema,
    field_validator,
    model_validator,
)
from pydantic.json_schema import JsonSchemaValue

from connector.config.files import ReadableFile, Secret
from connector.config.proxy import Proxy
from connector.config.section import Section, is_loopback, one_address, together
from connector.config.units import MINUTE, SECOND, Duration
from connector.core.service_id import PATTERN, is_service_id
from connector.core.vendor_words import BUILT_IN_VARIABLES, RESERVED_WORDS

CIE_HOST = "servicemanager-cie.openmarket.com"
"""The vendor's test environment, which triggers nothing (vendor's pages on testing)."""

HEADERS_OF_OURS = frozenset({"authorization", "content-type", "content-length", "host", "traceparent", "tracestate"})
"""Of each request, in lower case: none can carry the name of mutual TLS."""


def _base(url: str) -> str:
    parts = one_address(url, "https://servicemanager.openmarket.com", "they belong in account_id and password_file")
    if parts.query or parts.fragment:
        raise ValueError("must end with its path: the API refuses a query string")
    if "/service/v1" in parts.path:
        raise ValueError("must end before /service/v1, which the connector adds")
    return url.rstrip("/")


def _no_colon(account: str) -> str:
    if ":" in account or not account.isprintable():
        raise ValueError("must be printable and without a colon, which ends the user name of Basic authentication")
    return account


_HEXADECIMAL = "must be 1 to 64 hexadecimal digits"
_NUMBER = "reads as a number in YAML: put it in quotes, so that it is sent as written"
_NO_SERVICE = "must list at least one service id"


def _service_id(value: object) -> str:
    if isinstance(value, int):
        raise ValueError(_NUMBER)  # noqa: TRY004 - pydantic collects ValueError only
    if not isinstance(value, str) or not is_service_id(value):
        raise ValueError(_HEXADECIMAL)
    return value


def _different(ids: tuple[str, ...]) -> tuple[str, ...]:
    if not ids:
        raise ValueError(_NO_SERVICE)
    if len({one.upper() for one in ids}) < len(ids):
        raise ValueError("names a service id twice; ids are compared without case")
    return ids


class AnyService(Section):
    """Said aloud: no allow-list."""

    any: Literal[True]
    """Post whatever service id an event names. The vendor accepts an id that does not exist and triggers nothing."""


_ID_SCHEMA: JsonSchemaValue = {
    "type": "string",
    "pattern": f"^{PATTERN}$",
    "x-pattern": _HEXADECIMAL,
    "x-number": _NUMBER,
}
ServiceId = Annotated[str, BeforeValidator(_service_id)]
ServiceIds = Annotated[
    Annotated[
        tuple[ServiceId, ...],
        AfterValidator(_different),
        Tag("list"),
        WithJsonSchema({"type": "array", "items": _ID_SCHEMA, "minItems": 1, "x-empty": _NO_SERVICE}),
    ]
    | Annotated[AnyService, Tag("any")],
    Discriminator(lambda value: "any" if isinstance(value, dict | AnyService) else "list"),
]


def allowed(service_ids: tuple[str, ...] | AnyService) -> Mapping[str, str] | None:
    """Upper-cased service id → as listed; None when any may be triggered."""
    if isinstance(service_ids, AnyService):
        return None
    return {one.upper(): one for one in service_ids}


class Tls(Section):
    """TLS 1.2 or newer; with a certificate of ours it is mutual."""

    ca_file: ReadableFile | None = None
    """PEM file with the certificates that may sign the API's. Default: those of the system."""

    certificate_file: ReadableFile | None = None
    """PEM file with our certificate, for mutual TLS. Needs `key_file`."""

    key_file: ReadableFile | None = None
    """PEM file with the key to `certificate_file`."""

    key_password_file: Secret | None = None
    """File that holds the password of `key_file`, when it has one."""

    name_header: str | None = Field(default=None, pattern=r"^[A-Za-z0-9!#$%&'*+.^_`|~-]{1,64}$")
    """Header that carries `name`. Its name is agreed with the vendor; no page tells it."""

    name: str | None = Field(default=None, pattern=r"^[!-~]([ -~]{0,254}[!-~])?$")
    """The name on the vendor's list, sent in `name_header` with mutual TLS."""

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        together("certificate_file and key_file go together", self.certificate_file, self.key_file)
        together("name_header and name go together", self.name_header, self.name)
        if self.key_password_file is not None and self.key_file is None:
            raise ValueError("key_password_file needs key_file")
        if self.name_header is not None and self.name_header.lower() in HEADERS_OF_OURS:
            raise ValueError("name_header names a header that the request has already")
        return self


class Timeouts(Section):
    """Bounds on one post."""

    connect: Duration = Field(default=5 * SECOND, ge=0.01, le=5 * MINUTE)
    """Name look-up, connection, a proxy's tunnel and TLS handshake together. Shorter than `total`; nothing was sent
    when it passes."""

    total: Duration = Field(default=30 * SECOND, ge=0.01, le=10 * MINUTE)
    """The whole post, answer included. When it passes after the request was written, the record may have been
    delivered, so it is generous."""


class OutcomeRule(Section):
    """A row of ours in front of the classification table."""

    vendor_code: Annotated[str, Field(pattern=r"^[A-Za-z0-9_.-]{1,32}$")] | None = None
    """The `code` in the body of a rejection. A number or a text."""

    description: str | None = Field(default=None, min_length=3, max_length=200)
    """First words of the rejection's `description`, compared without case."""

    status: int | None = Field(default=None, ge=300, le=599)
    """HTTP status. Below 300 nothing can be overridden: only 200 and 202 with an `X-Request-Id` are accepted."""

    fate: Literal["retry", "dead_letter", "hold"]
    """What becomes of the record. `accepted` cannot be chosen: it would lose events."""

    why: str = Field(default="set in openmarket.outcomes", min_length=1, max_length=200)
    """Shown in logs, in the dead letter and by `connector codes`."""

    @field_validator("vendor_code", mode="before")
    @classmethod
    def _number_or_text(cls, code: object) -> object:
        return str(code) if isinstance(code, int) and not isinstance(code, bool) else code

    @model_validator(mode="after")
    def _one_pattern(self) -> Self:
        if sum(part is not None for part in (self.vendor_code, self.description, self.status)) != 1:
            raise ValueError("needs exactly one of vendor_code, description and status")
        return self


class OpenMarket(Section):
    """The Invoke Service API and the one account that this connector serves."""

    allow_plain_http: bool = False  # before base_url, whose check looks at it
    """Whether `base_url` may be plain http to another machine. The password then travels in clear."""

    base_url: Annotated[str, AfterValidator(_base)]
    """Address of the API, without `/service/v1/…`. No default: production is `https://servicemanager.openmarket.com`;
    the test environment, `https://servicemanager-cie.openmarket.com`, triggers nothing."""

    account_id: Annotated[str, Field(min_length=1, max_length=255), AfterValidator(_no_colon)]
    """Account, case-sensitive, as the vendor wrote it. In quotes when it looks like a number."""

    password_file: Secret
    """File that holds the account's password, case-sensitive. One trailing newline is taken off."""

    service_ids: ServiceIds
    """Services that may be triggered: a list of hexadecimal ids of 1 to 64 digits, compared without case and sent as
    listed, or `{any: true}`. No default: the vendor accepts an id that does not exist, and nothing after that can
    tell."""

    tls: Tls = Tls()
    """Certificates for https."""

    proxy: Proxy | None = None
    """Forward proxy between us and the API, which must be https then: TLS goes through the proxy unread. Default:
    none, whatever the environment's proxy variables say."""

    timeouts: Timeouts = Timeouts()
    """Bounds on one post."""

    key_characters: Literal["strict", "digits"] = "strict"
    """Characters of a variable's key: `strict` is the vendor's page (letters, `_`, `-`, `.`); `digits` allows 0 to 9
    too, as one of its examples does."""

    values: Literal["string", "native"] = "string"
    """How numbers and booleans are sent: as text, the page's type, or bare, as the page's example does."""

    reserved_words: tuple[str, ...] = tuple(sorted(RESERVED_WORDS))
    """Keys that the vendor refuses, compared without case. Its list is not published: this is its expression
    language's."""

    built_in_variables: tuple[str, ...] = tuple(sorted(BUILT_IN_VARIABLES))
    """Variables (`scope.key`) of the vendor's own, which cannot be set, compared without case. Known to be
    incomplete."""

    outcomes: tuple[OutcomeRule, ...] = ()
    """Rows in front of the classification table (`connector codes` shows it), the first that fits counts. Each has
    one of `vendor_code`, `description` and `status`, a `fate` (`retry`, `dead_letter`, `hold`) and, if wanted,
    `why`."""

    @field_validator("base_url")
    @classmethod
    def _encrypted(cls, url: str, info: ValidationInfo) -> str:
        parts = urlsplit(url)
        if parts.scheme == "http" and not is_loopback(parts.hostname or "") and not info.data.get("allow_plain_http"):
            raise ValueError("plain http shows the password to the network: use https, or set allow_plain_http: true")
        return url

    @model_validator(mode="after")
    def _proxy_fits(self) -> Self:
        if self.proxy is not None and not self.base_url.startswith("https://"):
            raise ValueError("proxy needs a base_url that begins with https: only a tunnel (CONNECT) is asked of it")
        return self

    @property
    def password(self) -> SecretStr:
        """The password as it was when the settings were loaded."""
        return self.password_file.secret

    @property
    def is_cie(self) -> bool:
        """Whether this is the vendor's test environment, which triggers nothing."""
        return urlsplit(self.base_url).hostname == CIE_HOST

    @property
    def allowed_services(self) -> Mapping[str, str] | None:
        """Upper-cased service id → as listed; None when any may be triggered."""
        return allowed(self.service_ids)
