"""The connections to the vendor: which post goes on which, how many there are, and how long anything may take."""

from __future__ import annotations

import asyncio
import socket
import ssl
import time
from collections import deque
from collections.abc import Callable

from connector.core.reply import Answer, Failure, NoReply
from connector.deadline import Deadlines, in_time
from connector.edge.http.connection import Connection, Post
from connector.edge.http.dial import Dialer, DialError
from connector.edge.http.familiar import Familiar
from connector.edge.http.tunnel import Proxy

# Shorter than the server's, or a post meets a connection that is just being closed and may have been delivered.
# The shortest default in common use is 5 s (Apache, Node.js); under load a connection is never idle that long.
_KEEP_ALIVE_SECONDS = 4.0

# From a post to its bytes a turn of the event loop goes by, milliseconds. When it was so many seconds, or half of the
# time-out, the process was frozen: the event may have expired, and the time-out would throw the answer away.
_STALE_SECONDS = 5.0

# Between two tries to have one more connection where the system lets this process open no more files.
_NO_FILE_SECONDS = 1.0


class Peer:
    """The certificates that a connection is opened under, and whether an answer ever came under them."""

    __slots__ = ("context", "has_answered", "is_mutual")

    def __init__(self, context: ssl.SSLContext | None, *, is_mutual: bool) -> None:
        """No context: no TLS."""
        self.context = context
        self.is_mutual = is_mutual
        self.has_answered = False

    def may_refuse_certificate(self) -> bool:
        """Whether a reset may be the refusal of our certificate.

        With TLS 1.3 it is judged after the handshake, and its refusal shows as a reset of a request already
        written; with TLS 1.2, of the handshake. Once any answer came under it, a reset is just a reset.
        """
        return self.is_mutual and not self.has_answered

    def broken_off(self, otherwise: Failure) -> Failure:
        """What it means that the other side cut a connection opened under these, or its handshake."""
        return Failure.CLIENT_CERTIFICATE if self.may_refuse_certificate() else otherwise


class Pool:
    """At most `limit` connections to one address, the last one used first. Made on a running event loop.

    In seconds, `connect_timeout` is from a post that finds no connection until it has one (DNS, TCP, a proxy's tunnel
    and TLS together, or until another post is done), `total_timeout` from the post to the end of its answer.
    """

    def __init__(
        self,
        host: str,
        port: int,
        peer: Peer,
        *,
        limit: int,
        connect_timeout: float,
        total_timeout: float,
        proxy: Proxy | None = None,
    ) -> None:
        self._dialer = Dialer(host, port, proxy=proxy)
        self._peer = peer
        self._limit = limit
        self._connect_timeout = connect_timeout
        self._stale = min(_STALE_SECONDS, total_timeout / 2)
        self._loop = asyncio.get_running_loop()
        self._idle: list[Connection] = []
        self._open: set[Connection] = set()
        # What this turn of the event loop brought: told and sent at its end.
        self._answers: deque[tuple[Post, Answer]] = deque()
        self._new: dict[Post, None] = {}
        self._has_turn = False
        self._waiting: dict[Post, None] = {}
        self._dials: set[asyncio.Task[None]] = set()
        self._connecting = Deadlines[Post](connect_timeout, self._overdue)
        self._answering = Deadlines[Post](total_timeout, self._overdue)
        self._sweep: asyncio.TimerHandle | None = None
        self._no_file_until = 0.0  # by the event loop's clock
        self._closed = False
        self.familiar = Familiar()

    def post(self, data: bytes, on_answer: Callable[[Answer], None]) -> Post:
        """Send these bytes once. `on_answer` is called once, in a later turn, unless the post is abandoned."""
        if self._closed:
            raise RuntimeError("the pool is closed")
        post = Post(data, on_answer)
        self._answering.add(post)
        self._new[post] = None
        self._soon()
        return post

    def _soon(self) -> None:
        if not self._has_turn:
            self._has_turn = True
            self._loop.call_soon(self._turn)

    def _turn(self) -> None:
        """Tell all answers that one turn of the event loop brought, then send all posts.

        For speed alone: to read, decide and send for one post after the other costs a sixth more CPU, since each step
        pushes the others' code out of the processor's cache (docs/performance.md).
        """
        try:
            while self._answers:
                post, answer = self._answers.popleft()
                post.on_answer(answer)
            while self._new:
                post = next(iter(self._new))
                del self._new[post]
                self._send(post)
        finally:
            self._has_turn = False
            if self._answers or self._new:  # somebody's callback raised: the others get their answers all the same
                self._soon()

    def _send(self, post: Post) -> None:
        if time.monotonic() - post.made > self._stale:
            self._fail(post, Failure.TIMEOUT)
            return
        while self._idle:
            connection = self._idle.pop()
            if self._loop.time() - connection.since > _KEEP_ALIVE_SECONDS:
                connection.retire()
            elif connection.take(post):
                return
        self._waiting[post] = None
        self._connecting.add(post)
        self._dial()

    def abandon(self, post: Post) -> None:
        """Nobody wants this answer any more. A post that was sent takes its connection with it."""
        self._answering.discard(post)
        post.on_answer = _nobody  # its answer may have come in this turn
        if post.connection is not None:
            post.connection.give_up(post, None)
        else:
            self._goes(post)

    def abandon_all(self) -> None:
        """Nobody wants any answer any more."""
        self._answers.clear()
        for post in self._answering:
            self.abandon(post)

    def renew(self, peer: Peer) -> None:
        """Post under these certificates from now on. What is under way ends where it began."""
        self._peer = peer
        for connection in list(self._idle):
            connection.retire()

    def renew_proxy(self, proxy: Proxy) -> None:
        """Show the proxy these credentials from the next tunnel on. Those that stand are kept."""
        self._dialer.proxy = proxy

    async def close(self) -> None:
        """Close the connections. Posts under way are answered as cut."""
        self._closed = True
        self._dialer.close()
        for post in (*self._new, *self._waiting):
            self._fail(post, Failure.RESET)
        dials = list(self._dials)
        for dial in dials:
            dial.cancel()
        await asyncio.gather(*dials, return_exceptions=True)
        for connection in list(self._open):
            connection.shut()
        self._connecting.stop()
        self._answering.stop()
        if self._sweep is not None:
            self._sweep.cancel()
        for _ in range(2):  # the event loop closes the sockets in its next turns
            await asyncio.sleep(0)

    # What connections say.

    def opened(self, connection: Connection) -> None:
        """It counts from now on."""
        self._open.add(connection)

    def free(self, connection: Connection) -> None:
        """It may take another post."""
        if connection.peer is not self._peer:
            connection.retire()
            return
        connection.since = self._loop.time()
        self._idle.append(connection)
        while self._idle and (post := self._first_waiting()) is not None:
            if self._idle.pop().take(post):
                self._goes(post)
        if self._sweep is None and self._idle:
            self._sweep = self._loop.call_later(_KEEP_ALIVE_SECONDS, self._retire_old)

    def lost(self, connection: Connection) -> None:
        """It takes no more posts, and makes room for another."""
        self._open.discard(connection)
        if connection in self._idle:
            self._idle.remove(connection)
        self._dial()

    def answered(self, post: Post, answer: Answer) -> None:
        """The post is over."""
        self._answering.discard(post)
        self._answers.append((post, answer))
        self._soon()

    # New connections.

    def _dial(self) -> None:
        """As many as are waited for, within the limit."""
        if self._open and self._loop.time() < self._no_file_until:
            return  # those that are there will be free
        while (
            len(self._dials) < len(self._waiting)
            and len(self._open) + len(self._dials) < self._limit
            and not self._closed
        ):
            self._dials.add(self._loop.create_task(self._dial_one(self._peer)))

    async def _dial_one(self, peer: Peer) -> None:
        def make(connected: socket.socket) -> Connection:
            return Connection(self, peer, connected, tls=peer.context is not None)

        connection: Connection | None = None
        failure: Failure | None = None
        proxy = self._dialer.proxy
        try:
            opening = self._dialer.connect(make, peer.context, lambda: peer.broken_off(Failure.TLS))
            connection = await in_time(opening, self._connect_timeout)
        except DialError as error:
            failure = error.failure
        except TimeoutError:
            pass  # each post that waits has a deadline of its own
        finally:
            task = asyncio.current_task()
            assert task is not None
            self._dials.discard(task)
        if peer is not self._peer or proxy is not self._dialer.proxy:
            failure = None  # says nothing about the certificates and credentials now in force
        if failure is Failure.OPEN_FILES:
            failure = self._without_file()
        if self._waiting and failure is not None:
            self._fail(next(iter(self._waiting)), failure)
        elif connection is not None:
            self._use(connection)
        self._dial()

    def _without_file(self) -> Failure | None:
        """The system lets this process open no more files: one post says so, the others wait for what is open."""
        now = self._loop.time()
        if self._open and now < self._no_file_until:
            return None
        self._no_file_until = now + _NO_FILE_SECONDS
        return Failure.OPEN_FILES

    def _use(self, connection: Connection) -> None:
        # Also under certificates that were replaced meanwhile, or who waits could wait for ever.
        post = self._first_waiting()
        if post is None:
            self.free(connection)
            return
        self._goes(post)
        if not connection.take(post):  # a server that cuts or talks at once: not tried in a circle
            self._fail(post, connection.peer.broken_off(Failure.RESET))

    def _first_waiting(self) -> Post | None:
        """Who waits longest; those whose time was over while the process was frozen are told so."""
        while self._waiting:
            post = next(iter(self._waiting))
            if time.monotonic() - post.made <= self._connect_timeout + self._stale:
                return post
            self._fail(post, Failure.TIMEOUT)
        return None

    def _goes(self, post: Post) -> None:
        self._new.pop(post, None)
        self._waiting.pop(post, None)
        self._connecting.discard(post)

    def _fail(self, post: Post, failure: Failure) -> None:
        """Not a byte of it was sent, and none will be."""
        self._goes(post)
        self.answered(post, NoReply(failure, sent=False))

    def _overdue(self, post: Post) -> None:
        if post.connection is not None:
            post.connection.give_up(post, Failure.TIMEOUT)
        else:
            self._fail(post, Failure.PROXY_TIMEOUT if self._dialer.proxy_is_silent else Failure.TIMEOUT)

    def _retire_old(self) -> None:
        self._sweep = None
        oldest = self._loop.time() - _KEEP_ALIVE_SECONDS
        for connection in [one for one in self._idle if one.since <= oldest]:
            connection.retire()
        if self._idle:
            self._sweep = self._loop.call_at(self._idle[0].since + _KEEP_ALIVE_SECONDS, self._retire_old)


def _nobody(_answer: Answer) -> None:
    """Waits for it."""
