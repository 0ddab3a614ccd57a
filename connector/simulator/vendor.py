"""The vendor on its good or bad day: page, scenario and ledger together. Says what to do; does no I/O."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from hashlib import blake2b
from typing import NamedTuple

from connector.simulator import faults, rules
from connector.simulator.answers import Cause
from connector.simulator.capacity import Queue
from connector.simulator.faults import Facts
from connector.simulator.ledger import Entry, Ledger, identity_of
from connector.simulator.rules import Invocation, Page, Request
from connector.simulator.scenario import Close, Fault, Reject, Reset, Scenario


class Plan(NamedTuple):
    """What to do with a request. `verdict` is the page's own; a `fault` comes before it.

    Wait `seconds`, then answer. `request_id` is the `X-Request-Id` of whatever answer comes from the vendor.
    """

    verdict: Invocation | Cause
    fault: Fault | None
    seconds: float
    request_id: str


class Vendor:
    """One account of the vendor. `now` is seconds of any clock that never goes back, the same in every call."""

    def __init__(
        self, page: Page | None = None, scenario: Scenario | None = None, marker: str = "session.eventId"
    ) -> None:
        """`marker` is the `scope.key` of the variable by which a test knows its event."""
        self._page = page or Page()
        self.ledger = Ledger(marker)
        self._requests = 0
        self._of_phone_number: Counter[str] = Counter()
        self._of_invocation: Counter[str] = Counter()
        self.set_scenario(scenario or Scenario(), 0.0)

    @property
    def page(self) -> Page:
        """The account and the reading of the page; its password is the first, `scenario.passwords` the later ones."""
        return self._page

    @property
    def scenario(self) -> Scenario:
        """The scenario in force."""
        return self._scenario

    def set_scenario(self, scenario: Scenario, now: float) -> None:
        """Begin a scenario: its times count from `now`. What was counted of earlier requests stays."""
        self._scenario = scenario
        self._began = now
        self._queue = Queue(scenario.capacity) if scenario.capacity else None
        changes = sorted(scenario.passwords, key=lambda change: change.after)
        self._pages = [(change.after, replace(self._page, password=change.password)) for change in changes]

    def clear(self) -> None:
        """Forget every request: the ledger, and which were the first of their kind."""
        self.ledger.clear()
        self._of_phone_number.clear()
        self._of_invocation.clear()
        self._requests = 0

    def before_body(self, path: str, now: float) -> Reset | None:
        """The reset that strikes before the body is read; then `on_request` is not asked."""
        subject = f"arrival {self._requests}"
        facts = Facts(rules.service_id_of(path), subject, self._requests)
        rule = faults.before_body(self._scenario, facts, now - self._began)
        if rule is None or not isinstance(rule.do, Reset):
            return None
        self._requests += 1
        self.ledger.answered("reset")
        return rule.do

    def on_request(self, request: Request, now: float) -> Plan:
        """Judge a request, let the scenario have its say, and enter what is accepted in the ledger."""
        elapsed = now - self._began
        verdict = rules.judge(self._page_at(elapsed), request)
        facts = self._facts(request, verdict)
        rule = faults.after_body(self._scenario, facts, elapsed)
        fault = rule.do if rule else None
        seconds = faults.delay(self._scenario, (rule and rule.latency) or self._scenario.latency, facts)
        if self._queue is not None and self._scenario.capacity is not None and fault is None:
            work = faults.delay(self._scenario, self._scenario.capacity.service_time, facts)
            served = self._queue.offer(elapsed, work)
            fault = self._scenario.capacity.turned_away if served is None else None
            seconds += served or 0.0
        request_id = f"sim-{self._scenario.seed}-{self._requests:07}"
        self._enter(verdict, fault, facts, request_id, now)
        return Plan(verdict, fault, seconds, request_id)

    def _page_at(self, elapsed: float) -> Page:
        return next((page for after, page in reversed(self._pages) if after <= elapsed), self._page)

    def _facts(self, request: Request, verdict: Invocation | Cause) -> Facts:
        earlier = self._requests
        self._requests += 1
        if isinstance(verdict, Cause):
            subject = blake2b(request.body, digest_size=8).hexdigest()
            return Facts(rules.service_id_of(request.path), subject, earlier)
        identity = identity_of(verdict)
        of_phone_number = self._of_phone_number[verdict.phone_number]
        of_invocation = self._of_invocation[identity]
        self._of_phone_number[verdict.phone_number] += 1
        self._of_invocation[identity] += 1
        marker = self.ledger.marker_of(verdict)
        return Facts(
            verdict.service_id, identity, earlier, verdict.phone_number, marker, of_phone_number, of_invocation
        )

    def _enter(
        self, verdict: Invocation | Cause, fault: Fault | None, facts: Facts, request_id: str, now: float
    ) -> None:
        self.ledger.answered(answer_name(verdict, fault))
        if isinstance(verdict, Invocation) and (fault is None or fault.accepted):
            entry = Entry(now, facts.service_id, facts.phone_number, facts.marker, facts.subject, request_id)
            self.ledger.accept(entry)


def answer_name(verdict: Invocation | Cause, fault: Fault | None) -> str:
    """What became of a request: `accepted`, a cause's name, or a fault's kind."""
    match fault:
        case None | Close():
            return verdict.name if isinstance(verdict, Cause) else "accepted"
        case Reject(cause=cause):
            return cause
        case _:
            return fault.kind
