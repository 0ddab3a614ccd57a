"""An HTTP/1 answer, bytes in and what they say out: no sockets, no clock, no exceptions.

Strict where answers could be mixed up, tolerant elsewhere: an accepted post whose answer a proxy has bent must not be
posted again. What cannot be read to its end costs the connection; the status line and the X-Request-Id that have come
decide all the same.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from connector.core.reply import Reply

LIMIT = 64 * 1024
"""Bytes of a head, and of a body; the vendor's answers have a few hundred."""

_STATUS_LINE = re.compile(rb"[\r\n]*HTTP/(\d)\.(\d)[ \t]+([1-9]\d\d)(?:[ \t][^\n]*)?\r*\n")
_FIRST_LINE = re.compile(rb"[\r\n]*[^\r\n][^\n]*\n")
_BEGINNING = b"HTTP/"
_HEAD_END = re.compile(rb"\n\r?\n")
_FOLD = re.compile(rb"\r?\n[ \t]+")
# The lines that mean something to us. A space before the colon is tolerated.
_FIELD = re.compile(
    rb"\n(content-length|transfer-encoding|connection|x-request-id|retry-after)[ \t]*:([^\n]*)", re.IGNORECASE
)
_LENGTHS = re.compile(rb"\d{1,18}(?:[ \t]*,[ \t]*\d{1,18})*")
_CHUNK_SIZE = re.compile(rb"([0-9A-Fa-f]{1,15})[ \t]*(?:;[^\n]*)?\r?\n")

_FINAL_LEAST = 200
_SWITCHING_PROTOCOLS = 101
_WITHOUT_BODY = frozenset({_SWITCHING_PROTOCOLS, 204, 304})


class HttpAnswer:
    """One answer, as far as it has come. Feed it until it is over; an answer that is over takes nothing more."""

    __slots__ = (
        "_at",
        "_body",
        "_buffer",
        "_left",
        "_next",
        "_persistent",
        "_whole_head",
        "complete",
        "over",
        "request_id",
        "retry_after",
        "status",
    )

    def __init__(self) -> None:
        self.status = 0
        self.request_id: str | None = None
        self.retry_after: str | None = None
        self.over = False
        self.complete = False
        self._whole_head = False
        self._persistent = False
        self._body = bytearray()
        self._buffer = bytearray()
        self._at = 0  # what of the buffer has been read
        self._left = 0  # bytes of the body, of its chunk or of the trailers that may still come
        self._next: Callable[[], bool] = self._head

    @property
    def begun(self) -> bool:
        """Whether a final answer's whole head has come."""
        return self._whole_head

    @property
    def reusable(self) -> bool:
        """Whether the next request may go on this connection: the answer ended where it said, and nothing followed."""
        return self.complete and self._persistent and self._at == len(self._buffer)

    @property
    def followed(self) -> bool:
        """Whether anything has come behind a final answer's head."""
        return self._whole_head and (bool(self._body) or self._at < len(self._buffer))

    def feed(self, data: bytes) -> bool:
        """Take the next bytes; whether the answer is over, complete or not."""
        self._buffer += data
        while not self.over and self._next():
            pass
        if not self.over:
            del self._buffer[: self._at]
            self._at = 0
        return self.over

    def end(self, *, clean: bool) -> None:
        """Nothing more comes: the connection was closed in good order (`clean`), or broke off, or is given up."""
        if self.over:
            return
        if not self._whole_head:
            self._cut_head()
        elif self._next == self._until_close:
            self.complete = clean
        self.over = True

    def reply(self) -> Reply | None:
        """What it says; None unless its head has come, or at least its status line and X-Request-Id."""
        if not self._whole_head and self.request_id is None:
            return None
        return Reply(self.status, self.request_id, bytes(self._body[:LIMIT]), self.retry_after, self.complete)

    # Each of these reads on from `_at`, and says whether it is worth calling `_next` again with what is there.

    def _head(self) -> bool:
        buffer = self._buffer
        end = _HEAD_END.search(buffer, self._at)
        while end is not None and buffer[0] in b"\r\n" and not buffer[: min(end.end(), LIMIT)].strip(b"\r\n"):
            end = _HEAD_END.search(buffer, end.end() - 1)  # nothing but the empty lines that some send before it
        if end is None or end.start() > LIMIT:
            if end is not None or len(buffer) > LIMIT + 2 or _is_not_http(buffer):
                self._cut_head()
                self.over = True
            self._at = 0
            return False
        line = _STATUS_LINE.match(buffer)
        if line is None:
            self.over = True
            return False
        self.status = int(line[3])
        if not _is_final(self.status):
            del buffer[: end.end()]
            return True
        self._at = end.end()
        self._whole_head = True
        self._framing(bytes(buffer[line.end() - 1 : end.start()]), line[1] + line[2] >= b"11")
        return True

    def _cut_head(self) -> None:
        """Read what has come of a head whose end never will."""
        line = _STATUS_LINE.match(self._buffer)
        if line is None or not _is_final(status := int(line[3])):
            return
        self.status = status
        whole_lines = self._buffer[line.end() - 1 : self._buffer.rfind(b"\n", 0, LIMIT) + 1]
        self._fields(bytes(whole_lines))

    def _fields(self, lines: bytes) -> tuple[list[bytes], list[bytes], list[bytes]]:
        """Keep what the answer says to us; return its lengths, its transfer codings and its connection options."""
        lengths: list[bytes] = []
        codings: list[bytes] = []
        options: list[bytes] = []
        if b"\n " in lines or b"\n\t" in lines:
            lines = _FOLD.sub(b" ", lines)
        for name, value in _FIELD.findall(lines):
            match name.lower():
                case b"content-length":
                    lengths.append(value.strip())
                case b"x-request-id":
                    self.request_id = text(value) if self.request_id is None else self.request_id
                case b"connection":
                    options += _list(value)
                case b"transfer-encoding":
                    codings += _list(value)
                case b"retry-after":
                    self.retry_after = text(value) if self.retry_after is None else self.retry_after
        return lengths, codings, options

    def _framing(self, lines: bytes, is_persistent_version: bool) -> None:
        """Where the body ends (RFC 9112, 6.3), and whether the connection can be used after it.

        A head that says it twice is read as the RFC says, and its connection closed: the next answer may begin
        somewhere else for them than for us.
        """
        lengths, codings, options = self._fields(lines)
        self._persistent = b"close" not in options and (is_persistent_version or b"keep-alive" in options)
        self._persistent &= not codings or (codings == [b"chunked"] and not lengths)
        codings = [coding for coding in codings if coding != b"identity"]
        if self.status in _WITHOUT_BODY:
            self._persistent &= self.status != _SWITCHING_PROTOCOLS and not codings and set(lengths) <= {b"0"}
            self._finish()
        elif codings:
            self._next = self._chunk_size if codings[-1] == b"chunked" else self._until_close
        elif lengths:
            self._counted_by(lengths)
        else:
            self._next = self._until_close

    def _counted_by(self, lengths: list[bytes]) -> None:
        if not all(_LENGTHS.fullmatch(length) for length in lengths):
            self.over = True
            return
        numbers = {int(number) for length in lengths for number in length.split(b",")}
        if len(numbers) > 1:
            self.over = True
            return
        self._left = numbers.pop()
        self._next = self._counted
        if not self._left:
            self._finish()

    def _counted(self) -> bool:
        if self._take_body() and not self._left:
            self._finish()
        return False

    def _until_close(self) -> bool:
        self._left = LIMIT + 1
        self._persistent = False
        self._take_body()
        return False

    def _chunk_size(self) -> bool:
        end = self._buffer.find(b"\n", self._at)
        if end < 0:
            self.over = len(self._buffer) - self._at > LIMIT
            return False
        size = _CHUNK_SIZE.match(self._buffer, self._at)
        if size is None:
            self.over = True
            return False
        self._at = size.end()
        self._left = int(size[1], 16)
        self._next = self._chunk
        if not self._left:
            self._left = LIMIT
            self._next = self._trailers
        return True

    def _chunk(self) -> bool:
        if not self._take_body() or self._left:
            return False
        self._next = self._chunk_end
        return True

    def _chunk_end(self) -> bool:
        come = bytes(self._buffer[self._at : self._at + 2])
        if come[:1] == b"\n" or come == b"\r\n":
            self._at += 1 if come[:1] == b"\n" else 2
            self._next = self._chunk_size
            return True
        self.over = come not in (b"", b"\r")
        return False

    def _trailers(self) -> bool:
        end = self._buffer.find(b"\n", self._at)
        length = (len(self._buffer) if end < 0 else end) - self._at
        if length > self._left:
            self.over = True
        elif end >= 0:
            is_last = not self._buffer[self._at : end].strip(b"\r")
            self._at = end + 1
            self._left -= length
            if not is_last:
                return True
            self._finish()
        return False

    def _take_body(self) -> bool:
        """Move what is there of the body, or of its chunk; whether it is within its bound."""
        here = self._buffer[self._at : self._at + min(self._left, LIMIT + 1 - len(self._body))]
        self._body += here
        self._at += len(here)
        self._left -= len(here)
        self.over = len(self._body) > LIMIT
        return not self.over

    def _finish(self) -> None:
        self.complete = self.over = True


def text(value: bytes) -> str:
    """A header's value as text, whatever its bytes."""
    return value.strip(b" \t\r").decode("utf-8", "replace")


def _list(value: bytes) -> list[bytes]:
    return [item for item in (item.strip().lower() for item in value.split(b",")) if item]


def _is_final(status: int) -> bool:
    return status >= _FINAL_LEAST or status == _SWITCHING_PROTOCOLS


def _is_not_http(begun: bytearray) -> bool:
    """Whether what has come can never become an answer, whatever follows."""
    beginning = begun[:LIMIT].lstrip(b"\r\n")[: len(_BEGINNING)]
    if not _BEGINNING.startswith(beginning):
        return True
    return _FIRST_LINE.match(begun) is not None and _STATUS_LINE.match(begun) is None
