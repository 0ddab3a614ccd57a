"""The dashboard of what is around deliveries: Kafka, the files that may change, and the process itself."""

from __future__ import annotations

from grafana_foundation_sdk.builders import dashboard as build

from dashboards.board import Query, amber, dashboard, finished, lines, number, red
from dashboards.promql import RATE, WHO, now, of_process, rate, rise, total, within

_TOPIC = 'topic=~"$topic"'


def process() -> build.Dashboard:
    """Kafka: what is not read, not committed, not written, not known. The process: is it well?"""
    board = dashboard(
        "invoke-connector-process",
        "Invoke connector: Kafka and process",
        "What deliveries rest on: lag, rebalances, commits and brokers; schemas, secrets and certificates; "
        "the process.",
    )
    _is_kafka_read(board)
    _is_it_committed(board)
    _who_has_what(board)
    _what_is_missing(board)
    _is_the_ledger_whole(board)
    _is_the_process_well(board)
    return finished(board)


def _is_kafka_read(board: build.Dashboard) -> None:
    board.with_row(build.Row("Does Kafka give?"))
    board.with_panel(
        number("Kafka is reached by", "Processes that a broker answers, of all.", total("kafka_reached"), unit="none")
    )
    board.with_panel(
        number(
            "Topics missing",
            "Topics to read that the brokers do not have.",
            total("topics_missing", how="max"),
            red(1),
            unit="none",
        )
    )
    board.with_panel(
        number(
            "Lag unknown of",
            "Assigned partitions whose end no broker tells: their lag is not 0 but not known.",
            f"{total('assigned_partitions')} - (count ({now('lag')}) or vector(0))",
            amber(1),
            unit="none",
        )
    )
    board.with_panel(
        number(
            "Open transaction for",
            "For how long a producer's open transaction has kept records from being read, the longest.",
            total("open_transaction_seconds", how="max"),
            amber(300),
            unit="s",
            none="none",
        )
    )
    board.with_panel(
        number(
            "Topics' findings",
            "What `connector check` would say of the topics: warnings and failures, as of the last look.",
            f"max by (verdict) ({now('topic_findings')})",
            amber(1),
            unit="none",
            legend="{{verdict}}",
            wide=8,
        )
    )
    board.with_panel(
        lines(
            "The ten partitions that lag most",
            "Records that can be read and are not settled.",
            Query(f"topk(10, {total('lag', 'topic', 'partition', where=(_TOPIC,))} > 0)", "{{topic}}-{{partition}}"),
            wide=12,
        )
    )
    board.with_panel(
        lines(
            "Errors of Kafka's clients",
            "A second, by client and error. They pass by themselves; the log line has the remedy.",
            Query(rate("kafka_errors", "client", "code") + " > 0", "{{client}}: {{code}}"),
            unit="cps",
            wide=12,
        )
    )
    board.with_panel(
        lines(
            "Round trip to brokers",
            "Of the questions for the logs' ends, the slowest process.",
            Query(total("broker_round_trip_seconds", "broker", how="max"), "{{broker}}"),
            unit="s",
            wide=12,
        )
    )
    board.with_panel(
        number(
            "Ended by Kafka",
            "Failures of the source that end the process, in the time that is shown. The last scrape often "
            "misses them: "
            "look at the log of the process before.",
            rise("source_failures"),
            red(1),
            unit="none",
            wide=12,
        )
    )


def _is_it_committed(board: build.Dashboard) -> None:
    board.with_row(build.Row("Does Kafka take?"))
    board.with_panel(
        lines(
            "Commits",
            "A second: acknowledged, and failed by error (each is tried again).",
            Query(rate("commits_acknowledged"), "acknowledged"),
            Query(rate("commits_failed", "code") + " > 0", "failed: {{code}}"),
            unit="cps",
        )
    )
    board.with_panel(
        lines(
            "A commit takes",
            "Until the brokers acknowledged it.",
            Query(within("commit_seconds", 0.5), "half within"),
            Query(within("commit_seconds", 0.99), "99 % within"),
            unit="s",
        )
    )
    board.with_panel(
        lines(
            "Uncommitted, and for how long",
            "Records settled and in no acknowledged commit, and for how long a commit has been due, the worst process.",
            Query(total("uncommitted"), "records"),
            Query(total("last_commit_age_seconds", how="max"), "seconds"),
        )
    )


def _who_has_what(board: build.Dashboard) -> None:
    board.with_row(build.Row("Who has which partitions, and do they move?"))
    board.with_panel(
        lines(
            "Partitions by process",
            "All that it reads, those of the main topic among them. A process without any of the main topic adds "
            "nothing.",
            Query(now("assigned_partitions"), f"all: {WHO}"),
            Query(now("assigned_main_partitions"), f"main topic: {WHO}"),
            unit="none",
        )
    )
    board.with_panel(
        lines(
            "Share of all partitions, and of the rate",
            "By process; together 1.",
            Query(now("rate_share"), WHO),
            unit="percentunit",
        )
    )
    board.with_panel(
        lines(
            "Partitions that move",
            "A second. Not drained: a post under way was not answered in time, and whoever has the partition "
            "next posts "
            "its record again. Lost: the group gave up on this process.",
            Query(rate("partitions_assigned"), "assigned"),
            Query(rate("partitions_revoked", "drained") + " > 0", "handed over, drained: {{drained}}"),
            Query(rate("partitions_lost") + " > 0", "lost"),
            unit="cps",
        )
    )
    board.with_panel(
        lines(
            "What a hand-over left and what it saved",
            "A second. Released: given up unsettled with its partition. Skipped: settled before, by the map in "
            "the commit. "
            "Late: answered after the partition had gone.",
            Query(rate("records_released"), "released"),
            Query(rate("records_skipped"), "skipped"),
            Query(rate("late_answers"), "late"),
            unit="cps",
            wide=12,
        )
    )
    board.with_panel(
        lines(
            "Maps of settled records that did not count",
            "A second, by reason: what they told of may be posted twice. Refused: Kafka did not take the metadata.",
            Query(rate("maps_ignored", "reason") + " > 0", "ignored: {{reason}}"),
            Query(rate("maps_refused", "code") + " > 0", "refused: {{code}}"),
            unit="cps",
            wide=12,
        )
    )


def _what_is_missing(board: build.Dashboard) -> None:
    board.with_row(build.Row("What is missing, or about to be?"))
    board.with_panel(
        lines(
            "Schemas that cannot be had",
            "A second, by reason; their partitions wait.",
            Query(rate("schemas_unavailable", "code") + " > 0", "{{code}}"),
            unit="cps",
        )
    )
    board.with_panel(
        lines(
            "Until certificates expire",
            "By certificate; no line without mutual TLS.",
            Query(f"min by (certificate) ({now('certificate_expiry_timestamp_seconds')}) - time()", "{{certificate}}"),
            unit="s",
        )
    )
    board.with_panel(
        lines(
            "Secrets and certificates that changed",
            "In the time that is shown, by what came of it.",
            Query(rise("secret_changes", "result"), "{{result}}"),
            unit="none",
        )
    )
    board.with_panel(
        number(
            "Secrets that cannot be used",
            "Settings whose changed files cannot be used: what was before is in force, and a restart would fail.",
            total("secrets_unusable", how="max"),
            red(1),
            unit="none",
            wide=6,
        )
    )
    board.with_panel(
        number(
            "Wait for a restart",
            "Settings whose changed files are read at start only.",
            total("restart_needed", how="max"),
            amber(1),
            unit="none",
            wide=6,
        )
    )
    board.with_panel(
        number(
            "Pauses",
            "Targets paused by a person in the time that is shown.",
            rise("pauses"),
            unit="none",
            wide=6,
        )
    )
    board.with_panel(
        number(
            "File of pauses not understood",
            "Contents of it, in the time that is shown, that could not be used or name topics that are not read.",
            rise("paused_file_problems"),
            red(1),
            unit="none",
            wide=6,
        )
    )


def _is_the_ledger_whole(board: build.Dashboard) -> None:
    board.with_row(build.Row("Is the delivery ledger whole? (where it is on)"))
    board.with_panel(
        lines(
            "Entries of the ledger",
            "A second. Left out: nobody waited for them. Refused: their records wait, and they are written again.",
            Query(rate("ledger_written") + " > 0", "written"),
            Query(rate("ledger_left_out", "code") + " > 0", "left out: {{code}}"),
            Query(rate("ledger_refused", "code") + " > 0", "refused: {{code}}"),
            unit="cps",
            wide=12,
        )
    )
    board.with_panel(
        number(
            "Wait for the ledger",
            "Records that are committed only once their entries are acknowledged (`ledger.required`).",
            total("ledger_waiting"),
            amber(100),
            unit="none",
            wide=4,
        )
    )
    board.with_panel(
        number(
            "Ledgers not read",
            "Partitions of which it is not known what was accepted before they came, in the time that is shown.",
            rise("ledger_unread"),
            amber(1),
            unit="none",
            wide=4,
        )
    )
    board.with_panel(
        number(
            "Event ids forgotten",
            "For want of memory, in the time that is shown: a repeat of one is posted.",
            rise("event_ids_forgotten"),
            amber(1),
            unit="none",
            wide=4,
        )
    )


def _is_the_process_well(board: build.Dashboard) -> None:
    board.with_row(build.Row("Is the process well?"))
    board.with_panel(
        lines(
            "CPU",
            "Cores by process. One process uses one core at most, and a bit for Kafka's threads.",
            Query(f"rate({of_process('cpu_seconds_total')}[{RATE}])", WHO),
            unit="short",
        )
    )
    board.with_panel(
        lines(
            "Memory",
            "Resident, by process. It does not grow with the lag.",
            Query(of_process("resident_memory_bytes"), WHO),
            unit="bytes",
        )
    )
    board.with_panel(
        lines(
            "Turns",
            "Time since the delivery loop and the consumer's thread last turned, the worst process: /livez fails "
            "when one of "
            "them is 30 s longer than a drain may take.",
            Query(total("loop_turn_age_seconds", how="max"), "delivery loop"),
            Query(total("owner_thread_turn_age_seconds", how="max"), "consumer's thread"),
            unit="s",
        )
    )
    board.with_panel(
        lines(
            "Open files",
            "Sockets among them, by process, as a share of what it may have.",
            Query(f"{of_process('open_fds')} / {of_process('max_fds')}", WHO),
            unit="percentunit",
        )
    )
    board.with_panel(
        lines(
            "Log lines that are missing",
            "A second. Left out: by sampling, as the settings want it. Dropped: nobody read them, or the disk "
            "was full.",
            Query(rate("log_lines_left_out"), "left out"),
            Query(rate("log_lines_dropped"), "dropped"),
            unit="cps",
        )
    )
    board.with_panel(
        lines(
            "Up for",
            "By process. A saw is a process that keeps ending.",
            Query(f"time() - {of_process('start_time_seconds')}", WHO),
            unit="s",
        )
    )
    board.with_panel(
        number(
            "Partitions stopped by a bug",
            "In the time that is shown. Nothing of them is lost; they go on with another process. Report the "
            "traceback.",
            rise("partitions_stopped"),
            red(1),
            unit="none",
            wide=8,
        )
    )
    board.with_panel(
        lines(
            "Spans",
            "A second, where it traces: exported, or lost and why. No record waits for them.",
            Query(rate("spans", "result"), "{{result}}"),
            unit="cps",
        )
    )
    board.with_panel(
        lines(
            "Versions",
            "Processes by version.",
            Query(f"count by (version, python) ({now('build_info')})", "{{version}}, Python {{python}}"),
            unit="none",
        )
    )
