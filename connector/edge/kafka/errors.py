"""What we do about each of Kafka's errors: one table. `retriable()` is False on most that pass by themselves."""

from __future__ import annotations

from confluent_kafka import KafkaError

from connector.edge.kafka.verdicts import (
    CREATED_ANEW,
    NO_COMMIT,
    NO_TOKEN,
    NOT_CONVERTIBLE,
    OF_A_DELIVERY,
    OF_A_SHADOW,
    Action,
    Operation,
    Row,
)

UNKNOWN_TOPIC = Row.of(
    Operation.CONSUME,
    Action.WAIT,
    "unknown_topic",
    "a topic of kafka.topics does not exist; the `topic_missing` line names it. It is read once it is there",
    KafkaError.UNKNOWN_TOPIC_OR_PART,
    KafkaError._UNKNOWN_TOPIC,
    KafkaError._UNKNOWN_PARTITION,
)

DAMAGED = Row.of(
    Operation.CONSUME,
    Action.STOP,
    "damaged",
    "a batch of records cannot be read: its checksum is wrong, or its compression or version is not known. Let another "
    "replica lead the partition if that one is whole; else save what can be read of the batch, and set the group's "
    "offset behind it by hand (`connector offsets set`)",
    KafkaError._BAD_MSG,
    KafkaError._BAD_COMPRESSION,
    KafkaError._NOT_IMPLEMENTED,
)
"""Of a partition: the client tells it once and goes on behind the batch. Of a connection it is waited out."""

REFUSED_CREDENTIALS = Row.of(
    Operation.CONSUME,
    Action.STOP,
    "authentication_failed",
    "the brokers refuse the user name or password of kafka.security, or do not have its mechanism; the client's own "
    "line says which. Compare both with the user on this very cluster (case counts, and PLAIN and SCRAM keep users "
    "apart), write the password into its file, and start again: it is read at start only",
    KafkaError._AUTHENTICATION,
    KafkaError.SASL_AUTHENTICATION_FAILED,
    KafkaError.UNSUPPORTED_SASL_MECHANISM,
)
"""Nobody is told by a broker which of the two is wrong."""

ROWS: tuple[Row, ...] = (
    Row.of(
        Operation.CONSUME,
        Action.STOP,
        "offset_out_of_range",
        "the committed offset is not in the log any more: offsets were deleted that nobody had read, or the topic was "
        "made anew. Find out which, then set the group's offset by hand (`connector offsets set`)",
        KafkaError._AUTO_OFFSET_RESET,
        KafkaError.OFFSET_OUT_OF_RANGE,
    ),
    Row.of(
        Operation.CONSUME,
        Action.STOP,
        "topic_authorization_failed",
        "grant this principal READ and DESCRIBE on the main and retry topics; `connector check --live` names them",
        KafkaError.TOPIC_AUTHORIZATION_FAILED,
    ),
    Row.of(
        Operation.CONSUME,
        Action.STOP,
        "group_authorization_failed",
        "grant this principal READ on the consumer group kafka.group_id",
        KafkaError.GROUP_AUTHORIZATION_FAILED,
    ),
    REFUSED_CREDENTIALS,
    Row.of(
        Operation.CONSUME,
        Action.NEW_CLIENT,
        "unreleased_instance_id",
        "the broker still counts on the process that had this kafka.group_instance_id before, until its session ends",
        KafkaError.UNRELEASED_INSTANCE_ID,
    ),
    Row.of(
        Operation.CONSUME,
        Action.STOP,
        "fatal",
        "the client cannot go on and starts anew with the process; the log line before this one says why. With "
        "kafka.group_instance_id: another process has the same name",
        KafkaError._FATAL,
        KafkaError._FENCED,
        KafkaError.FENCED_INSTANCE_ID,
    ),
    Row.of(
        Operation.CONSUME,
        Action.STOP,
        "unsupported_version",
        "kafka.group_protocol consumer needs brokers of 4.0 or newer; use classic",
        KafkaError.UNSUPPORTED_VERSION,
    ),
    Row.of(
        Operation.CONSUME,
        Action.STOP,
        "inconsistent_group_protocol",
        "a member of kafka.group_id has another kafka.assignment or is another program: stop all of them before a "
        "change, or give this connector a group of its own",
        KafkaError.INCONSISTENT_GROUP_PROTOCOL,
    ),
    Row.of(
        Operation.CONSUME,
        Action.STOP,
        "group_refused",
        "the brokers refuse the group's settings: its name, its session time-out, or one more member",
        KafkaError.INVALID_GROUP_ID,
        KafkaError.INVALID_SESSION_TIMEOUT,
        KafkaError.GROUP_MAX_SIZE_REACHED,
        KafkaError.UNSUPPORTED_ASSIGNOR,
    ),
    DAMAGED,
    CREATED_ANEW,
    NO_COMMIT,
    OF_A_SHADOW,
    OF_A_DELIVERY,
    NO_TOKEN,
    NOT_CONVERTIBLE,
    UNKNOWN_TOPIC,
    Row.of(Operation.CONSUME, Action.IGNORE, "end_of_partition", "", KafkaError._PARTITION_EOF),
    Row.of(
        Operation.COMMIT,
        Action.SMALLER,
        "metadata_refused",
        "",
        KafkaError.OFFSET_METADATA_TOO_LARGE,
        KafkaError.UNKNOWN,  # what a broker says when the whole request is too large, and for other reasons
    ),
    Row.of(
        Operation.COPY,
        Action.SMALLER,
        "too_large",
        "a larger max.message.bytes of the topic, and compression.type=producer: `connector check --live` says how "
        "much. Or delivery.unstorable: summary, for dead letters",
        KafkaError.MSG_SIZE_TOO_LARGE,
        KafkaError.INVALID_MSG_SIZE,
    ),
    Row.of(
        Operation.COPY,
        Action.SMALLER,
        "invalid_record",
        "a larger max.decompressed.message.bytes of the topic (Kafka 4.4), or cleanup.policy=delete: a compacted topic "
        "takes no record without a key. Or delivery.unstorable: summary, for dead letters",
        KafkaError.INVALID_RECORD,
    ),
    Row.of(
        Operation.COPY,
        Action.RETRY,
        "no_such_topic",
        "create the topic: `connector topics create`, or `connector topics print` for somebody who may",
        KafkaError.UNKNOWN_TOPIC_OR_PART,
        KafkaError._UNKNOWN_TOPIC,
        KafkaError._UNKNOWN_PARTITION,
    ),
    Row.of(
        Operation.COPY,
        Action.RETRY,
        "not_allowed",
        "an ACL that allows WRITE on the topic to this principal",
        KafkaError.TOPIC_AUTHORIZATION_FAILED,
    ),
    Row.of(
        Operation.COPY,
        Action.RETRY,
        "too_few_replicas",
        "bring back the brokers that have the topic's replicas; min.insync.replicas says how many must be there",
        KafkaError.NOT_ENOUGH_REPLICAS,
        KafkaError.NOT_ENOUGH_REPLICAS_AFTER_APPEND,
    ),
    Row.of(
        Operation.COPY,
        Action.WAIT,
        "unanswered",
        "bring back the broker that leads the partition, or those that have its other replicas: min.insync.replicas "
        "says how many must be there. The copy may be in the log already, so it is waited for and not written again",
        KafkaError._MSG_TIMED_OUT,
    ),
    Row.of(
        Operation.COPY,
        Action.NEW_CLIENT,
        "fatal",
        "a copy may exist twice",
        KafkaError._FATAL,
    ),
)

DEFAULTS = {
    Operation.CONSUME: Row(Operation.CONSUME, frozenset(), Action.WAIT, "any other", ""),
    Operation.COMMIT: Row(Operation.COMMIT, frozenset(), Action.RETRY, "any other", ""),
    Operation.COPY: Row(
        Operation.COPY,
        frozenset(),
        Action.RETRY,
        "any other",
        "`connector check --live` looks at the brokers and the topic",
    ),
}
"""An error that has no row."""


def name_of(error: KafkaError) -> str:
    """The bounded name, for labels: never the text, which may name hosts and users."""
    return str(error.name()).lstrip("_").lower()


ALL_DOWN = name_of(KafkaError(KafkaError._ALL_BROKERS_DOWN))
NOT_REACHED = frozenset(
    name_of(KafkaError(code))
    for code in (KafkaError._ALL_BROKERS_DOWN, KafkaError._TRANSPORT, KafkaError._RESOLVE, KafkaError._TIMED_OUT)
)
"""Names of what clients say, and of what questions are answered with, when brokers are not reached."""

_INDEX = {(row.operation, code): row for row in ROWS for code in row.codes}
_CODES = {
    name_of(KafkaError(code)): code
    for row in ROWS
    if (row.operation, row.action) == (Operation.CONSUME, Action.WAIT)
    for code in row.codes
}


def row_of(operation: Operation, error: KafkaError) -> Row:
    """What to do about an error. Asks for code() only: fatal() says False on a fenced static member (pitfalls)."""
    return _INDEX.get((operation, error.code()), DEFAULTS[operation])


def remedy_of(name: str) -> str | None:
    """What to do about an error that is waited out, by its bounded name; None when nothing is to be done."""
    if name == NO_TOKEN.name:
        return NO_TOKEN.remedy
    code = _CODES.get(name)
    return None if code is None else _INDEX[Operation.CONSUME, code].remedy or None


COPY_REMEDIES = {
    name_of(KafkaError(code)): row.remedy for row in ROWS if row.operation is Operation.COPY for code in row.codes
} | {"": DEFAULTS[Operation.COPY].remedy}
"""What to do when copies are not written, by the error's bounded name; "" for any other."""
