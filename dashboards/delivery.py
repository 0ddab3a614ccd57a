"""The dashboard of deliveries: the questions of 3 a.m., in the order in which they are asked."""

from __future__ import annotations

from grafana_foundation_sdk.builders import dashboard as build

from dashboards.board import Query, amber, dashboard, finished, lines, number, red, states
from dashboards.promql import WHO, now, of_process, rate, rise, share_below, total, within

_NOT_ACCEPTED = 'code!="accepted"'
_SERVICE = 'service=~"$service"'
_TOPIC = 'topic=~"$topic"'


def delivery() -> build.Dashboard:
    """Is it delivering, how late, what fails and why, who is slow, what waits for a retry."""
    board = dashboard(
        "invoke-connector-delivery",
        "Invoke connector: delivery",
        "Whether people get their messages: is it delivering, how late, what fails and why, who is slow, what waits.",
    )
    _is_it_delivering(board)
    _how_late(board)
    _what_fails(board)
    _who_is_slow(board)
    _what_waits(board)
    return finished(board)


def _is_it_delivering(board: build.Dashboard) -> None:
    board.with_row(build.Row("Is it delivering?"))
    board.with_panel(
        number("Accepted", "Records that the vendor accepted, a second.", rate("records_accepted"), unit="reqps")
    )
    board.with_panel(
        number(
            "Processes ready",
            "Processes whose /readyz succeeds. None: nobody reads, or nobody scrapes.",
            total("ready"),
            unit="none",
            none="none",
        )
    )
    board.with_panel(
        number(
            "Held",
            "1 while a hold is in force anywhere. The page of the process that is held names reason and remedy.",
            total("hold", how="max"),
            red(1),
            unit="none",
        )
    )
    board.with_panel(
        number(
            "Paused by a person",
            "Targets that somebody paused, by file or command, over all processes: they stay so until somebody "
            "resumes.",
            total("paused"),
            amber(1),
            unit="none",
        )
    )
    board.with_panel(
        number(
            "Partitions that wait",
            "Partitions that take nothing new for any reason but that their next retry is not due.",
            total("partitions_waiting", where=('reason!="due_time"',)),
            amber(1),
            unit="none",
        )
    )
    board.with_panel(
        number(
            "Test environment",
            "1: it posts to the vendor's test environment, which texts nobody.",
            total("cie", how="max"),
            amber(1),
            unit="none",
        )
    )
    board.with_panel(
        lines(
            "What becomes of records",
            "A second, over all processes. Taken is what was begun; the others are how it ended here.",
            Query(rate("records_taken"), "taken"),
            Query(rate("records_accepted"), "accepted"),
            Query(rate("records_retried"), "to the retry topic"),
            Query(rate("records_dead_lettered"), "dead letter"),
            Query(rate("records_duplicate") + " > 0", "an event that was accepted before"),
            Query(rate("records_not_ours") + " > 0", "none of our events"),
            unit="cps",
            wide=12,
        )
    )
    board.with_panel(
        states(
            "Holds",
            "While one is in force nothing new is posted (a brake may keep its classes back only), and "
            "everything keeps "
            "its place.",
            Query(total("hold", "kind", how="max"), "{{kind}}"),
            wide=12,
        )
    )


def _how_late(board: build.Dashboard) -> None:
    board.with_row(build.Row("How late?"))
    board.with_panel(
        lines(
            "From event to acceptance",
            "Of events with createdAt, from then to the vendor's acceptance. Retries are in it.",
            Query(within("end_to_end_seconds", 0.5), "half within"),
            Query(within("end_to_end_seconds", 0.95), "95 % within"),
            Query(within("end_to_end_seconds", 0.99), "99 % within", exemplars=True),
            unit="s",
        )
    )
    board.with_panel(
        lines(
            "Delivered within 30 s",
            "The share of accepted events that took 30 s at most: the delivery objective.",
            Query(share_below("end_to_end_seconds", 30.0), "within 30 s"),
            unit="percentunit",
        )
    )
    board.with_panel(
        lines(
            "Oldest record that is not settled",
            "By process, by Kafka's timestamp: somebody has been waiting for so long.",
            Query(now("oldest_unsettled_seconds"), WHO),
            unit="s",
        )
    )
    board.with_panel(
        lines(
            "Lag by topic",
            "Records that can be read and are not settled. During a hold it grows; so does that of the retry topic.",
            Query(total("lag", "topic", where=(_TOPIC,)), "{{topic}}"),
            unit="short",
            wide=12,
        )
    )
    board.with_panel(
        lines(
            "Until Kafka deletes what was not posted",
            "The oldest record's age as a share of its topic's retention: at 1 it is lost, whatever happens here.",
            Query(total("oldest_unsettled_retention_ratio", how="max"), "oldest record's age, of retention"),
            unit="percentunit",
            wide=12,
            bound=0.5,
        )
    )


def _what_fails(board: build.Dashboard) -> None:
    board.with_row(build.Row("What fails, and why?"))
    board.with_panel(
        lines(
            "Answers that are no acceptance, by class",
            "A second. `connector codes` says of each class what the vendor means, what becomes of the record, and the "
            "remedy.",
            Query(rate("answers", "code", where=(_NOT_ACCEPTED,)) + " > 0", "{{code}}"),
            unit="reqps",
        )
    )
    board.with_panel(
        lines(
            "Dead letters by class",
            "A second. Each is a person who gets no message until somebody looks at it.",
            Query(rate("records_dead_lettered", "code") + " > 0", "{{code}}"),
            unit="cps",
        )
    )
    board.with_panel(
        lines(
            "Answers by HTTP status",
            "A second; none: no status line came. The vendor's own answers and those of what is in between.",
            Query(rate("http_answers", "status") + " > 0", "{{status}}"),
            unit="reqps",
        )
    )
    board.with_panel(
        lines(
            "Accepted by service",
            "A second. A line that falls to 0 while others do not: its producer is silent, or its id is mistyped.",
            Query(rate("service_answers", "service", where=(_SERVICE, 'fate="accepted"')), "{{service}}"),
            unit="reqps",
        )
    )
    board.with_panel(
        lines(
            "Not accepted by service",
            "A second, by what becomes of the record.",
            Query(
                rate("service_answers", "service", "fate", where=(_SERVICE, 'fate!="accepted"')) + " > 0",
                "{{service}}: {{fate}}",
            ),
            unit="reqps",
        )
    )
    board.with_panel(
        lines(
            "Never sent",
            "Posts that failed before a byte was written, a second: the network, DNS, TLS or the proxy.",
            Query(rate("never_sent", "failure") + " > 0", "{{failure}}"),
            unit="cps",
        )
    )
    board.with_panel(
        lines(
            "May have been delivered",
            "Posts that were not accepted and may have been delivered all the same, a second, by class.",
            Query(rate("maybe_delivered", "code") + " > 0", "{{code}}"),
            unit="cps",
        )
    )
    board.with_panel(
        number(
            "May have been texted twice",
            "Records accepted after an earlier post that may have been delivered, in the time that is shown.",
            rise("accepted_after_maybe_delivered"),
            amber(1),
            unit="none",
        )
    )
    board.with_panel(
        number(
            "Brake would have held",
            "Times, in what is shown, that so much became dead letters that `hold.brake.then: hold` would have held.",
            rise("brake_warnings"),
            amber(1),
            unit="none",
        )
    )
    board.with_panel(
        lines(
            "Flaws that were put right",
            "Harmless flaws of events, a second, by kind: tell their producers.",
            Query(rate("normalizations", "kind") + " > 0", "{{kind}}"),
            unit="cps",
        )
    )


def _who_is_slow(board: build.Dashboard) -> None:
    board.with_row(build.Row("Is the vendor slow, or are we?"))
    board.with_panel(
        lines(
            "A post takes",
            "From its start to the answer or the failure: the vendor and the way to it. 30 s is where we give up.",
            Query(within("post_seconds", 0.5), "half within"),
            Query(within("post_seconds", 0.99), "99 % within", exemplars=True),
            unit="s",
        )
    )
    board.with_panel(
        lines(
            "Posts under way",
            "In the workers' hands, beside how many may be: at the limit the vendor is what is waited for, and "
            "the limit "
            "falls when it answers late or asks for fewer.",
            Query(total("in_flight"), "under way"),
            Query(total("in_flight_limit"), "may be"),
            unit="none",
        )
    )
    board.with_panel(
        lines(
            "Posts a second, and the rate",
            "`pace.rate` is the deployment's; no line where no rate is set.",
            Query(rate("answers"), "posts"),
            Query(f"{total('rate')} > 0", "allowed by pace.rate"),
            unit="reqps",
        )
    )
    board.with_panel(
        lines(
            "Records in hand that wait, by reason",
            "lane: behind another of the same person; service: behind a slow service; next_try: to be tried again in "
            "their place; hold; paused.",
            Query(total("records_waiting", "reason"), "{{reason}}"),
            unit="none",
            stacked=True,
        )
    )
    board.with_panel(
        lines(
            "Partitions that wait, by reason",
            "They take nothing new; the page of the process says since when.",
            Query(total("partitions_waiting", "reason"), "{{reason}}"),
            unit="none",
            stacked=True,
        )
    )
    board.with_panel(
        lines(
            "Share of time held",
            "By kind, the worst process: 1 is all of the time.",
            Query(f"max by (kind) (rate({now('hold_seconds')}[$__rate_interval]))", "{{kind}}"),
            unit="percentunit",
        )
    )
    board.with_panel(
        number(
            "Holds entered",
            "In the time that is shown, over all processes: each has one of its own.",
            rise("holds"),
            amber(1),
            unit="none",
        )
    )
    board.with_panel(number("In hand", "Records taken and not settled yet.", total("records_in_hand"), unit="none"))
    board.with_panel(
        number(
            "A crash would text twice",
            "Records settled and in no acknowledged commit: at most `delivery.uncommitted` a process.",
            total("uncommitted"),
            unit="none",
        )
    )
    board.with_panel(
        number(
            "The loop is late by",
            "Time since the delivery loop of the slowest process turned; it turns each second.",
            total("loop_turn_age_seconds", how="max"),
            amber(3),
            red(30),
            unit="s",
        )
    )
    board.with_panel(
        number(
            "Busiest process",
            "CPU of the busiest process: 1 is a core, and all that one process can use.",
            f"max (rate({of_process('cpu_seconds_total')}[$__rate_interval]))",
            amber(0.8),
            unit="percentunit",
            wide=8,
        )
    )


def _what_waits(board: build.Dashboard) -> None:
    board.with_row(build.Row("What waits for a retry?"))
    board.with_panel(
        number(
            "Waits longest",
            "Time since the first failure of the oldest record that waits for a retry; given up after `retry.window`.",
            total("retry_oldest_seconds", how="max"),
            amber(3600),
            red(64800),
            unit="s",
        )
    )
    board.with_panel(
        number(
            "Most attempts",
            "Posts that one of the records which wait has behind it.",
            total("retry_most_attempts", how="max"),
            unit="none",
        )
    )
    board.with_panel(
        number(
            "Next is due in",
            "Until the retry topic goes on; negative: it is late.",
            f"{total('retry_next_due_timestamp_seconds', how='min')} - time()",
            unit="s",
            none="nothing waits",
        )
    )
    board.with_panel(
        lines(
            "Copies to the retry topic",
            "A second, and how many of the records posted now come from there is the lag of its topic, above.",
            Query(rate("records_retried"), "retried"),
            unit="cps",
            wide=12,
        )
    )
    board.with_panel(
        lines(
            "Age at the next try",
            "From a record's first failure to its next try: minutes, or hours?",
            Query(within("retry_age_seconds", 0.5), "half within"),
            Query(within("retry_age_seconds", 0.99), "99 % within"),
            unit="s",
            wide=12,
        )
    )
    board.with_panel(
        lines(
            "Copies that Kafka did not take",
            "A second, by target and error. Each is tried again, and its partition waits.",
            Query(rate("writes_failed", "target", "code") + " > 0", "{{target}}: {{code}}"),
            Query(rate("writes_recovered", "target") + " > 0", "{{target}}: taken again"),
            unit="cps",
            wide=12,
        )
    )
