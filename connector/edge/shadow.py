"""What stands in for the vendor and for the topics of copies in a shadow (`delivery.mode: shadow`): nothing leaves."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from connector.core.ledger import NOT_POSTED
from connector.core.record import Headers
from connector.core.reply import Answer, Reply
from connector.core.request import InvokeRequest
from connector.core.signals import WriteFailed
from connector.core.trace import TraceContext
from connector.edge.http.tunnel import Proxy
from connector.edge.tls import Tls

_ACCEPTED = Reply(202, NOT_POSTED, b"")


class NoPosts:
    """Satisfies `engine.ports.Invoker`: takes every request for accepted, and posts none. There is nobody to show
    credentials to. Made on a running event loop."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()

    def post(
        self,
        request: InvokeRequest,  # noqa: ARG002 - the port's
        on_answer: Callable[[Answer], None],
        trace: TraceContext | None = None,  # noqa: ARG002 - likewise
    ) -> None:
        """Post nothing; `on_answer` is called in a later turn of the event loop."""
        self._loop.call_soon(on_answer, _ACCEPTED)

    def abandon_all(self) -> None:
        """Nothing is under way."""

    async def close(self) -> None:
        """Nothing is open."""

    def renew_password(self, password: str) -> None:
        """Nobody is shown it."""

    def renew_proxy(self, proxy: Proxy) -> None:
        """Nobody is asked through it."""

    async def renew_tls(self, tls: Tls) -> None:
        """Nobody is shown them. Raises OSError for a file that could not be used."""
        tls.context()


class NoCopies:
    """Satisfies `engine.ports.Sink`: takes every copy for written, and has no producer that could write one."""

    async def write(
        self,
        topic: str,  # noqa: ARG002 - the port's, as all of these
        key: bytes | None,  # noqa: ARG002 - likewise
        value: bytes | None,  # noqa: ARG002 - likewise
        headers: Headers,  # noqa: ARG002 - likewise
    ) -> WriteFailed | None:
        """Write nothing."""
        return None

    async def close(self) -> None:
        """Nothing is under way."""
