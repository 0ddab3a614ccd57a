"""`connector retry summary` and `list`: what waits in the retry topic."""

from __future__ import annotations

import os

from connector.cli.dlq import options
from connector.cli.dlq.listing import Limit, show_list
from connector.cli.dlq.summary import summarize
from connector.cli.loading import load_of_deliveries
from connector.cli.options import AsJson, ConfigFile


def summary(
    file: ConfigFile, topic: options.RetryTopic = None, since: options.Since = None, as_json: AsJson = False
) -> None:
    """Count the copies in the retry topic as `dlq summary` does, and how many of them the group has still to post.

    Those before the group's commit were posted, or are dead letters. Exit code 1 when the brokers cannot be asked.
    """
    settings = load_of_deliveries(file, os.environ)
    summarize(settings, topic or settings.kafka.topics.retry, since, as_json, waiting_for=settings.kafka.group_id)


def list_copies(
    file: ConfigFile,
    topic: options.RetryTopic = None,
    classes: options.Classes = [],  # noqa: B006 - typer's way of "none given"
    vendor_codes: options.VendorCodes = [],  # noqa: B006 - typer's way of "none given"
    service_ids: options.ServiceIds = [],  # noqa: B006 - typer's way of "none given"
    since: options.Since = None,
    until: options.Until = None,
    event_id: options.EventId = None,
    phone: options.Phone = None,
    message: options.Message = None,
    possible_duplicates: options.OnlyPossibleDuplicates = False,
    limit: Limit = 50,
    reveal: options.Reveal = False,
    as_json: AsJson = False,
) -> None:
    """List copies that the group has still to post, the newest last, with when they are due. All filters have to fit.

    Joins no group and changes nothing. Exit code 1 when the brokers cannot be asked.
    """
    settings = load_of_deliveries(file, os.environ)
    given = options.Given(
        classes, vendor_codes, service_ids, since, until, event_id, phone, message, possible_duplicates
    )
    name, group = topic or settings.kafka.topics.retry, settings.kafka.group_id
    show_list(settings, name, given, limit, reveal=reveal, as_json=as_json, waiting_for=group)
