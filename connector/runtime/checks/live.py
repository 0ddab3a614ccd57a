"""What only the neighbours can tell: brokers, topics, rights, registry, the vendor's address. Posts nothing."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Sequence
from urllib.parse import urlsplit

from connector.config.client import consumer_properties, kafka_properties
from connector.config.settings import Settings
from connector.config.units import DAY
from connector.core.proxy_codes import PROXY_ROWS
from connector.edge.avro.framing import Kind, Name
from connector.edge.avro.registry_answers import REMEDIES, Unavailable
from connector.edge.avro.writers import remedy_of
from connector.edge.clock import SystemClock
from connector.edge.http.handshake import Refused, Shaken, handshake
from connector.edge.http.tunnel import authority
from connector.edge.kafka.admin import AdminError, KafkaAdmin, Topic
from connector.edge.kafka.errors import REFUSED_CREDENTIALS
from connector.edge.kafka.groups import KafkaGroups
from connector.edge.kafka.memberships import static_names
from connector.runtime import parts
from connector.runtime.checks.finding import Finding, Verdict
from connector.runtime.checks.topics import judge_copy, judge_ledger, judge_main, rights

_SOON = 14 * DAY
"""Seconds before a certificate's end that are a warning."""

_HARDLY_AN_ID = 2**31 - 1
_HARDLY_A_GUID = "00000000-0000-0000-0000-000000000000"
_REACH = "compare kafka.bootstrap_servers and kafka.security with the brokers' listeners; look at DNS and firewall"
_NETWORK = {
    "dns": "compare openmarket.base_url with the vendor's page; look at DNS",
    "connect": "open the way to the vendor: firewall, egress policy, proxy",
    "timeout": "open the way to the vendor: firewall, egress policy, proxy",
    "server_certificate": "set openmarket.tls.ca_file if a proxy of yours signs; else it is not the vendor",
    "tls": "TLS 1.2 or newer on both sides; with mutual TLS, openmarket.tls.certificate_file",
}
_OF_PROXY = {failure.value: row for row in PROXY_ROWS for failure in row.failures}
_COOPERATIVE = "cooperative-sticky"
_STOP_ALL = "stop all processes of the group, then start them with the new setting: see Changing the group protocol"
_CREATE = "connector topics create, or connector topics print for somebody who may"
_MAIN = "correct kafka.topics.main, or create the topic: connector topics makes the other two after its likeness"


def live(settings: Settings) -> Iterator[Finding]:
    """Every check that asks a neighbour; what hangs on an unreachable one is left out."""
    yield from kafka(settings)
    if settings.schemas.registry is not None:
        yield asyncio.run(registry(settings))
    if settings.posts:
        yield api(settings)


def kafka(settings: Settings, within: float = 10.0) -> Iterator[Finding]:
    """Brokers, group and topics; each question is answered `within` seconds."""
    try:
        admin = KafkaAdmin(kafka_properties(settings.kafka), within)
        cluster = admin.cluster()
    except AdminError as error:
        remedy = REFUSED_CREDENTIALS.remedy if error.code == REFUSED_CREDENTIALS.name else _REACH
        yield Finding("brokers", Verdict.FAILED, str(error), remedy)
        return
    yield Finding("brokers", Verdict.OK, f"{len(cluster.brokers)} in cluster {cluster.cluster_id}")
    if settings.kafka.group_protocol == "consumer":
        yield group_protocol(admin, cluster.brokers[0])
    yield group(admin, settings.kafka.group_id)
    groups = KafkaGroups(kafka_properties(settings.kafka), within)
    yield members(groups, settings)
    if settings.kafka.group_instance_id is not None:
        member = consumer_properties(settings.kafka)
        names = static_names(member, settings.kafka.topics.main, settings.retry_topics)
        yield static_name(groups, settings.kafka.group_id, names)
    yield from topics(admin.topic, settings)


def group_protocol(admin: KafkaAdmin, broker: int) -> Finding:
    """KIP-848's protocol is a matter of the brokers: 4.0 and newer have it."""
    offered = admin.rebalance_protocols(broker)
    if offered is None:
        why = "we may not see whether the brokers have `consumer` (4.0 and newer do)"
        return Finding("group protocol", Verdict.WARNING, why, "grant DESCRIBE_CONFIGS on the cluster, or try it")
    if "consumer" in offered:
        return Finding("group protocol", Verdict.OK, "consumer")
    why = "kafka.group_protocol is consumer, which these brokers do not offer"
    return Finding("group protocol", Verdict.FAILED, why, "brokers 4.0 or newer, or group_protocol: classic")


def group(admin: KafkaAdmin, group_id: str) -> Finding:
    """Whether we may be a member of the group."""
    remedy = f"an ACL that allows READ on group {group_id}"
    try:
        allowed = admin.group_operations(group_id)
    except AdminError as error:
        return Finding("group rights", Verdict.FAILED, str(error), remedy)
    if allowed is None:
        return Finding("group rights", Verdict.WARNING, f"the broker does not say what we may do with {group_id}")
    if "READ" not in allowed:
        return Finding("group rights", Verdict.FAILED, f"we may not READ group {group_id}", remedy)
    return Finding("group rights", Verdict.OK, f"READ allowed on {group_id}")


def members(groups: KafkaGroups, settings: Settings) -> Finding:
    """Whether those who are in the group now would let us in, and at no cost: not with every protocol or assignment."""
    name, kafka = "group members", settings.kafka
    try:
        found = groups.group(kafka.group_id)
    except AdminError as error:
        remedy = f"an ACL that allows DESCRIBE on group {kafka.group_id}"
        return Finding(name, Verdict.WARNING, str(error), remedy)
    if found is None or not found.members:
        return Finding(name, Verdict.OK, "none now")
    kind = f"assignment {found.assignment or 'not known now'}" if found.is_classic else "group protocol consumer"
    how = f"{found.members} with {kind}"
    if not found.is_classic and kafka.group_protocol == "classic":
        why = f"{how}: when the last of them leaves before classic ones, what is being posted is repeated"
        return Finding(name, Verdict.WARNING, why, _STOP_ALL)
    if not found.is_classic or not found.assignment:
        return Finding(name, Verdict.OK, how)
    if kafka.group_protocol == "consumer":
        if found.assignment == _COOPERATIVE:
            return Finding(name, Verdict.WARNING, f"{how}: while they live, consumer may be refused", _STOP_ALL)
    elif found.assignment != kafka.assignment:
        why = f"{how}: while they live, {kafka.assignment} is refused"
        return Finding(name, Verdict.FAILED, why, _STOP_ALL)
    return Finding(name, Verdict.OK, how)


def static_name(groups: KafkaGroups, group_id: str, names: Sequence[str]) -> Finding:
    """Of two members of one name the older one is ended: each process must have its own, for all its members."""
    try:
        found = groups.group(group_id)
    except AdminError as error:
        return Finding("static name", Verdict.WARNING, str(error), f"an ACL that allows DESCRIBE on group {group_id}")
    if found is not None and (taken := [name for name in names if name in found.names]):
        why = f"{taken[0]} is a member already: this process before its restart, or another one, which would be ended"
        return Finding("static name", Verdict.WARNING, why, "a kafka.group_instance_id of its own for each process")
    return Finding("static name", Verdict.OK, f"{names[0]} is no member now")


def topics(ask: Callable[[str], Topic | None], settings: Settings) -> Iterator[Finding]:
    """All topics, each there and as the promises need it. `ask` as `KafkaAdmin.topic`."""
    named, window = settings.kafka.topics, settings.retry.window
    found, main = _there(ask, "main", named.main)
    yield found
    if main is not None:
        yield from judge_main(main, window)
    copies = () if settings.is_shadow else (("retry", named.retry), ("dead letter", named.dead_letter))
    for role, name in copies:
        found, topic = _there(ask, role, name)
        yield found
        if topic is not None and main is not None:
            yield from judge_copy(role, topic, main, window)
    if settings.ledger is not None:
        role = "shadow" if settings.is_shadow else "ledger"
        found, topic = _there(ask, role, settings.ledger_topic)
        yield found
        if topic is not None and main is not None:
            yield from judge_ledger(role, topic, main, recalled=settings.delivery.deduplicate is not None)
    for name in () if settings.is_shadow else named.retry_also:
        found, topic = _there(ask, "old retry", name)
        yield found
        if topic is not None:
            yield rights("old retry", topic)


def _there(ask: Callable[[str], Topic | None], role: str, name: str) -> tuple[Finding, Topic | None]:
    try:
        topic = ask(name)
    except AdminError as error:
        remedy = f"an ACL that allows DESCRIBE on topic {name}"
        return Finding(f"{role} topic", Verdict.FAILED, f"{name}: {error}", remedy), None
    if topic is None:
        remedy = _MAIN if role == "main" else _CREATE
        return Finding(f"{role} topic", Verdict.FAILED, f"there is no topic {name}", remedy), None
    return Finding(f"{role} topic", Verdict.OK, f"{name}, {topic.partitions} partitions"), topic


async def registry(settings: Settings) -> Finding:
    """Whether the registry answers as one: to an id that it can hardly have, and to names of each kind in use."""
    name = "schema registry"
    try:
        client = parts.registry(settings)
    except OSError:
        why = "the TLS files of schemas.registry cannot be used"
        return Finding(name, Verdict.FAILED, why, "PEM files: the key must belong to the certificate")
    if client is None:
        return Finding(name, Verdict.OK, "none: schemas come from the folder")
    try:
        answer = await client.schema(_HARDLY_AN_ID)
        if isinstance(answer, Unavailable):
            why = f"{client.url}: no usable answer ({answer.code}: {answer.cause})"
            return Finding(name, Verdict.FAILED, why, REMEDIES[answer.code])
        for kind, ask in parts.asking(settings, client).by.items():
            schema = Name(kind, _HARDLY_A_GUID if kind is Kind.GUID else str(_HARDLY_AN_ID))
            answer = await ask(schema)
            if isinstance(answer, Unavailable):
                why = f"{client.url}: no usable answer to a {kind.value} ({answer.code}: {answer.cause})"
                return Finding(name, Verdict.FAILED, why, remedy_of(answer.code, schema))
    finally:
        await client.close()
    return Finding(name, Verdict.OK, "answers")


def api(settings: Settings) -> Finding:
    """Connection and TLS to the vendor; no request is sent, so a refused client certificate may not show."""
    name = "vendor address"
    url = urlsplit(settings.openmarket.base_url)
    encrypted = url.scheme == "https"
    try:
        context = parts.tls(settings).context() if encrypted else None
    except OSError:
        return Finding(name, Verdict.FAILED, "openmarket.tls cannot be used", "see TLS files")
    host = url.hostname or ""
    port = url.port or (443 if encrypted else 80)
    proxy = parts.proxy(settings.openmarket.proxy)
    found = asyncio.run(handshake(host, port, context, settings.openmarket.timeouts.connect, proxy))
    where = authority(host, port) + (f" through the forward proxy {proxy.address}" if proxy is not None else "")
    return address(where, found, SystemClock().now_ms() / 1000)


def address(where: str, found: Shaken | Refused, now_s: float) -> Finding:
    """What a handshake with the vendor's address tells; `now_s` in seconds since the epoch."""
    name = "vendor address"
    if isinstance(found, Refused):
        if found.code in _OF_PROXY:
            row = _OF_PROXY[found.code]
            return Finding(name, Verdict.FAILED, f"{where}: {row.code} ({row.why}; {found.why})", row.remedy)
        why = f"{where}: {found.code} ({found.why})"
        return Finding(name, Verdict.FAILED, why, _NETWORK.get(found.code, _NETWORK["connect"]))
    left = None if found.expires_s is None else found.expires_s - now_s
    if left is not None and left < _SOON:
        why = f"{where}: {found.version}, its certificate ends in {left / DAY:.0f} days"
        return Finding(name, Verdict.WARNING, why, "the vendor's certificate, or that of a proxy in between")
    return Finding(name, Verdict.OK, f"{where} reached, {found.version}")
