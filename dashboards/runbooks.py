"""Which alert's runbook a panel leads to: what one does about what it shows."""

from __future__ import annotations

from collections.abc import Mapping

INDEX = "README.md"
"""The runbooks by symptom."""

_ALERTS: Mapping[str, str] = {
    "Accepted": "DeliveryStalled",
    "Processes ready": "TargetMissing",
    "Paused by a person": "HoldManual",
    "Partitions that wait": "PartitionStuck",
    "Delivered within 30 s": "ObjectiveBurnsFast",
    "Oldest record that is not settled": "OldestRecordTooOld",
    "Lag by topic": "LagGrowing",
    "Until Kafka deletes what was not posted": "RetentionNear",
    "Answers that are no acceptance, by class": "VendorTemporaryErrors",
    "Dead letters by class": "DeadLetters",
    "Accepted by service": "ServiceSilent",
    "Not accepted by service": "UnknownServiceId",
    "Never sent": "HoldEndpoint",
    "May have been delivered": "MaybeDelivered",
    "May have been texted twice": "AcceptedTwice",
    "Brake would have held": "HoldBrake",
    "A post takes": "VendorSlow",
    "Posts under way": "VendorSlow",
    "Partitions that wait, by reason": "PartitionStuck",
    "The loop is late by": "ProcessStuck",
    "Waits longest": "OldestRetryTooOld",
    "Most attempts": "RetriesExhausted",
    "Copies that Kafka did not take": "RetryWriteFailing",
    "Kafka is reached by": "KafkaAway",
    "Topics missing": "TopicMissing",
    "Topics' findings": "TopicMissing",
    "Lag unknown of": "KafkaAway",
    "The ten partitions that lag most": "LagGrowing",
    "Errors of Kafka's clients": "KafkaAway",
    "Ended by Kafka": "TargetDown",
    "Commits": "CommitFailing",
    "Uncommitted, and for how long": "CommitFailing",
    "Partitions that move": "RebalanceStorm",
    "What a hand-over left and what it saved": "HandOverCutShort",
    "Schemas that cannot be had": "SchemaMissing",
    "Until certificates expire": "CertificateExpiring",
    "Secrets that cannot be used": "SecretUnusable",
    "Wait for a restart": "SecretUnusable",
    "Turns": "ProcessStuck",
    "Entries of the ledger": "LedgerFailing",
    "Wait for the ledger": "LedgerFailing",
    "Log lines that are missing": "LogLinesDropped",
    "Up for": "TargetDown",
    "Partitions stopped by a bug": "PartitionStuck",
}

_BY_SYMPTOM = frozenset({"Held", "Holds", "Holds entered", "Share of time held"})
"""Panels that stand for several alerts."""


def runbook(title: str) -> str | None:
    """The page for a panel, below the runbooks' address; None for one that is for reading only."""
    if title in _BY_SYMPTOM:
        return INDEX
    alert = _ALERTS.get(title)
    return None if alert is None else f"InvokeConnector{alert}.md"


TITLES = _ALERTS.keys() | _BY_SYMPTOM
"""All titles that are named here."""
