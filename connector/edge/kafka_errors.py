"""Kafka's errors by what they mean for a consumer: `retriable()` is False on most that pass by themselves."""

from __future__ import annotations

from confluent_kafka import KafkaError

_REMEDIES = {
    KafkaError._AUTO_OFFSET_RESET: (  # the library's own names of local errors begin with an underscore
        "offset_out_of_range",
        "the committed offset is not in the log any more: records were deleted before they were read, or the topic "
        "was made anew. Find out which, then set the group's offset by hand (kafka-consumer-groups --reset-offsets)",
    ),
    KafkaError.TOPIC_AUTHORIZATION_FAILED: (
        "topic_authorization_failed",
        "grant this principal READ and DESCRIBE on the main and retry topics; `connector check --live` names them",
    ),
    KafkaError.GROUP_AUTHORIZATION_FAILED: (
        "group_authorization_failed",
        "grant this principal READ on the consumer group kafka.group_id",
    ),
    KafkaError._AUTHENTICATION: (
        "authentication_failed",
        "the brokers refuse the credentials of kafka.security",
    ),
    KafkaError.SASL_AUTHENTICATION_FAILED: (
        "authentication_failed",
        "the brokers refuse the credentials of kafka.security",
    ),
    KafkaError._FATAL: (
        "fatal",
        "the client cannot go on and starts anew with the process; the log line before this one says why",
    ),
    KafkaError.UNSUPPORTED_VERSION: (
        "unsupported_version",
        "kafka.group_protocol consumer needs brokers of 4.0 or newer; use classic",
    ),
    KafkaError.INCONSISTENT_GROUP_PROTOCOL: (
        "inconsistent_group_protocol",
        "another program with other settings is a member of kafka.group_id; give this connector a group of its own",
    ),
}
"""Errors after which the process ends: going on would skip records silently, or never read one again."""

_SILENT = frozenset({KafkaError._PARTITION_EOF})


def ends_the_process(error: KafkaError) -> tuple[str, str] | None:
    """Return (code, remedy) of an error that no waiting mends, else None."""
    # code() and not fatal(): that one says False on a fenced static member (pitfalls).
    return _REMEDIES.get(error.code())


def is_silent(error: KafkaError) -> bool:
    """Whether it is no error at all."""
    return error.code() in _SILENT


def name_of(error: KafkaError) -> str:
    """The bounded name, for labels: never the text, which may name hosts and users."""
    return str(error.name()).lstrip("_").lower()
