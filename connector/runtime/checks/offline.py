"""What the settings and files alone can tell."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from connector.config import ConfigError
from connector.config.client import consumer_properties, producer_properties
from connector.config.fields import secret_files as every_secret_file
from connector.config.files import readable_by_others
from connector.config.settings import Settings
from connector.edge.avro.schemas import SchemaFolderError
from connector.edge.avro.writers import MEND, UnfitFileError
from connector.edge.clock import SystemClock
from connector.edge.kafka.properties import refusal
from connector.observe.redaction import SHORTEST_SECRET
from connector.runtime import parts
from connector.runtime.checks.finding import Finding, Verdict
from connector.runtime.checks.mapping import mapping, schema_files
from connector.runtime.tracing import REMEDY, is_installed

_PEM = "PEM files: the key must belong to the certificate, and its password to the key"


def offline(settings: Settings) -> Iterator[Finding]:
    """Every check that needs no network."""
    for check in _CHECKS:
        yield check(settings)
    if settings.mapping is not None:
        yield from mapping(settings)
    if settings.tracing.enabled and not settings.is_shadow:  # which makes no spans
        yield tracing(settings)


def secret_files(settings: Settings) -> Finding:
    """That the secrets are readable for us and not for everybody. That they can be read showed when loading."""
    files = dict(every_secret_file(settings))
    open_ones = [name for name, file in files.items() if readable_by_others(file.path)]
    short_ones = [name for name, file in files.items() if len(file.secret.get_secret_value()) < SHORTEST_SECRET]
    found: list[tuple[str, str]] = []
    if open_ones:
        why = f"every user of this machine may read {', '.join(open_ones)}"
        found.append((why, "chmod o-r; in Kubernetes defaultMode: 0440 with fsGroup"))
    if short_ones:
        why = f"shorter than {SHORTEST_SECRET} characters, which the log does not mask: {', '.join(short_ones)}"
        found.append((why, "have a longer one issued"))
    if found:
        whys, remedies = zip(*found, strict=True)
        return Finding("secret files", Verdict.WARNING, "; ".join(whys), "; ".join(remedies))
    return Finding("secret files", Verdict.OK, f"readable: {', '.join(files)}")


def address(settings: Settings) -> Finding:
    """Which environment of the vendor: a connector left on CIE by mistake is all green and reaches nobody."""
    openmarket = settings.openmarket
    if settings.is_shadow:
        to = f"posts to {openmarket.base_url}, which reaches nobody" if settings.posts else "posts nothing"
        remedy = "to deliver, leave delivery.mode out, and name another kafka.group_id"
        return Finding("environment", Verdict.WARNING, f"delivery.mode: shadow delivers nothing: it {to}", remedy)
    if openmarket.is_cie:
        return Finding(
            "environment",
            Verdict.WARNING,
            f"{openmarket.base_url} is CIE, the vendor's test environment: it accepts and never triggers a service",
            "for production set openmarket.base_url to https://servicemanager.openmarket.com",
        )
    if openmarket.allow_plain_http and openmarket.base_url.startswith("http://"):
        return Finding(
            "environment",
            Verdict.WARNING,
            f"{openmarket.base_url} is plain http: the password travels in clear",
            "use https wherever the vendor, and not a simulator, is meant",
        )
    return Finding("environment", Verdict.OK, f"posts to {openmarket.base_url}")


def services(settings: Settings) -> Finding:
    """The allow-list: the vendor accepts an id that does not exist, and nothing after the request can tell."""
    allowed = settings.openmarket.allowed_services
    if allowed is None:
        return Finding(
            "service ids",
            Verdict.WARNING,
            "any: true, and the vendor accepts an id that does not exist, is disabled or invisible, triggering nothing",
            "list the services in openmarket.service_ids",
        )
    return Finding(
        "service ids",
        Verdict.OK,
        f"{len(allowed)} allowed: {', '.join(allowed.values())}",
        "test that each is triggered (connector post EVENT.json --yes); the account needs a main role (Service "
        "Manager, User or Viewer), the role Invoke Service API, and access to the service collection",
    )


def schemas(settings: Settings) -> Finding:
    """That every schema at hand can be read by, and resolves into our own."""
    try:
        registry = parts.registry(settings)
    except OSError as error:  # as in tls_files
        why = f"the TLS files of schemas.registry cannot be used ({error.strerror or type(error).__name__})"
        return Finding("schemas", Verdict.FAILED, why, _PEM)
    try:
        known = parts.schema_folder(settings)
        writers = schema_files(settings)
        parts.decoder(settings, SystemClock(), registry)
        partly = [f"{name}: {branch}" for name, writer in writers for branch in writer.partly]
    except UnfitFileError as error:
        return Finding("schemas", Verdict.FAILED, str(error), MEND)
    except (ConfigError, SchemaFolderError) as error:
        remedy = "correct the folder: *.avsc files, and ids.json if registry ids are mapped; docs: schemas/README.md"
        return Finding("schemas", Verdict.FAILED, str(error).removeprefix("schemas: "), remedy)
    configured = settings.schemas
    known_ids = len(known.by_id) + len(known.by_uuid)
    if configured.registry is None and not known_ids and configured.framing in ("auto", "confluent", "header"):
        return Finding(
            "schemas",
            Verdict.WARNING,
            "events with a registry's id (Confluent's frame) cannot be read: there is no registry, and no ids.json",
            "name schemas.registry, or map the ids in ids.json of schemas.folder; if producers write Avro single "
            "objects, set schemas.framing: single_object",
        )
    if partly:
        remedy = "events with such values become dead letters of class incompatible_schema: write our types"
        return Finding("schemas", Verdict.WARNING, "; ".join(partly), remedy)
    whose = "all compatible with ours" if settings.mapping is None else "each ours, the mapping's, or one of the others"
    why = f"{len(known.files)} by fingerprint and {known_ids} by id, {whose}"
    return Finding("schemas", Verdict.OK, why)


def kafka_properties(settings: Settings) -> Finding:
    """That librdkafka takes what the settings amount to: properties of kafka.client, certificates, time-outs."""
    why = refusal(consumer_properties(settings.kafka), producer_properties(settings.kafka))
    if why is not None:
        remedy = "correct kafka.client, kafka.security or kafka.max_poll_interval"
        return Finding("Kafka properties", Verdict.FAILED, f"librdkafka refuses them: {why}", remedy)
    return Finding("Kafka properties", Verdict.OK, "taken by librdkafka")


def tls_files(settings: Settings) -> Finding:
    """That certificates and key can be used together."""
    try:
        parts.tls(settings).context()
    except OSError as error:  # ssl.SSLError is one; its text names OpenSSL's reason and no secret
        return Finding(
            "TLS files",
            Verdict.FAILED,
            f"openmarket.tls cannot be used ({error.strerror or type(error).__name__})",
            _PEM,
        )
    mutual = settings.openmarket.tls.certificate_file is not None
    return Finding("TLS files", Verdict.OK, "mutual TLS" if mutual else "no client certificate: password only")


def outcomes(settings: Settings) -> Finding:
    """Rows of our own in front of the vendor's table."""
    rules = settings.openmarket.outcomes
    lossy = [rule for rule in rules if rule.fate == "dead_letter" and rule.status in (401, 403, 404, 405, 407)]
    if lossy:
        return Finding(
            "outcomes",
            Verdict.WARNING,
            "a status that means a wrong address or account makes dead letters: one mistake empties the topic",
            "use fate hold for 401, 403, 404, 405 and 407",
        )
    return Finding("outcomes", Verdict.OK, f"{len(rules)} of our own; all of them: connector codes --config FILE")


def tracing(_settings: Settings) -> Finding:
    """That spans can be made at all."""
    if not is_installed():
        return Finding("tracing", Verdict.FAILED, "OpenTelemetry is not installed", REMEDY)
    return Finding("tracing", Verdict.OK, "on; where spans go is told by OTEL_EXPORTER_OTLP_ENDPOINT")


_CHECKS: tuple[Callable[[Settings], Finding], ...] = (
    secret_files,
    kafka_properties,
    schemas,
    address,
    services,
    tls_files,
    outcomes,
)
