"""Secrets and certificates whose files change while the connector runs: taken into use, or said to need a restart."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Mapping
from functools import partial
from pathlib import Path

from connector.config import ConfigError
from connector.config.fields import secret_files
from connector.config.reread import files, reread
from connector.config.settings import Settings
from connector.edge.avro.registry import ConfluentRegistry
from connector.edge.certificates import expires_at
from connector.edge.daemon import in_daemon_thread
from connector.edge.openmarket import OpenMarket
from connector.edge.shadow import NoPosts
from connector.edge.watch import Content, look
from connector.observe.events import ProcessEvents
from connector.runtime import parts

Hide = Callable[[Collection[str]], None]
"""Takes secrets that no log line may show."""

VENDOR = ("openmarket", "openmarket.tls", "openmarket.proxy")
RENEWED = (*VENDOR, "schemas.registry", "schemas.registry.proxy", "ledger")
AT_START_ONLY = ("kafka.security", "kafka.security.oauth")
"""Sections of settings whose files are watched. librdkafka takes its own when a client is made."""


def read_again(settings: Settings, hide: Hide) -> tuple[Settings, Mapping[Path, Content]]:
    """The settings with all watched files read once more, after a look at them: none can change unnoticed in between.

    Raises ConfigError.
    """
    sections = [section for section in (*RENEWED, *AT_START_ONLY) if files(settings, section)]
    seen = look({path for section in sections for path in files(settings, section).values()})
    for section in sections:
        settings = reread(settings, section)
    hide(secrets(settings))
    return settings, seen


class Renewal:
    """What is done about changed files; a `FileWatch` awaits `changed`.

    A section's files are taken into use together. One that cannot be used leaves all of them as they were.
    """

    def __init__(
        self,
        settings: Settings,
        invoker: OpenMarket | NoPosts,
        registry: ConfluentRegistry | None,
        events: ProcessEvents,
        hide: Hide,
        on_renewed: Callable[[], None] = lambda: None,
        on_ledger_key: Callable[[str], None] = lambda _: None,
    ) -> None:
        """`on_renewed` is called when a new password or new certificates towards the vendor are in force,
        `on_ledger_key` with a new key of the ledger's."""
        self._settings = settings
        self._invoker = invoker
        self._registry = registry
        self._events = events
        self._hide = hide
        self._on_renewed = on_renewed
        self._on_ledger_key = on_ledger_key
        self._take: Mapping[str, Callable[[Settings], Awaitable[None]]] = {
            "openmarket": self._take_password,
            "openmarket.tls": self._take_certificates,
            "openmarket.proxy": self._take_proxy,
            "schemas.registry": self._take_registry,
            "schemas.registry.proxy": self._take_registry,
            "ledger": self._take_ledger_key,
        }
        self._files = {section: files(settings, section) for section in (*RENEWED, *AT_START_ONLY)}
        self._unusable: dict[str, frozenset[str]] = {}
        self._waits_for_restart: set[str] = set()
        registry_settings = settings.schemas.registry
        self._expiries = {
            "openmarket": _expiry(settings.openmarket.tls.certificate_file),
            "kafka": _expiry(settings.kafka.security.certificate_file),
            "registry": None if registry_settings is None else _expiry(registry_settings.certificate_file),
        }

    @property
    def certificate_expiries(self) -> Mapping[tuple[str, ...], float]:
        """When each certificate of ours that is in force ends, in seconds since the epoch."""
        return {(name,): end for name, end in self._expiries.items() if end is not None}

    @property
    def unusable(self) -> int:
        """Settings whose files changed and cannot be used."""
        return sum(map(len, self._unusable.values()))

    @property
    def wait_for_restart(self) -> int:
        """Settings whose files changed since the start, and are read then only."""
        return len(self._waits_for_restart)

    async def changed(self, contents: Mapping[Path, Content]) -> None:
        """Read these files anew, and what belongs to them."""
        renewed = [section for section in self._files if await self._renew(section, contents)]
        if not set(renewed).isdisjoint(VENDOR):
            self._on_renewed()

    async def _renew(self, section: str, contents: Mapping[Path, Content]) -> bool:
        names = frozenset(name for name, path in self._files[section].items() if path in contents)
        if not names:
            return False
        names |= self._unusable.pop(section, frozenset())
        take = self._take.get(section)
        try:
            settings = await in_daemon_thread(partial(reread, self._settings, section))
            self._hide(secrets(settings))
            if take is None:
                self._waits_for_restart |= names
                self._events.restart_needed(names)
                return False
            await take(settings)
        except (ConfigError, OSError) as error:  # ssl.SSLError is an OSError
            self._unusable[section] = names
            self._events.secrets_unusable(names, _why(error))
            return False
        self._settings = settings
        self._events.secrets_renewed(names)
        return True

    async def _take_password(self, settings: Settings) -> None:
        self._invoker.renew_password(settings.openmarket.password.get_secret_value())

    async def _take_certificates(self, settings: Settings) -> None:
        await self._invoker.renew_tls(parts.tls(settings))
        ours = partial(_expiry, settings.openmarket.tls.certificate_file)
        self._expiries["openmarket"] = await in_daemon_thread(ours)

    async def _take_proxy(self, settings: Settings) -> None:
        proxy = parts.proxy(settings.openmarket.proxy)
        assert proxy is not None
        self._invoker.renew_proxy(proxy)

    async def _take_registry(self, settings: Settings) -> None:
        given = settings.schemas.registry
        assert given is not None
        assert self._registry is not None
        await self._registry.renew(parts.registry_access(given))
        self._expiries["registry"] = await in_daemon_thread(partial(_expiry, given.certificate_file))

    async def _take_ledger_key(self, settings: Settings) -> None:
        assert settings.ledger is not None
        self._on_ledger_key(settings.ledger.key_file.secret.get_secret_value())


def secrets(settings: Settings) -> list[str]:
    """Every value that no line may show: what the secret files hold, and the password of `user:password` alone too."""
    values = {name: file.secret.get_secret_value() for name, file in secret_files(settings)}
    registry = values.get("schemas.registry.basic_auth_file", "")
    return [*values.values(), *([registry.partition(":")[2]] if registry else [])]


def _expiry(certificate: Path | None) -> float | None:
    return None if certificate is None else expires_at(certificate)


def _why(error: ConfigError | OSError) -> str:
    if isinstance(error, ConfigError):
        return "; ".join(error.problems)
    return error.strerror or type(error).__name__
