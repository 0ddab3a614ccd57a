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

_ENGINE = "pytest tests/engine/test"

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
        "engine/partition.py",
        "        if self.queue:\n            return False\n        self.tracker.pass_over",
        "        self.tracker.pass_over",
        _KIND,
    ),
    Mutant(
        "a commit follows the log past records that were dropped",
        "engine/heads.py",
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
        "a commit that a mirror translated is gone on from",
        "engine/translated.py",
        'known == "cluster"',
        "False",
        f"{_ENGINE}_settled_map.py::test_a_translated_commit_ends_the_process_and_nothing_is_posted",
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
        "engine/deliveries.py",
        "        if delivery.assignment.gone:",
        "if False:",
        _DEADLY,
    ),
    Mutant(
        "a copy that was refused counts as written",
        "engine/engine.py",
        "self._deliveries.copied(copy, failed)\n",
        "self._deliveries.copied(copy, None)\n",
        _ANY,
    ),
    Mutant(
        "a partition is let go without waiting for what is in flight",
        "engine/handover.py",
        "if waits and not drain.overdue:",
        "if waits and drain.revoked is None and not drain.overdue:",
        _KIND,
    ),
    Mutant(
        "a stop does not wait for what is in flight",
        "engine/handover.py",
        "if waits and not drain.overdue:",
        "if waits and drain.revoked is not None and not drain.overdue:",
        _KIND,
    ),
    Mutant(
        "nothing is committed when a partition is let go",
        "engine/handover.py",
        "Release(drain.revoked, offsets)",
        "Release(drain.revoked, {})",
        _KIND,
    ),
    Mutant(
        "a commit counts as acknowledged when it is sent",
        "engine/commits.py",
        "self._sent_at = self._now.seconds",
        "self._sent_at = self._now.seconds; [self._acknowledged(one) for one in self._under_way.values()]",
        _ALONE,
    ),
    Mutant(
        "a refused commit counts as acknowledged",
        "engine/commits.py",
        "        if event.error is None:\n            self._backoff = FIRST_BACKOFF",
        "        if True:\n            self._backoff = FIRST_BACKOFF",
        _ALONE,
    ),
    Mutant(
        "posting goes on however much is in no acknowledged commit",
        "engine/commits.py",
        "self._bound = self._bound_now = bound",
        "self._bound = self._bound_now = 1_000_000",
        _ANY,
    ),
    Mutant(
        "commits go on without a pause while they are refused",
        "engine/commits.py",
        "return (self._new >= ENOUGH or self.full) and not self._refused",
        "return self._new >= ENOUGH or self.full",
        f"{_ENGINE}_commits.py::test_after_a_refusal_nothing_is_committed_before_its_backoff_however_much_is_settled",
    ),
    Mutant(
        "the last commit tells of partitions that somebody else has by now",
        "engine/commits.py",
        "leaving = [assignment for assignment in assignments if not assignment.gone]",
        "leaving = list(assignments)",
        f"{_ENGINE}_commits.py::test_a_partition_that_was_handed_over_has_no_last_commit",
    ),
    Mutant(
        "what was settled before is posted again",
        "engine/heads.py",
        "while queue and tracker.is_settled(queue[0].offset, queue[0].leader_epoch):",
        "while False:",
        _KIND,
    ),
    Mutant(
        "one end user's events go side by side",
        "engine/schedule.py",
        "if lane in lanes:",
        "if False:",
        _KIND,
    ),
    Mutant(
        "room in memory is not given back",
        "engine/budget.py",
        "        assignment.open_bytes -= size\n        self.freed += 1",
        "        assignment.open_bytes -= size\n        self.freed += 0",
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
        "engine/pipeline.py",
        "if late_ms >= 0:",
        "if False:",
        f"{_ENGINE}_loop.py::test_an_expired_event_is_not_posted",
    ),
    Mutant(
        "posting goes on during a hold",
        "engine/limits.py",
        "if self._holds.active:\n            return self._admission_while_held()",
        "if False:\n            return self._admission_while_held()",
        f"{_ENGINE}_pause.py::test_no_canary_is_tried_while_everything_is_paused",
    ),
    Mutant(
        "a record is poison for refusals after which no other has passed",
        "core/poison.py",
        "if not known.others_passed and known.at <= began:",
        "if not known.others_passed:",
        "pytest tests/core/test_poison.py::test_a_post_that_began_before_the_refusal_proves_nothing",
    ),
    Mutant(
        "the canary is the same record each time",
        "engine/judge.py",
        "        delivery.trials += 1\n",
        "",
        f"{_ENGINE}_deployment_hold.py::test_a_poisoned_record_under_a_light_load_holds_only_until_another_one_comes",
    ),
    Mutant(
        "a record that was refused alone is its own first canary",
        "engine/schedule.py",
        "if another and delivery.trials:",
        "if False:",
        f"{_ENGINE}_deployment_hold.py::test_a_poisoned_record_under_a_light_load_holds_only_until_another_one_comes",
    ),
    Mutant(
        "posting goes on while an outage is only suspected",
        "engine/endpoint.py",
        "self._limits.drain()",
        "pass",
        f"{_ENGINE}_endpoint_hold.py::test_answers_from_before_an_outage_do_not_keep_it_from_being_noticed",
    ),
    Mutant(
        "an endpoint that never answers is never down",
        "core/window.py",
        "self._idle += max(0.0, began - self._ended)",
        "self._idle += max(0.0, now - self._ended)",
        "pytest tests/engine/test_endpoint_hold.py",
    ),
    Mutant(
        "whoever passes ends the suspicion of an outage, also who was posted before it",
        "core/window.py",
        "ends = began >= self._began",
        "ends = True",
        f"{_ENGINE}_endpoint_hold.py::test_answers_from_before_an_outage_do_not_keep_it_from_being_noticed",
    ),
    Mutant(
        "a record that the endpoint could not take goes to the retry topic during a hold",
        "engine/judge.py",
        'if (suspected or "endpoint" in self._holds) and outcome.delivered is not Delivered.MAYBE:',
        "if False:",
        f"{_ENGINE}_endpoint_hold.py::test_an_outage_of_a_minute_under_load_costs_few_posts_and_no_record_its_place",
    ),
    Mutant(
        "a long hold spends the last chance of every record there is",
        "engine/judge.py",
        "if maybe and self._last_chances.spared:",
        "if False:",
        f"{_ENGINE}_endpoint_hold.py::test_a_long_hold_with_little_to_try_does_not_spend_the_last_chance_of_all_there_is",
    ),
    Mutant(
        "a record to try is looked for among the next hundred only",
        "engine/engine.py",
        "self.wants_turn = self._heads.turns_left <= 0",
        "self.wants_turn = False",
        f"{_ENGINE}_engine.py::test_what_lies_behind_many_that_wait_is_found_in_further_turns",
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
        "engine/limits.py",
        "            self._bucket.take(self._now.seconds)\n",
        "            pass\n",
        f"{_ENGINE}_pace.py::test_three_processes_together_keep_the_rate_of_the_deployment",
    ),
    Mutant(
        "a slow service may have all slots",
        "engine/services.py",
        "return service is None or service.under_way < self.part",
        "return True",
        f"{_ENGINE}_pace.py::test_a_slow_service_leaves_slots_for_the_others",
    ),
    Mutant(
        "no hold looks for a record to try at the bulkheads",
        "engine/side.py",
        "return chain(self.runnable, *self.kept_back.values())",
        "return iter(self.runnable)",
        f"{_ENGINE}_deployment_hold.py::"
        "test_a_poisoned_record_does_not_keep_others_of_its_service_that_wait_at_their_bulkhead",
    ),
    Mutant(
        "a resume by command ends what the file pauses",
        "core/pauses.py",
        "        wider = {target",
        "        self._by_file.clear()\n        wider = {target",
        f"{_ENGINE}_pause.py::test_a_command_does_not_end_what_the_file_pauses",
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
        "engine/limits.py",
        "return self._commits.full and self._posts_left() <= 1",
        "return False",
        f"{_ENGINE}_deployment_hold.py::test_the_last_place_within_the_bound_is_for_a_record_that_makes_room",
    ),
    Mutant(
        "a bound that is exceeded is the end",
        "engine/limits.py",
        "return 1 if room <= 0 and not in_flight and self._commits.at_rest else room",
        "return room",
        f"{_ENGINE}_settled_map.py::test_a_map_that_is_not_taken_any_more_leaves_the_record_it_waits_for_its_next_try",
    ),
    Mutant(
        "a record is settled before the ledger that is required has its entry",
        "engine/ledger.py",
        "        return True\n\n    def answered",
        "        return False\n\n    def answered",
        f"{_ENGINE}_ledger.py::test_records_that_wait_for_the_ledger_are_bounded_by_what_a_crash_may_repeat",
    ),
    Mutant(
        "an entry that comes late settles a record of a partition that left",
        "engine/ledger.py",
        "            self._is_over(delivery)\n",
        "",
        f"{_ENGINE}_ledger.py::test_an_entry_that_is_acknowledged_after_its_partition_left_settles_nothing",
    ),
    Mutant(
        "an event id that was accepted long ago still counts",
        "engine/recent.py",
        "if accepted_ms is not None and self._now.ms - accepted_ms < self._window_ms:",
        "if accepted_ms is not None:",
        f"{_ENGINE}_duplicates.py::test_an_id_that_was_accepted_is_settled_without_a_post",
    ),
    Mutant(
        "an event counts as accepted when somebody else's of the same id was",
        "engine/recent.py",
        " {delivery.service_id} {delivery.end_user}",
        "",
        f"{_ENGINE}_duplicates.py::test_an_id_that_was_accepted_for_somebody_else_or_another_service_is_posted",
    ),
    Mutant(
        "a partition is posted before the ledger said what others accepted",
        "engine/recent.py",
        "            assignment.block(Block.LEDGER)\n",
        "            assignment.block(Block.LEDGER)\n            assignment.unblock(Block.LEDGER)\n",
        f"{_ENGINE}_duplicates.py::test_nothing_of_a_partition_is_posted_before_the_ledger_said_what_others_accepted",
    ),
    Mutant(
        "a callback that raises takes the answers of its turn along",
        "edge/http/pool.py",
        "            if self._answers or self._new:  # somebody",
        "            if not True:  # somebody",
        "pytest tests/edge/test_openmarket.py -k raises",
    ),
    Mutant(
        "what a freeze kept from being sent is sent, and its answer thrown away",
        "edge/http/pool.py",
        "if time.monotonic() - post.made > self._stale:",
        "if not True:",
        "pytest tests/edge/test_openmarket.py -k freeze",
    ),
)
