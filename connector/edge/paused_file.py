"""The file of pauses (`hold.paused_file`): its content in, what it pauses out."""

from __future__ import annotations

from collections.abc import Collection

from connector.core.pauses import EVERYTHING, Target, Unusable, parse_file
from connector.observe.events import HoldEvents


class PausedFile:
    """Reads one content after the other. One that cannot be used changes nothing.

    Until one could be used everything is paused: a typing error must not post what was paused before a restart.
    """

    def __init__(self, events: HoldEvents, topics: Collection[str]) -> None:
        """`topics` are those that are read; a line that names another pauses nothing."""
        self._events = events
        self._topics = frozenset(topics)
        self._targets = frozenset({EVERYTHING})
        self._content: bytes | None = None

    def read(self, content: bytes | None) -> frozenset[Target]:
        """What is paused with this content, None for no file: nothing is. A problem is reported once a content."""
        if content is None:
            self._targets = frozenset()
        elif content != self._content:
            self._targets = self._parsed(content)
        self._content = content
        return self._targets

    def unreadable(self) -> frozenset[Target]:
        """What is paused when the file is there and cannot be read: what was before. Reported at each call."""
        self._events.paused_file_unusable(Unusable("unreadable"))
        return self._targets

    def _parsed(self, content: bytes) -> frozenset[Target]:
        parsed = parse_file(content)
        if isinstance(parsed, Unusable):
            self._events.paused_file_unusable(parsed)
            return self._targets
        read = frozenset(target for target in parsed if target.is_read(self._topics))
        if unread := parsed - read:
            self._events.paused_file_unread(unread, self._topics)
        return read
