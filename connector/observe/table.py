"""The table of metrics: name, kind, labels with all values they can have, and what each one tells."""

from __future__ import annotations

from connector.core.pauses import UNUSABLE
from connector.core.reply import Failure
from connector.core.request import NORMALIZATIONS
from connector.core.settled_map import IGNORED
from connector.observe import labels
from connector.observe.definition import Definition, Kind
from connector.observe.labels import OTHER, Label

C, G, H = Kind.COUNTER, Kind.GAUGE, Kind.HISTOGRAM

TABLE: tuple[Definition, ...] = (
    Definition("records_taken", C, "Records taken in hand; what only waits in memory for its turn is not counted yet."),
    Definition("records_accepted", C, "Records whose request the vendor accepted."),
    Definition("records_retried", C, "Records whose copy the retry topic acknowledged."),
    Definition(
        "records_dead_lettered",
        C,
        "Records whose copy the dead-letter topic acknowledged, by class.",
        (labels.DEAD_LETTER_CODE,),
    ),
    Definition("records_skipped", C, "Records that had been settled before this process took them."),
    Definition(
        "records_duplicate",
        C,
        "Records settled without a post, since an event of their id had been accepted within `delivery.deduplicate`.",
    ),
    Definition(
        "records_not_ours",
        C,
        "Records settled without a post, since none of the mapping's events takes them and `mapping.others` is `skip`.",
        (labels.NOT_OURS,),
    ),
    Definition(
        "event_ids_forgotten",
        C,
        "Accepted event ids that were forgotten before `delivery.deduplicate` was over, for want of room.",
    ),
    Definition("records_released", C, "Records given up unsettled with their partition."),
    Definition("records_in_hand", G, "Records taken and not settled, skipped or released yet."),
    Definition("in_flight", G, "Posts under way, and copies on their way to Kafka."),
    Definition("in_flight_limit", G, "Posts that may be under way now."),
    Definition("rate", G, "Requests a second that this process may post: its part of `pace.rate`; 0 for no bound."),
    Definition("rate_share", G, "The part of all partitions that this process has, and of `pace.rate`."),
    Definition(
        "records_waiting",
        G,
        "Records in hand that wait for others of their end user or service, for their next try, for a hold's end, or "
        "for a person who paused them.",
        (Label("reason", ("lane", "service", "next_try", "hold", "paused")),),
    ),
    Definition(
        "partitions_waiting",
        G,
        "Partitions that take nothing new: their head is not due, a hold keeps what they have, posting waits for a "
        "commit, a bug of ours stopped them, their map is nearly full, somebody paused them, too much of them waits in "
        "hand, a schema is missing, a copy is not written, the ledger is asked what was accepted.",
        (Label("reason", labels.PARTITION_REASONS),),
    ),
    Definition(
        "oldest_unsettled_seconds",
        G,
        "Age of the oldest unsettled record in memory, by its Kafka timestamp, and of what waits behind a pause or a "
        "stuck record; 0 without.",
    ),
    Definition(
        "oldest_unsettled_retention_ratio",
        G,
        "Age of the oldest unsettled record as a share of its topic's retention.ms, the largest of the assigned "
        "partitions: at 1 Kafka deletes what was not posted. 0 without, or where the retention is not known.",
    ),
    Definition(
        "lag",
        G,
        "Records that can be read beyond what is settled, up to an open transaction or the partition's end. No series "
        "while that end is not known.",
        labels.TOPIC_PARTITION,
    ),
    Definition(
        "open_transaction_seconds",
        G,
        "For how long nothing of the partition could be read beyond a transaction that is open. No series without one.",
        labels.TOPIC_PARTITION,
    ),
    Definition(
        "retry_oldest_seconds",
        G,
        "Time since the first failure of the oldest record that is known to wait for a retry: the copies that this "
        "process wrote and that are not due yet, and the first record of each of its retry partitions. 0 without.",
    ),
    Definition("retry_most_attempts", G, "The most posts that one of the same records has behind it; 0 without."),
    Definition(
        "retry_next_due_timestamp_seconds",
        G,
        "When the first of the records that wait in this process's retry partitions is due, in seconds since the "
        "epoch; in the past when it is late. No series while none is known to wait.",
    ),
    Definition(
        "retry_age_seconds",
        H,
        "Time from a record's first failure to its next try, of each copy that the retry topic acknowledged.",
        edges=labels.RETRY_EDGES,
    ),
    Definition("assigned_partitions", G, "Partitions that this process reads."),
    Definition(
        "assigned_main_partitions", G, "Those of the main topic among them; 0: another process more would add nothing."
    ),
    Definition("answers", C, "Answers to posts by class, a post without an answer among them.", (labels.ANSWER_CODE,)),
    Definition(
        "service_answers",
        C,
        "Answers to posts by service id and by what they mean for the record.",
        (labels.SERVICE, labels.FATE),
    ),
    Definition("http_answers", C, "Answers to posts by HTTP status; none: no status line came.", (labels.STATUS,)),
    Definition(
        "post_seconds", H, "Time of a post, from its start to its answer or its failure.", edges=labels.POST_EDGES
    ),
    Definition(
        "end_to_end_seconds",
        H,
        "Time from an event's createdAt to its acceptance; events without createdAt are left out.",
        edges=labels.END_TO_END_EDGES,
    ),
    Definition(
        "never_sent",
        C,
        "Posts that failed before a byte was written, by failure.",
        (Label("failure", tuple(failure.value for failure in Failure)),),
    ),
    Definition(
        "maybe_delivered",
        C,
        "Posts that were not accepted but may have been delivered, by class.",
        (labels.MAYBE_CODE,),
    ),
    Definition(
        "accepted_after_maybe_delivered",
        C,
        "Records accepted by a later post after an earlier one may have been delivered: people who may have been "
        "texted twice.",
    ),
    Definition(
        "normalizations",
        C,
        "Harmless flaws of an event that were put right, by kind.",
        (Label("kind", (*NORMALIZATIONS, OTHER)),),
    ),
    Definition(
        "hold",
        G,
        "1 while a hold of this kind is in force: it stops posting, or the brake keeps its classes back.",
        (labels.HOLD_KIND,),
    ),
    Definition("holds", C, "Holds entered, by kind.", (labels.HOLD_KIND,)),
    Definition("hold_seconds", C, "Time spent in holds, by kind, with those in force.", (labels.HOLD_KIND,)),
    Definition("brake_warnings", C, "Times that so much became dead letters that `hold.brake.then: hold` would hold."),
    Definition("paused", G, "Targets that a person has paused, by source.", (labels.PAUSE_SOURCE,)),
    Definition("pauses", C, "Targets paused by a person, by source.", (labels.PAUSE_SOURCE,)),
    Definition(
        "paused_file_problems",
        C,
        "Contents of the file of pauses that could not be used, or (unread) that name topics which are not read.",
        (Label("code", (*UNUSABLE, "unread", OTHER)),),
    ),
    Definition(
        "writes_failed",
        C,
        "Copies that Kafka refused (each is tried again) or did not answer within 10 s (`msg_timed_out`, again each "
        "10 s while it is waited for), by target and error.",
        (labels.TARGET, labels.KAFKA_CODE),
    ),
    Definition("writes_recovered", C, "Times that copies were acknowledged again after failures.", (labels.TARGET,)),
    Definition("ledger_written", C, "Entries of the delivery ledger that Kafka acknowledged."),
    Definition(
        "ledger_left_out",
        C,
        "Entries that are not in the delivery ledger, and never will be, by reason: nothing waits for them.",
        (labels.LEDGER_CODE,),
    ),
    Definition(
        "ledger_refused",
        C,
        "Entries that Kafka did not acknowledge and that are written again, since `ledger.required` has their records "
        "wait, by error.",
        (labels.LEDGER_CODE,),
    ),
    Definition(
        "ledger_unread",
        C,
        "Partitions of which the ledger could not be asked what was accepted before they came, for "
        "`delivery.deduplicate`, by error.",
        (labels.LEDGER_CODE,),
    ),
    Definition(
        "ledger_waiting",
        G,
        "Records that are settled once their entries are acknowledged, with `ledger.required`; they count towards "
        "`delivery.uncommitted`.",
    ),
    Definition("commits_acknowledged", C, "Offset commits that the broker acknowledged."),
    Definition("commits_failed", C, "Offset commits that failed (tried again), by error.", (labels.KAFKA_CODE,)),
    Definition("commit_seconds", H, "Time from an offset commit to its acknowledgement.", edges=labels.COMMIT_EDGES),
    Definition("uncommitted", G, "Records settled and in no acknowledged offset commit."),
    Definition(
        "last_commit_age_seconds",
        G,
        "Time since the last acknowledged offset commit, or since something was uncommitted if that is less; 0 while "
        "nothing is.",
    ),
    Definition(
        "kafka_errors",
        C,
        "Errors of the Kafka clients that pass by themselves, by client and error.",
        (Label("client", ("consumer", "producer")), labels.KAFKA_CODE),
    ),
    Definition("kafka_reached", G, "1 while a broker is reached: from the first connection until all are lost."),
    Definition("partitions_assigned", C, "Partitions assigned to this process."),
    Definition(
        "partitions_revoked",
        C,
        "Partitions handed over; drained: whether every post under way was answered in time.",
        (Label("drained", ("true", "false")),),
    ),
    Definition(
        "maps_ignored",
        C,
        "Partitions assigned with a map of settled records that could not be used, by reason.",
        (Label("reason", (*IGNORED, OTHER)),),
    ),
    Definition(
        "maps_refused",
        C,
        "Commits that Kafka refused for their metadata; maps are smaller since.",
        (labels.KAFKA_CODE,),
    ),
    Definition("partitions_lost", C, "Partitions taken away without a hand-over."),
    Definition("partitions_stopped", C, "Partitions stopped by a bug of ours; nothing of them is lost."),
    Definition("late_answers", C, "Answers that came after their partition had gone; they settle nothing."),
    Definition(
        "schemas_unavailable",
        C,
        "Schemas that could not be had for now (their partition waits), by reason.",
        (labels.SCHEMA_CODE,),
    ),
    Definition(
        "secret_changes",
        C,
        "Changes of the files of secrets and certificates, by result: in force, unusable (what was before stays in "
        "force), or in force after a restart only.",
        (Label("result", ("renewed", "unusable", "restart_needed")),),
    ),
    Definition(
        "secrets_unusable",
        G,
        "Settings whose files changed and cannot be used: what was read before is in force, and a restart would fail.",
    ),
    Definition("restart_needed", G, "Settings whose files changed and are read at start only."),
    Definition("source_failures", C, "Failures of the Kafka source that end the process.", (labels.KAFKA_CODE,)),
    Definition("log_lines_left_out", C, "Log lines left out by sampling."),
    Definition("log_lines_dropped", C, "Log lines that could not be written: nobody read them, or the disk was full."),
    Definition(
        "spans",
        C,
        "Spans that are kept, by what became of them: the collector took them, it did not, too many waited for it, or "
        "a fault of the tracing lost them. No record ever waits for one.",
        (Label("result", ("exported", "failed", "queue_full", "fault")),),
    ),
    Definition("owner_thread_turn_age_seconds", G, "Time since the consumer's owner thread last turned."),
    Definition("loop_turn_age_seconds", G, "Time since the delivery loop last turned."),
    Definition(
        "broker_round_trip_seconds",
        G,
        "Mean round trip of the questions for the logs' ends, by the broker asked: they wait for nothing, as a fetch "
        "does. No series for a broker that is not connected.",
        (Label("broker", None, "the brokers of the cluster"),),
    ),
    Definition(
        "certificate_expiry_timestamp_seconds",
        G,
        "When a TLS certificate of ours expires, in seconds since the epoch.",
        (Label("certificate", None, "`openmarket`, `kafka` and `registry`, where mutual TLS is configured"),),
    ),
    Definition(
        "topic_findings",
        G,
        "What is wrong with the topics, as of the last look, by the verdict of `connector check`.",
        (Label("verdict", ("warning", "failed")),),
    ),
    Definition("topics_missing", G, "Topics to read that the brokers do not have; `/readyz` fails meanwhile."),
    Definition("ready", G, "1 while `/readyz` succeeds: from joining the group to stopping."),
    Definition("cie", G, "1 when posting to the vendor's test environment, which reaches nobody."),
    Definition(
        "build_info",
        G,
        "Always 1; the versions are its labels.",
        (Label("version", None, "the connector's"), Label("python", None, "the interpreter's")),
    ),
)
