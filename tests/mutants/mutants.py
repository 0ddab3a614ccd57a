"""The bugs, each one change of one place. What breaks is what a person would pay for."""

from __future__ import annotations

from typing import NamedTuple


class Mutant(NamedTuple):
    """Put `new` in the place of `old`, which is in `file` once. `found_by`: arguments of `python -m`."""

    name: str
    file: str
    old: str
    new: str
    found_by: str


_KIND, _ALONE, _DEADLY, _ANY = (
    f"tests.whole.world {fortune} --count 60" for fortune in ("kind", "alone", "deadly", "any")
)

_FLOW = "pytest tests/flow/test"

MUTANTS = (
    Mutant(
        "the highest offset seen is committed",
        "core/offsets.py",
        "return self._open[0] if self._open else self._next",
        "return self._next",
        _DEADLY,
    ),
    Mutant(
        "a commit follows the log past records that nobody took",
        "flow/dispatch.py",
        "    if assignment.queue:\n        return False\n    assignment.tracker.pass_over",
        "    assignment.tracker.pass_over",
        _KIND,
    ),
    Mutant(
        "a commit follows the log past records that were dropped",
        "flow/dispatch.py",
        "if not first <= assignment.expected < end:",
        "if not assignment.expected < end:",
        "tests.whole.world deadly --from 38 --count 1",
    ),
    Mutant(
        "a map is believed whatever commit it belongs to",
        "core/settled_map.py",
        "if found.base != base:",
        "if False:",
        "pytest tests/core/test_settled_map.py::test_a_map_is_ignored_unless_all_fits",
    ),
    Mutant(
        "a map is believed whatever topic it is of",
        "core/settled_map.py",
        "if found.identity.topic_id != identity.topic_id:",
        "if False:",
        "pytest tests/core/test_settled_map.py::test_a_map_is_ignored_unless_all_fits",
    ),
    Mutant(
        "a record of another leader's epoch is skipped",
        "core/offsets.py",
        "known[0].first <= offset and known[0].epoch == epoch",
        "known[0].first <= offset",
        "pytest tests/core/test_offsets.py::test_a_record_of_another_epoch_was_not_settled",
    ),
    Mutant(
        "a map tells of one record too many",
        "core/offsets.py",
        "yield Run(first, end - 1, epoch), end_ordinal - ordinal",
        "yield Run(first, end, epoch), end_ordinal - ordinal",
        _DEADLY,
    ),
    Mutant(
        "a late answer settles a record of a partition that has left",
        "flow/settle.py",
        "if delivery.assignment.gone:",
        "if False:",
        _DEADLY,
    ),
    Mutant(
        "a copy that was refused counts as written",
        "flow/settle.py",
        "if failed is None or not failed.too_large or not copy.shrink():\n                return failed",
        "if failed is None or not failed.too_large or not copy.shrink():\n                return None",
        _ANY,
    ),
    Mutant(
        "a partition is let go without waiting for what is in flight",
        "flow/loop.py",
        "drained = await self._drain(leaving, event.budget)",
        "drained = True",
        _KIND,
    ),
    Mutant(
        "a stop does not wait for what is in flight",
        "flow/loop.py",
        "drained = await self._drain(leaving, budget)",
        "drained = True",
        _KIND,
    ),
    Mutant(
        "nothing is committed when a partition is let go",
        "flow/loop.py",
        "self._source.release(event.partitions, offsets)",
        "self._source.release(event.partitions, {})",
        _KIND,
    ),
    Mutant(
        "a commit counts as acknowledged when it is sent",
        "flow/commits.py",
        "self._sent_at = self._clock.monotonic()",
        "self._sent_at = self._clock.monotonic(); [self._acknowledged(one) for one in self._under_way.values()]",
        _ALONE,
    ),
    Mutant(
        "a refused commit counts as acknowledged",
        "flow/commits.py",
        "        if event.error is None:\n            self._backoff = FIRST_BACKOFF",
        "        if True:\n            self._backoff = FIRST_BACKOFF",
        _ALONE,
    ),
    Mutant(
        "posting goes on however much is in no acknowledged commit",
        "flow/commits.py",
        "return self.exposed >= (self._bound_in_doubt if self._in_doubt else self._bound)",
        "return False",
        _ANY,
    ),
    Mutant(
        "commits go on without a pause while they are refused",
        "flow/commits.py",
        "return (self._new >= ENOUGH or self.full) and not self._refused",
        "return self._new >= ENOUGH or self.full",
        f"{_FLOW}_commits.py::test_after_a_refusal_nothing_is_committed_before_its_backoff_however_much_is_settled",
    ),
    Mutant(
        "the last commit tells of partitions that somebody else has by now",
        "flow/commits.py",
        "leaving = [assignment for assignment in assignments if not assignment.gone]",
        "leaving = list(assignments)",
        f"{_FLOW}_commits.py::test_a_partition_that_was_handed_over_has_no_last_commit",
    ),
    Mutant(
        "what was settled before is posted again",
        "flow/dispatch.py",
        "while queue and tracker.is_settled(queue[0].offset, queue[0].leader_epoch):",
        "while False:",
        _KIND,
    ),
    Mutant(
        "one end user's events go side by side",
        "flow/dispatch.py",
        "if lane in lanes:",
        "if False:",
        _KIND,
    ),
    Mutant(
        "room in memory is not given back",
        "flow/settle.py",
        "self._source.give_room(1, record.size)",
        "pass",
        _KIND,
    ),
    Mutant(
        "a due time in a header is believed however far it lies",
        "core/schedule.py",
        "return due if due_ms is None else min(due, due_ms)",
        "return due if due_ms is None else due_ms",
        "pytest tests/core/test_schedule.py::test_no_header_puts_a_record_off_beyond_the_delay",
    ),
    Mutant(
        "what has expired is posted",
        "flow/deliver.py",
        "if late_ms >= 0:",
        "if False:",
        f"{_FLOW}_loop.py::test_an_expired_event_is_not_posted",
    ),
    Mutant(
        "posting goes on during a hold",
        "flow/gate.py",
        "if self._holds.active:\n            return self._look_held()",
        "if False:\n            return self._look_held()",
        f"{_FLOW}_pause.py::test_no_canary_is_tried_while_everything_is_paused",
    ),
    Mutant(
        "a record is condemned for refusals that nobody was witness of",
        "core/suspects.py",
        "if not known.witnessed and known.at <= began:",
        "if not known.witnessed:",
        "pytest tests/core/test_suspects.py::test_a_post_that_began_before_the_refusal_is_no_witness",
    ),
    Mutant(
        "the canary is the same record each time",
        "flow/judge.py",
        "        delivery.trials += 1\n",
        "",
        f"{_FLOW}_deployment_hold.py::test_a_poisoned_record_under_a_light_load_holds_only_until_another_one_comes",
    ),
    Mutant(
        "a record that was refused alone is its own first canary",
        "flow/dispatch.py",
        "if another and delivery.trials:",
        "if False:",
        f"{_FLOW}_deployment_hold.py::test_a_poisoned_record_under_a_light_load_holds_only_until_another_one_comes",
    ),
    Mutant(
        "posting goes on while an outage is only suspected",
        "flow/judge.py",
        "self._gate.drain()",
        "pass",
        f"{_FLOW}_endpoint_hold.py::test_answers_from_before_an_outage_do_not_keep_it_from_being_noticed",
    ),
    Mutant(
        "an endpoint that never answers is never down",
        "core/window.py",
        "self._idle += max(0.0, began - self._ended)",
        "self._idle += max(0.0, now - self._ended)",
        "pytest tests/flow/test_endpoint_hold.py",
    ),
    Mutant(
        "whoever passes ends the suspicion of an outage, also who was posted before it",
        "core/window.py",
        "ends = began >= self._began",
        "ends = True",
        f"{_FLOW}_endpoint_hold.py::test_answers_from_before_an_outage_do_not_keep_it_from_being_noticed",
    ),
    Mutant(
        "a record that the endpoint could not take goes to the retry topic during a hold",
        "flow/judge.py",
        'if (suspected or "endpoint" in self._holds) and outcome.delivered is not Delivered.MAYBE:',
        "if False:",
        f"{_FLOW}_endpoint_hold.py::test_an_outage_of_a_minute_under_load_costs_few_posts_and_no_record_its_place",
    ),
    Mutant(
        "a long hold spends the last chance of every record there is",
        "flow/judge.py",
        "if maybe and self._sparing is not None:",
        "if False:",
        f"{_FLOW}_endpoint_hold.py::test_a_long_hold_with_little_to_try_does_not_spend_the_last_chance_of_all_there_is",
    ),
    Mutant(
        "a record to try is looked for among the next hundred only",
        "flow/dispatch.py",
        "elif any(side.ready for side in self._sides):",
        "elif False:",
        f"{_FLOW}_deployment_hold.py::test_a_record_to_try_is_found_however_many_refused_ones_lie_in_front",
    ),
    Mutant(
        "what a hold made late is taken off the retry window",
        "core/schedule.py",
        "first_failure_ms + plan.window_ms + late_ms",
        "first_failure_ms + plan.window_ms",
        "pytest tests/core/test_destination.py::test_what_came_late_takes_nothing_off_the_window",
    ),
    Mutant(
        "no request uses the rate up",
        "flow/gate.py",
        "            self._bucket.take(self._clock.monotonic())\n",
        "",
        f"{_FLOW}_pace.py::test_three_processes_together_keep_the_rate_of_the_deployment",
    ),
    Mutant(
        "a slow service may have all slots",
        "flow/gate.py",
        "return self._by_service[service_id] < self._most_of_a_service()",
        "return True",
        f"{_FLOW}_pace.py::test_a_slow_service_leaves_slots_for_the_others",
    ),
    Mutant(
        "no hold looks for a record to try at the bulkheads",
        "flow/dispatch.py",
        "return chain(self.runnable, *self.at_bulkhead.values())",
        "return iter(self.runnable)",
        f"{_FLOW}_deployment_hold.py::"
        "test_a_poisoned_record_does_not_keep_others_of_its_service_that_wait_at_their_bulkhead",
    ),
    Mutant(
        "a resume by command ends what the file pauses",
        "core/pauses.py",
        "        wider = {target",
        "        self._by_file.clear()\n        wider = {target",
        f"{_FLOW}_pause.py::test_a_command_does_not_end_what_the_file_pauses",
    ),
    Mutant(
        "a typing error in the file of pauses posts what was paused before a restart",
        "edge/paused_file.py",
        "self._targets = frozenset({EVERYTHING})",
        "self._targets: frozenset[Target] = frozenset()",
        "pytest tests/edge/test_paused_file.py::test_a_first_content_that_cannot_be_used_pauses_everything",
    ),
    Mutant(
        "a web page may command",
        "edge/control.py",
        'if "Origin" in request.headers:',
        "if False:",
        "pytest tests/edge/test_control.py::test_a_web_page_may_not_command",
    ),
    Mutant(
        "a try in a hold takes the room of the record that makes room",
        "flow/gate.py",
        "return self._committer.full and self._room() <= 1",
        "return False",
        f"{_FLOW}_deployment_hold.py::test_the_last_place_within_the_bound_is_for_a_record_that_makes_room",
    ),
    Mutant(
        "a bound that is exceeded is the end",
        "flow/loop.py",
        "return 1 if room <= 0 and not self.in_flight and self.committer.at_rest else room",
        "return room",
        f"{_FLOW}_settled_map.py::test_a_map_that_is_not_taken_any_more_leaves_the_record_it_waits_for_its_next_try",
    ),
)
