"""`connector dlq edit`: a redrive through a small patch."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer
import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from connector.cli.dlq import options
from connector.cli.dlq.plan import Wanted
from connector.cli.dlq.redrive import Include, IncludePossibleDuplicates, MaxRedrives, Rate, To, Yes, reasons, run
from connector.cli.loading import load_of_deliveries
from connector.cli.options import AsJson, ConfigFile
from connector.config.units import Duration
from connector.core.letters.patch import Patch
from connector.core.letters.redrive import RedriveRules
from connector.edge.clock import SystemClock


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class PhoneNumber(_Strict):
    """Of the number, these characters are taken out, wherever they are."""

    without: str = Field(min_length=1, max_length=20, pattern=r"^[^0-9]+$")


class PatchFile(_Strict):
    """The file. Every part is optional; one at least is there."""

    service_id: dict[str, str] = {}
    phone_number: PhoneNumber | None = None
    expires_in: Duration | None = None


def edit(
    patch: Annotated[Path, typer.Argument(metavar="PATCH.yaml", help="What to change; see docs/operations.md.")],
    file: ConfigFile,
    topic: options.Topic = None,
    to: To = None,
    classes: options.Classes = [],  # noqa: B006 - typer's way of "none given"
    vendor_codes: options.VendorCodes = [],  # noqa: B006 - typer's way of "none given"
    service_ids: options.ServiceIds = [],  # noqa: B006 - typer's way of "none given"
    since: options.Since = None,
    until: options.Until = None,
    event_id: options.EventId = None,
    phone: options.Phone = None,
    message: options.Message = None,
    possible_duplicates: options.OnlyPossibleDuplicates = False,
    include: Include = [],  # noqa: B006 - typer's way of "none given"
    include_possible_duplicates: IncludePossibleDuplicates = False,
    max_redrives: MaxRedrives = 3,
    rate: Rate = 1000,
    yes: Yes = False,
    reveal: options.Reveal = False,
    as_json: AsJson = False,
) -> None:
    """Correct letters and redrive them; those that the patch changes nothing of stay. Without --yes: the differences.

    Every byte that the patch does not name stays as the producer wrote it. Otherwise like `redrive`, and with its exit
    codes.
    """
    settings = load_of_deliveries(file, os.environ)
    given = options.Given(
        classes, vendor_codes, service_ids, since, until, event_id, phone, message, possible_duplicates
    )
    wanted = Wanted(
        given.filters(SystemClock().now_ms()),
        RedriveRules(reasons(include), include_possible_duplicates, max_redrives),
        to or settings.kafka.topics.main,
        0,
        patch=_read(patch),
    )
    run(settings, topic, wanted, rate, yes=yes, reveal=reveal, as_json=as_json)


def _read(path: Path) -> Patch:
    try:
        found = PatchFile.model_validate(yaml.safe_load(path.read_text()))
    except OSError as error:
        raise typer.BadParameter(f"{path} cannot be read ({error.strerror})") from None
    except yaml.YAMLError:
        raise typer.BadParameter(f"{path} is not YAML") from None
    except ValidationError as error:
        where = "; ".join(f"{'.'.join(map(str, each['loc'])) or 'file'}: {each['msg']}" for each in error.errors()[:5])
        raise typer.BadParameter(f"{where}. It takes service_id, phone_number.without and expires_in") from None
    patch = Patch(
        found.service_id,
        "" if found.phone_number is None else found.phone_number.without,
        None if found.expires_in is None else round(found.expires_in * 1000),
    )
    if patch == Patch():
        raise typer.BadParameter(f"{path} changes nothing: give it service_id, phone_number.without or expires_in")
    return patch
