"""One connection to the vendor: a request in one write, its answer out, and who may have it next.

What was handed to the kernel decides between "never sent" and "maybe delivered", so without TLS the socket is written
to directly: the event loops' transports do not tell.
"""

from __future__ import annotations

import asyncio
import select
import socket
import time
from collections.abc import Callable
from typing import Protocol, cast

from connector.core.reply import Answer, Failure, NoReply, Reply
from connector.edge.http.answer import HttpAnswer
from connector.edge.http.dial import refuses_certificate
from connector.edge.http.familiar import Familiar


class Certificates(Protocol):
    """The certificates that a connection was opened under."""

    has_answered: bool

    def broken_off(self, otherwise: Failure) -> Failure:
        """What it means that the other side cut the connection."""


class Post:
    """One request and whoever waits for its answer; it is on one connection, or waits for one. `made`: when, by
    `time.monotonic`, since the event loop's own clock stands still within a turn."""

    __slots__ = ("connection", "data", "made", "on_answer")

    def __init__(self, data: bytes, on_answer: Callable[[Answer], None]) -> None:
        self.data = data
        self.on_answer = on_answer
        self.made = time.monotonic()
        self.connection: Connection | None = None


class Owner(Protocol):
    """The pool, as a connection sees it."""

    familiar: Familiar

    def opened(self, connection: Connection) -> None:
        """It is there, and may be written to."""

    def free(self, connection: Connection) -> None:
        """Its answer has ended: it may take another post."""

    def lost(self, connection: Connection) -> None:
        """It takes no more posts. Called once."""

    def answered(self, post: Post, answer: Answer) -> None:
        """The post is over."""


class Connection:
    """Takes one post at a time, until it is `closed`. An `asyncio.Protocol` by shape: compiled, it can have no base."""

    __slots__ = ("_answer", "_owner", "_post", "_socket", "_tls", "_transport", "_unread", "closed", "peer", "since")

    def __init__(self, owner: Owner, peer: Certificates, connected: socket.socket, tls: bool) -> None:
        self._owner = owner
        self._socket = connected
        self._unread = select.poll()
        self._unread.register(connected, select.POLLIN)
        self._tls = tls
        self._post: Post | None = None
        self._answer: HttpAnswer | None = None
        self._transport: asyncio.Transport
        self.peer = peer
        self.closed = False
        self.since = 0.0  # idle since when, by the event loop's clock

    def take(self, post: Post) -> bool:
        """Send this post. False, with the connection closed, when not a byte of it went."""
        if self.closed or self._transport.is_closing() or self._something_came():
            self.drop()
            return False
        data = post.data
        self._post = post
        post.connection = self  # before the bytes go: whatever is raised from here on, it may be delivered
        if self._tls:
            self._transport.write(data)
        else:
            try:
                sent = self._socket.send(data)
            except BlockingIOError:
                sent = 0
            except OSError:
                self._post = post.connection = None
                self.drop()
                return False
            if sent < len(data):
                self._transport.write(data[sent:])
        return True

    def give_up(self, post: Post, failure: Failure | None) -> None:
        """Wait no longer; None: nobody wants its answer any more, and none is given."""
        if self._post is not post:
            return
        if failure is None:
            self._post = None
            self.drop()
        else:
            self._end(NoReply(failure, sent=True), clean=False)

    def drop(self) -> None:
        """Close it at once. A post on it is given up before."""
        if not self.closed:
            self.closed = True
            self._transport.abort()
            self._owner.lost(self)

    def retire(self) -> None:
        """Close it in good order: it is idle, and has been for long enough."""
        if not self.closed:
            self.closed = True
            self._transport.close()
            self._owner.lost(self)

    def shut(self) -> None:
        """Close it at once. A post on it is answered as cut."""
        if self._post is not None:
            self._end(NoReply(Failure.RESET, sent=True), clean=False)
        self.drop()

    # The event loop's calls.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._owner.opened(self)

    def data_received(self, data: bytes) -> None:
        post = self._post
        if post is None:
            self.drop()  # nobody asked: it must not be taken for the next one's answer
            return
        answer = self._answer
        in_one_piece = answer is None
        if answer is None:
            reply = self._owner.familiar.reply(data)
            if reply is not None:
                self.peer.has_answered = True
                self._over(reply, usable=True)
                return
            answer = self._answer = HttpAnswer()
        if not answer.feed(data):
            return
        reply = answer.reply()
        if reply is None:
            self._over(NoReply(Failure.PROTOCOL, sent=True), usable=False)
            return
        self.peer.has_answered = True
        if in_one_piece and answer.reusable:
            self._owner.familiar.learn(data, reply)
        self._over(reply, usable=answer.reusable)

    def eof_received(self) -> None:
        if self._post is not None:
            self._end(self._cut(None), clean=True)
        self.drop()

    def connection_lost(self, exc: Exception | None) -> None:
        if self._post is not None:
            self._end(self._cut(exc), clean=False)
        self.drop()

    def pause_writing(self) -> None:
        """Of one request at a time more than the kernel takes is no reason to wait for anything."""

    def resume_writing(self) -> None:
        """As above."""

    def _end(self, otherwise: NoReply, *, clean: bool) -> None:
        """No more of this answer comes, or is waited for: what has come decides."""
        reply: Reply | None = None
        if self._answer is not None:
            self._answer.end(clean=clean)
            reply = self._answer.reply()
        if reply is not None:
            self.peer.has_answered = True
        self._over(reply or otherwise, usable=False)

    def _over(self, answer: Answer, *, usable: bool) -> None:
        post = self._post
        assert post is not None
        self._post = self._answer = None
        # An answer that came before the request was written whole leaves the rest of it to be written.
        if usable and not self._transport.get_write_buffer_size():
            self._owner.free(self)
        else:
            self.drop()
        self._owner.answered(post, answer)

    def _cut(self, error: Exception | None) -> NoReply:
        refused = refuses_certificate(error)
        return NoReply(Failure.CLIENT_CERTIFICATE if refused else self.peer.broken_off(Failure.RESET), sent=True)

    def _something_came(self) -> bool:
        """Whether the other side closed, or said something nobody asked for, and the event loop has not read it yet."""
        if self._tls and not self.since:
            return False  # a new one's session tickets
        return bool(self._unread.poll(0))  # a third of what a look into the socket costs, which raises when it is empty
