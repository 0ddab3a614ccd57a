"""The parts that only the settings shape: decoder, registry, the vendor's API; those towards Kafka are next door."""

from __future__ import annotations

from typing import TYPE_CHECKING

from connector.config import ConfigError
from connector.config import proxy as config_proxy
from connector.config.files import SecretFile
from connector.config.sections import Registry
from connector.config.settings import Settings
from connector.core.mapping.rules import Rules
from connector.edge.avro.codec import Reader
from connector.edge.avro.decoder import AvroDecoder
from connector.edge.avro.framing import Framing, Kind
from connector.edge.avro.lookup import Ask, Asking
from connector.edge.avro.schemas import (
    SchemaFile,
    SchemaFolder,
    SchemaFolderError,
    json_schema,
    load_file,
    load_folder,
    reader_schema,
    shipped_folder,
)
from connector.edge.http.tunnel import Proxy
from connector.edge.openmarket import OpenMarket
from connector.edge.shadow import NoPosts
from connector.edge.tls import Tls
from connector.engine.ports import Clock

if TYPE_CHECKING:  # aiohttp with it takes a tenth of a second, for commands that ask no registry
    from connector.edge.avro.registry import Access, ConfluentRegistry


def decoder(settings: Settings, clock: Clock, registry: ConfluentRegistry | None) -> AvroDecoder:
    """The Avro decoder with every schema that folder and package have. Raises ConfigError for one that is unusable."""
    schemas = settings.schemas
    try:
        return AvroDecoder(
            Reader(reader_schema(), rules(settings)),
            schema_folder(settings),
            framing=Framing(schemas.framing),
            bare=bare_schema(settings),
            registry=registry,
            also=asking(settings, registry),
            monotonic=clock.monotonic,
        )
    except SchemaFolderError as error:
        raise ConfigError((f"schemas: {error}",)) from None


def rules(settings: Settings) -> Rules | None:
    """The mapping, where there is one."""
    return None if settings.mapping is None else settings.mapping.rules


def bare_schema(settings: Settings) -> SchemaFile | None:
    """The one schema of events that do not name theirs. Raises SchemaFolderError when it cannot be read."""
    schemas = settings.schemas
    if schemas.framing == "json" and schemas.json_schema is None:
        # What producers of their own fields write is told by the mapping.
        return json_schema() if settings.mapping is None else SchemaFile("any JSON", "{}", is_json=True)
    if schemas.json_schema is not None:
        return load_file(schemas.json_schema)._replace(is_json=True)
    return None if schemas.bare_schema is None else load_file(schemas.bare_schema)


def asking(settings: Settings, registry: ConfluentRegistry | None) -> Asking:
    """What the registry is asked for beside ids."""
    given = settings.schemas.registry
    if given is None or registry is None:
        return Asking()
    from connector.edge.avro.apicurio import ApicurioApi

    by: dict[Kind, Ask] = {}
    if given.guids:
        by[Kind.GUID] = lambda name: registry.by_guid(name.text)
    if given.apicurio_url is not None:
        by[Kind.GLOBAL_ID] = by[Kind.CONTENT_ID] = ApicurioApi(registry, given.apicurio_url).schema
    eight_bytes = {"global_id": Kind.GLOBAL_ID, "content_id": Kind.CONTENT_ID, None: None}[given.eight_byte_ids]
    return Asking(by, eight_bytes, registry.versions)


def schema_folder(settings: Settings) -> SchemaFolder:
    """The schemas of the folder and of this package. Raises SchemaFolderError for a folder that is unusable.

    The default folder may be missing: our own schemas come with the package.
    """
    folder = settings.schemas.folder
    if "folder" not in settings.schemas.model_fields_set and not folder.is_dir():
        return shipped_folder()
    return load_folder(folder).over(shipped_folder())


def registry(settings: Settings) -> ConfluentRegistry | None:
    """The schema registry, where there is one. Raises OSError when its TLS files cannot be used."""
    given = settings.schemas.registry
    if given is None:
        return None
    from connector.edge.avro.registry import ConfluentRegistry

    return ConfluentRegistry(given.url, registry_access(given))


def registry_access(registry: Registry) -> Access:
    """The credentials and TLS files towards the schema registry."""
    from connector.edge.avro.registry import Access

    return Access(
        _secret(registry.basic_auth_file),
        _secret(registry.bearer_token_file),
        Tls(registry.ca_file, registry.certificate_file, registry.key_file, _secret(registry.key_password_file) or ""),
        proxy(registry.proxy),
    )


def posting(settings: Settings) -> OpenMarket | NoPosts:
    """What events are posted by. Make it on a running event loop. Raises OSError when a TLS file cannot be used."""
    return invoker(settings) if settings.posts else NoPosts()


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
        proxy=proxy(openmarket.proxy),
    )


def proxy(given: config_proxy.Proxy | None) -> Proxy | None:
    """The forward proxy that a section of the settings names, with the credentials in force."""
    return None if given is None else Proxy(given.host, given.port, given.basic_auth)


def tls(settings: Settings) -> Tls:
    """The TLS files towards the vendor."""
    files = settings.openmarket.tls
    return Tls(files.ca_file, files.certificate_file, files.key_file, _secret(files.key_password_file) or "")


def name_header(settings: Settings) -> tuple[str, str] | None:
    """The header that mutual TLS asks for, and its value."""
    files = settings.openmarket.tls
    return (files.name_header, files.name) if files.name_header is not None and files.name is not None else None


def _secret(file: SecretFile | None) -> str | None:
    return None if file is None else file.secret.get_secret_value()
