"""The log of a shadow: its lines never say that something was posted, retried or dead-lettered."""

from __future__ import annotations

from connector.observe.events import Logger

LINES = {"accepted": "would_post", "retried": "would_retry", "dead_lettered": "would_dead_letter"}
"""Lines of a process that delivers, and what a shadow says instead."""

_MODE = "shadow"


class ShadowLogger:
    """Satisfies `Logger`: every line says the mode. Nobody was left without a message by what would have been a dead
    letter, so its line is a warning and not an error."""

    def __init__(self, log: Logger) -> None:
        self._log = log

    def debug(self, event: str, **fields: object) -> object:
        """As the logger does."""
        return self._log.debug(event, mode=_MODE, **fields)

    def info(self, event: str, **fields: object) -> object:
        """As the logger does."""
        return self._log.info(LINES.get(event, event), mode=_MODE, **fields)

    def warning(self, event: str, **fields: object) -> object:
        """As the logger does."""
        return self._log.warning(LINES.get(event, event), mode=_MODE, **fields)

    def error(self, event: str, **fields: object) -> object:
        """As the logger does, but for what would have been a dead letter."""
        if event in LINES:
            return self.warning(event, **fields)
        return self._log.error(event, mode=_MODE, **fields)
