"""Each metric has a test that makes the answer to its question change."""

from __future__ import annotations

from connector.observe.table import TABLE
from tests.docs.test_guarantees import TESTS
from tests.observe.test_events import HAPPENINGS

COUNTED = {counter.removesuffix("_total") for _, counter, _ in HAPPENINGS.values() if counter is not None}
"""By `test_each_happening_moves_its_counter_and_writes_its_line`."""

HELD_BY = {
    "records_in_hand": "test_the_books_and_the_load_show_what_happens",
    "in_flight": "test_the_books_and_the_load_show_what_happens",
    "in_flight_limit": "test_the_limit_and_the_rate_are_those_in_force",
    "rate": "test_the_limit_and_the_rate_are_those_in_force",
    "rate_share": "test_the_books_and_the_load_show_what_happens",
    "records_waiting": "test_a_deployment_hold_shows_while_it_lasts",
    "partitions_waiting": "test_an_endpoint_hold_shows_while_it_lasts",
    "oldest_unsettled_seconds": "test_the_books_and_the_load_show_what_happens",
    "oldest_unsettled_retention_ratio": "test_the_books_and_the_load_show_what_happens",
    "lag": "test_the_books_and_the_load_show_what_happens",
    "open_transaction_seconds": "test_the_books_and_the_load_show_what_happens",
    "retry_oldest_seconds": "test_what_waits_for_a_retry_shows_its_age_its_attempts_and_when_it_is_due",
    "retry_most_attempts": "test_what_waits_for_a_retry_shows_its_age_its_attempts_and_when_it_is_due",
    "retry_next_due_timestamp_seconds": "test_what_waits_for_a_retry_shows_its_age_its_attempts_and_when_it_is_due",
    "retry_age_seconds": "test_a_copys_age_is_that_of_its_next_try",
    "assigned_partitions": "test_the_books_and_the_load_show_what_happens",
    "assigned_main_partitions": "test_the_books_and_the_load_show_what_happens",
    "answers": "test_an_answer_is_counted_by_class_and_by_status",
    "service_answers": "test_answers_count_by_service_and_fate_and_only_listed_services_have_a_name",
    "http_answers": "test_an_answer_is_counted_by_class_and_by_status",
    "post_seconds": "test_every_post_is_timed_whatever_came_of_it",
    "end_to_end_seconds": "test_an_acceptance_is_timed_from_the_events_creation",
    "accepted_after_maybe_delivered": "test_what_is_accepted_after_it_may_have_been_delivered_is_marked_and_counted",
    "hold": "test_a_hold_is_a_gauge_while_it_lasts",
    "hold_seconds": "test_the_seconds_of_a_hold_count_while_it_lasts_and_never_go_down",
    "paused": "test_a_pause_is_counted_and_a_gauge_while_it_lasts",
    "commit_seconds": "test_a_commit_is_timed_to_its_acknowledgement",
    "ledger_refused": "test_where_it_is_required_nothing_is_committed_without_its_entry",
    "ledger_waiting": "test_where_it_is_required_nothing_is_committed_without_its_entry",
    "uncommitted": "test_the_commits_age_counts_from_when_something_was_uncommitted",
    "last_commit_age_seconds": "test_the_commits_age_counts_from_when_something_was_uncommitted",
    "kafka_reached": "test_kafka_that_comes_back_is_said_and_that_it_went_again",
    "secrets_unusable": "test_a_file_that_cannot_be_used_counts_until_it_is_mended",
    "restart_needed": "test_a_change_of_kafkas_secrets_is_said_to_need_a_restart",
    "log_lines_left_out": "test_a_flood_of_one_class_is_thinned_and_what_was_left_out_is_counted",
    "log_lines_dropped": "test_a_log_reader_that_stands_still_stops_nothing",
    "owner_thread_turn_age_seconds": "test_a_turn_ages_until_the_next_one",
    "loop_turn_age_seconds": "test_a_turn_ages_until_the_next_one",
    "broker_round_trip_seconds": "test_the_round_trips_are_those_of_questions_and_of_no_fetch",
    "certificate_expiry_timestamp_seconds": "test_a_new_certificate_ends_a_refusal_and_moves_the_gauge",
    "topic_findings": "test_topics_that_will_bite_are_named_at_the_start_with_the_remedy",
    "topics_missing": "test_the_books_and_the_load_show_what_happens",
    "ready": "test_it_is_ready_from_joining_on_during_a_hold_too",
    "cie": "test_the_test_environment_is_a_warning_and_a_gauge",
    "build_info": "test_every_series_whose_labels_are_known_starts_at_0",
}


def test_each_metric_has_a_test_that_makes_its_answer_change() -> None:
    assert HELD_BY.keys() | COUNTED == {row.name for row in TABLE}
    assert not HELD_BY.keys() & COUNTED
    assert set(HELD_BY.values()) <= TESTS
