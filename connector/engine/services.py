"""The services' parts of the posts under way, so that one that hangs leaves the others theirs."""

from __future__ import annotations

_QUICK = 1.0
"""Seconds within which a service has to answer to borrow what others leave of theirs: one that hangs would keep it."""

_KEPT = 1000
"""Services of which it is remembered that they are quick; of more than these only while they have posts under way."""


class _Service:
    """Posts under way of one service; `borrowed` of them are beyond its part, `quick`: its last answer was."""

    __slots__ = ("borrowed", "quick", "under_way")

    def __init__(self) -> None:
        self.under_way = self.borrowed = 0
        self.quick = False


class Services:
    """Each may have `part` posts under way, and what the others leave of theirs as long as it is answered quickly."""

    def __init__(self) -> None:
        self.part = 1
        self._services: dict[str, _Service] = {}

    def has_room(self, service_id: str) -> bool:
        """Whether one more post of this service is within its part."""
        service = self._services.get(service_id)
        return service is None or service.under_way < self.part

    def may_borrow(self, service_id: str) -> bool:
        """Whether one more may go beyond its part, if no other service waits."""
        service = self._services.get(service_id)
        return service is not None and service.quick

    def counted(self) -> int:
        """The posts under way, without those that a service has beyond its part and did not borrow: it got them before
        the limit fell, and as long as it does not answer them they would take the others' part too."""
        counted = 0
        for service in self._services.values():  # a generator costs more than all it counts, at each look when full
            counted += min(service.under_way, self.part + service.borrowed)
        return counted

    def begin(self, service_id: str) -> None:
        """A post of this service is about to be made."""
        service = self._services.get(service_id)
        if service is None:
            service = self._services[service_id] = _Service()
        if service.under_way >= self.part:
            service.borrowed += 1
        service.under_way += 1

    def end(self, service_id: str) -> None:
        """It is over, whatever came of it."""
        service = self._services[service_id]
        service.under_way -= 1
        if service.borrowed:
            service.borrowed -= 1
        if not service.under_way and len(self._services) > _KEPT:
            del self._services[service_id]

    def answered(self, service_id: str, seconds: float) -> bool:
        """It was answered after this many seconds; whether slowly, and it had all that it may have. After `end`."""
        service = self._services.get(service_id)
        if service is None:
            return False
        service.quick = seconds <= _QUICK
        return not service.quick and service.under_way + 1 >= self.part

    def failed(self, service_id: str) -> None:
        """It was not answered, or with an error that may come of too many posts."""
        if (service := self._services.get(service_id)) is not None:
            service.quick = False
