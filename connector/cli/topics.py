"""`connector topics`: the retry, dead-letter and ledger topics, with the settings that the promises need."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Annotated

import typer

from connector.cli.loading import load_without_password
from connector.cli.options import ConfigFile
from connector.cli.topic_plans import command, plans, unseen
from connector.config.client import kafka_properties
from connector.config.settings import Settings
from connector.config.units import parse_duration
from connector.edge.kafka.admin import AdminError, KafkaAdmin, Topic, TopicPlan
from connector.runtime.checks.finding import Finding, Verdict, line
from connector.runtime.checks.topics import judge_copy, judge_ledger

topics = typer.Typer(
    help="Create the retry, dead-letter and ledger topics, or print the commands that do.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

RetryRetention = Annotated[
    str,
    typer.Option(
        metavar="TIME", help="How long the retry topic keeps records: longer than the longest outage to survive."
    ),
]
DeadLetterRetention = Annotated[
    str, typer.Option(metavar="TIME", help="How long the dead-letter topic keeps records, for people to look.")
]

LedgerRetention = Annotated[
    str, typer.Option(metavar="TIME", help="How long the ledger's topic keeps entries, where it is on.")
]


@topics.command()
def create(
    file: ConfigFile,
    retry_retention: RetryRetention = "7d",
    dead_letter_retention: DeadLetterRetention = "30d",
    ledger_retention: LedgerRetention = "30d",
) -> None:
    """Create the topics that are missing. One that exists is left alone and compared with what it should be.

    Partitions and replicas are like the main topic's; max.message.bytes leaves room for our headers. Exit code 1
    when a topic cannot be created, or an existing one would break a promise.
    """
    settings = load_without_password(file, os.environ)
    kept = _seconds(retry_retention), _seconds(dead_letter_retention), _seconds(ledger_retention)
    try:
        admin = KafkaAdmin(kafka_properties(settings.kafka))
        main = admin.topic(settings.kafka.topics.main)
        if main is None:
            why = "create the main topic first, or correct kafka.topics.main"
            typer.echo(f"there is no topic {settings.kafka.topics.main}: {why}", err=True)
            raise typer.Exit(1)
        findings = [
            finding
            for role, plan in plans(settings, main, *kept).items()
            for finding in _create(admin, role, plan, main, settings)
        ]
    except AdminError as error:
        typer.echo(f"the brokers answer {error}", err=True)
        raise typer.Exit(1) from None
    if any(finding.verdict is Verdict.FAILED for finding in findings):
        raise typer.Exit(1)


@topics.command("print")
def print_commands(
    file: ConfigFile,
    retry_retention: RetryRetention = "7d",
    dead_letter_retention: DeadLetterRetention = "30d",
    ledger_retention: LedgerRetention = "30d",
) -> None:
    """Print the kafka-topics.sh commands that create the topics, for those who may. Changes nothing."""
    settings = load_without_password(file, os.environ)
    kept = _seconds(retry_retention), _seconds(dead_letter_retention), _seconds(ledger_retention)
    for plan in plans(settings, _main(settings), *kept).values():
        typer.echo(command(plan, settings.kafka.bootstrap_servers))


def _create(admin: KafkaAdmin, role: str, plan: TopicPlan, main: Topic, settings: Settings) -> Iterator[Finding]:
    existing = admin.topic(plan.name)
    if existing is None:
        admin.create(plan)
        typer.echo(f"created {plan.name}: {plan.partitions} partitions, {plan.replication_factor} replicas")
        return
    typer.echo(f"{plan.name} exists and is left alone")
    is_ledger = role in ("ledger", "shadow")
    window = settings.retry.window
    found = judge_ledger(role, existing, main) if is_ledger else judge_copy(role, existing, main, window)
    for finding in found:
        typer.echo(f"  {line(finding)}")
        yield finding


def _main(settings: Settings) -> Topic:
    """The main topic as it is; where the brokers do not tell, their defaults and a word about it."""
    name = settings.kafka.topics.main
    try:
        found = KafkaAdmin(kafka_properties(settings.kafka)).topic(name)
        why = "there is none"
    except AdminError as error:
        found, why = None, error.code
    if found is None:
        typer.echo(
            f"# {name} could not be looked at ({why}): partitions and replicas are the brokers' defaults", err=True
        )
    return found or unseen(name)


def _seconds(text: str) -> float:
    try:
        return parse_duration(text)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None
