"""The last step before a log line is rendered: no phone number and no credential leaves, whatever the text's origin."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, MutableMapping
from typing import Any

from connector.core.redact import scrub

# Ids and names that are not free text: what a person searches by must stay whole.
_KEPT = frozenset({"event_id", "service_id", "request_id", "trace_id", "schema_id", "topic", "partitions", "targets"})
_OURS = frozenset({"timestamp", "level"})
"""Written by us alone. With a secret that is a word of them, a mask would break the line and say what the secret is."""

SHORTEST_SECRET = 4
"""Characters. A shorter one is not masked: it is a word or a number that lines have for other reasons."""

_LONG = 16  # characters, which no word has: such a secret is masked within anything, as in an escaped or joined text
_MOST_SECRETS = 100  # each costs time on every line, and one that was replaced so often opens nothing any more

_CREDENTIALS = (
    (re.compile(r"\b((?i:basic|bearer))\s+(?=\S*[A-Z0-9=])[A-Za-z0-9+/=._~-]{8,}"), r"\1 [secret]"),
    (re.compile(r"(?i)\b(pass(?:word|wd)|secret|token|api[_-]?key)(['\"]?\s*[=:]\s*)[^\s,;&]+"), r"\1\2[secret]"),
    (re.compile(r"://[^/@\s]+@"), "://[secret]@"),
)


class Redaction:
    """A structlog processor. `secrets` are values known to be secret, taken out wherever they appear."""

    def __init__(self, secrets: Collection[str] = ()) -> None:
        self._all: tuple[str, ...] = ()
        self.hide(secrets)

    def hide(self, secrets: Collection[str]) -> None:
        """Take these out as well from now on; of all that ever were, the last 100."""
        long_enough = [secret for secret in secrets if len(secret) >= SHORTEST_SECRET]
        others = [secret for secret in self._all if secret not in long_enough]
        self._all = (*others, *long_enough)[-_MOST_SECRETS:]
        # The longest first: the rest of one that begins with another would be left to be read.
        self._secrets = [(secret, _whole(secret)) for secret in sorted(self._all, key=len, reverse=True)]

    def __call__(self, _logger: object, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
        """Clean every text of a line, also within maps and lists."""
        # A line's name is ours too, unless a library wrote the line: then it is what the library said.
        ours = _OURS if "logger" in event else _OURS | {"event"}
        return {key: value if key in ours else self._of(key, value) for key, value in event.items()}

    def _of(self, key: str, value: object) -> object:
        return self._known(value) if key in _KEPT else self._clean(value)

    def _clean(self, value: object) -> object:
        match value:
            case str():
                return self._text(value)
            case Mapping():
                return {str(key): self._clean(item) for key, item in value.items()}
            case list() | tuple() | set() | frozenset():
                return [self._clean(item) for item in value]
            case None | bool() | int() | float():
                return value
            case _:
                return type(value).__name__  # a repr could show anything

    def _known(self, value: object) -> object:
        return self._without_secrets(value) if isinstance(value, str) else value

    def _text(self, text: str) -> str:
        for pattern, replacement in _CREDENTIALS:
            text = pattern.sub(replacement, text)
        return scrub(self._without_secrets(text))

    def _without_secrets(self, text: str) -> str:
        for secret, whole in self._secrets:
            if secret in text:
                text = whole.sub("[secret]", text)
        # A lone surrogate cannot be written as UTF-8.
        return text if text.isascii() else text.encode("utf-8", "replace").decode("utf-8")


def _whole(secret: str) -> re.Pattern[str]:
    """The secret as a word of its own: within another word it is that word's letters, and a mask would give it away.

    A line end or a percent sign's two digits before it may be an escape, and no part of the word.
    """
    if len(secret) >= _LONG:
        return re.compile(re.escape(secret))
    before = r"(?:(?<!\w)|(?<=\\[nrt])|(?<=%[0-9A-Fa-f]{2}))" if _is_word(secret[0]) else ""
    return re.compile(before + re.escape(secret) + (r"(?!\w)" if _is_word(secret[-1]) else ""))


def _is_word(character: str) -> bool:
    return re.match(r"\w", character) is not None
