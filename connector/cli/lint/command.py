"""`connector lint`: what `run` would refuse, and what it would post and looks wrong, before it does."""

from __future__ import annotations

import json
import os
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from connector.cli.event_files import opened
from connector.cli.lint.junit import junit
from connector.cli.lint.reading import PRODUCER_HEADERS, Lines, Records
from connector.cli.lint.report import Source, document, lines
from connector.cli.lint.sarif import sarif
from connector.cli.loading import load_without_password
from connector.cli.options import MaybeConfigFile, json_option
from connector.cli.progress import watched
from connector.cli.sampling import Sample, Since, Stretch, Topic
from connector.cli.today import Judge
from connector.config.client import kafka_properties
from connector.config.openmarket import Timeouts
from connector.config.sections import Delivery, Retry
from connector.config.settings import Settings
from connector.core.destination import Policy
from connector.core.lint.findings import Place, Report, Severity
from connector.core.lint.tally import Expectations, Lint
from connector.core.request import RequestRules
from connector.core.schedule import RetryPlan
from connector.edge.clock import SystemClock
from connector.edge.kafka.admin import AdminError
from connector.edge.kafka.scan import Scan
from connector.edge.numbering_plans import NumberingPlans
from connector.runtime import policies


class Format(StrEnum):
    """What is printed."""

    TEXT = "text"
    SARIF = "sarif"
    JUNIT = "junit"


def lint(
    config: MaybeConfigFile = None,
    topic: Topic = None,
    sample: Sample = None,
    since: Since = None,
    file: Annotated[
        Path | None,
        typer.Option(metavar="EVENTS", help="Read JSON lines, one event each, of a file, or `-` for standard input."),
    ] = None,
    producer_header: Annotated[
        str | None,
        typer.Option(metavar="NAME", help=f"The header that names the producer; else {', '.join(PRODUCER_HEADERS)}."),
    ] = None,
    strict: Annotated[bool, typer.Option("--strict", help="Exit code 1 for what looks wrong, too.")] = False,
    output: Annotated[Format, typer.Option("--format", help="What to print.")] = Format.TEXT,
    as_json: Annotated[bool, json_option("docs/before-it-fails.md")] = False,
) -> None:
    """Say which events would be refused, and which would be posted and look wrong; by rule and producer.

    Reads live records of the main topic, joins no group, commits and posts nothing. For a file the settings may be left
    out: then any service id passes.

    Exit codes: 0 none would be refused · 1 some would, or with --strict some look wrong, or the brokers
    cannot be asked · 2 usage or configuration.
    """
    if as_json and output is not Format.TEXT:
        raise typer.BadParameter("--json and --format exclude each other")
    if file is not None:
        if topic or sample or since or producer_header:
            raise typer.BadParameter("--file goes with no option of a topic")
        settings = None if config is None else load_without_password(config, os.environ)
        source, report = Source(str(file), is_file=True), of_file(file, settings)
    elif config is None:
        raise typer.BadParameter("say --config, or --file for a file of events")
    else:
        settings = load_without_password(config, os.environ)
        name = topic or settings.kafka.topics.main
        report = of_topic(settings, name, Stretch(sample, since), producer_header)
        source = Source(name, is_file=False, look=partial(_look, f"--config {config} --topic {name}", settings))
    typer.echo(json.dumps(document(source, report), indent=2) if as_json else _shown(source, report, output, strict))
    if any(strict or each.severity is Severity.REFUSED for each in report.findings):
        raise typer.Exit(1)


def of_topic(settings: Settings, name: str, stretch: Stretch, producer_header: str | None) -> Report:
    """Read a topic. Ends with exit code 1 when the brokers cannot be asked."""
    now_ms = SystemClock().now_ms()
    headers = PRODUCER_HEADERS if producer_header is None else (producer_header,)
    try:
        with Judge(settings) as judge, Scan(kafka_properties(settings.kafka), name) as scan:
            stretch.begin(scan)
            tally = Lint(_expectations(settings, now_ms), NumberingPlans(), len(scan.bounds))
            records = Records(judge, headers, now_ms)
            for record in watched(scan, name):
                seen = records.seen(record)
                if seen is None:
                    tally.pass_over()
                else:
                    tally.add(seen)
    except AdminError as error:
        typer.echo(f"the brokers answer {error}", err=True)
        raise typer.Exit(1) from None
    return tally.report()


def of_file(file: Path, settings: Settings | None) -> Report:
    """Read a file of events. Raises typer.BadParameter for one that cannot be read."""
    now_ms = SystemClock().now_ms()
    rules = RequestRules(None) if settings is None else policies.request_rules(settings.openmarket)
    policy = _default_policy() if settings is None else policies.policy(settings)
    tally = Lint(_expectations(settings, now_ms), NumberingPlans(), None)
    with opened(file) as stream:
        for seen in Lines(rules, policy, now_ms).seen(stream):
            tally.add(seen)
    return tally.report()


def _look(options: str, settings: Settings, place: Place) -> str:
    """What shows a record: where there is a mapping, its way through it, since most that is wrong is wrong there."""
    if settings.mapping is not None:
        return f"connector map {options} --explain {place}"
    return f"connector render {options} --partition {place.partition} --offset {place.number}"


def _expectations(settings: Settings | None, now_ms: int) -> Expectations:
    if settings is None:
        return Expectations(now_ms, round(Timeouts().total * 1000), has_allow_list=True)
    openmarket = settings.openmarket
    return Expectations(now_ms, round(openmarket.timeouts.total * 1000), openmarket.allowed_services is not None)


def _default_policy() -> Policy:
    delivery, retry = Delivery(), Retry()
    plan = RetryPlan(round(retry.delay * 1000), round(retry.window * 1000))
    return Policy(plan, round(delivery.max_event_age * 1000), delivery.maybe_delivered_repeats)


def _shown(source: Source, report: Report, output: Format, strict: bool) -> str:
    match output:
        case Format.SARIF:
            return json.dumps(sarif(source, report), indent=2, ensure_ascii=False)
        case Format.JUNIT:
            return junit(source, report, strict=strict)
        case Format.TEXT:
            return "\n".join(lines(source, report))
