"""The classification table: what each answer of the vendor, of a gateway or of the network means. Data only.

Sources: the vendor's page for this API and its sister API's (codes 1000 to 12003); what they leave open is ours.
"""

from __future__ import annotations

from connector.core.outcome import Delivered, Fate, Row, Table, When
from connector.core.proxy_codes import PROXY_ROWS
from connector.core.reply import Failure

_ROLE = (
    "give the account the role Invoke Service API, beside Service Manager, User or Viewer, and access to the service "
    "collection"
)
_CREDENTIALS = "put the right password in openmarket.password_file; account id and password are case-sensitive"
_ADDRESS = "compare openmarket.base_url with the vendor's page, and look for a proxy or gateway in between"
_SUPPORT = "contact the vendor's support with the X-Request-Id"
_WAIT = "nothing: it is tried again; if it stays, contact the vendor's support with the X-Request-Id"
_NETWORK = "nothing if it passes; else look at the network, DNS and firewall between this process and the vendor"
_MAYBE = "nothing: openmarket may have acted on it, so delivery.maybe_delivered decides whether it is posted again"

_ROWS = (
    Row(
        "accepted",
        Fate.ACCEPTED,
        "the vendor took the request, which does not show that a service was triggered",
        "nothing; see each service triggered once: an unknown, disabled or invisible service id is accepted too",
        statuses=("200", "202"),
        when=When.REQUEST_ID,
        delivered=Delivered.YES,
        proves=True,
    ),
    Row(
        "vendor_permanent",
        Fate.DEAD_LETTER,
        "an error at the vendor while processing, permanent",
        _SUPPORT,
        vendor_codes=("1000",),
        descriptions=("an error occurred while processing the request. please contact",),
    ),
    Row(
        "vendor_temporary",
        Fate.RETRY,
        "an error at the vendor while processing, temporary",
        _WAIT,
        vendor_codes=("1010",),
        descriptions=("an error occurred while processing the request. please retry",),
    ),
    Row(
        "not_authorized",
        Fate.HOLD,
        "the account is not authorized for this API",
        _ROLE,
        vendor_codes=("12001",),
        descriptions=("account is not authorized", "account not authorized"),
    ),
    Row(
        "invalid_payload",
        Fate.DEAD_LETTER,
        "the vendor found the JSON invalid",
        "correct the producer; if the event keeps every rule we know, a word is missing in our lists of reserved words "
        "and built-in variables: ask the vendor's support with the X-Request-Id",
        vendor_codes=("12002",),
        descriptions=("invalid json",),
        proves=True,
    ),
    Row(
        "invalid_method",
        Fate.HOLD,
        "the vendor refused the HTTP method: a wrong address or a fault of ours, never the record's",
        _ADDRESS,
        vendor_codes=("12003",),
        descriptions=("invalid http method",),
    ),
    Row(
        "invalid_api_version",
        Fate.HOLD,
        "the vendor does not know this version of the API",
        _ADDRESS,
        vendor_codes=("12004",),
        descriptions=("invalid api version",),
    ),
    Row(
        "invalid_url",
        Fate.HOLD,
        "the vendor refused the URL or its query: the service id was checked before, so the address is wrong",
        _ADDRESS,
        descriptions=("invalid query parameter", "invalid request url", "invalid url"),
    ),
    Row(
        "body_too_large",
        Fate.DEAD_LETTER,
        "the vendor found the body too large",
        "send fewer or shorter variables",
        descriptions=(
            "body over",
            "body exceeds",
            "request body exceeds",
            "the request body exceeds",
            "message body exceeds",
        ),
    ),
    Row(
        "blocked",
        Fate.HOLD,
        "the vendor blocked the request: the account, the number or the content",
        "contact the vendor's support with the X-Request-Id; if it is one number or content and not the account, its "
        "record becomes a dead letter by itself (refused_alone) once others pass",
        descriptions=("request was blocked", "the request was blocked", "your request was blocked"),
    ),
    Row(
        "bad_credentials",
        Fate.HOLD,
        "user name or password is invalid",
        _CREDENTIALS,
        descriptions=(
            "username or password",
            "user name or password",
            "invalid username or password",
            "invalid user name or password",
            "the username or password",
        ),
    ),
    Row(
        "mutual_tls_refused",
        Fate.HOLD,
        "mutual TLS failed: the certificate, or the name header is not on the list agreed with the vendor",
        "compare openmarket.tls (certificate, name_header, name) with what was agreed with the vendor",
        descriptions=("unable to authenticate",),
    ),
    Row(
        "unauthorized",
        Fate.HOLD,
        "HTTP 401: the credentials are not accepted",
        _CREDENTIALS,
        statuses=("401",),
    ),
    Row("forbidden", Fate.HOLD, "HTTP 403: the account may not do this", _ROLE, statuses=("403",)),
    Row(
        "proxy_authentication",
        Fate.HOLD,
        "HTTP 407: a proxy in between wants credentials",
        "open the way to the vendor, or correct the proxy",
        statuses=("407",),
    ),
    Row("wrong_address", Fate.HOLD, "HTTP 404 or 405: this is not the API", _ADDRESS, statuses=("404", "405")),
    Row("redirected", Fate.HOLD, "a redirect, never followed: credentials would travel", _ADDRESS, statuses=("3xx",)),
    Row(
        "too_many_requests",
        Fate.RETRY,
        "the vendor wants it slower",
        _WAIT,
        statuses=("425", "429"),
        overloaded=True,
    ),
    Row(
        "gateway_timeout",
        Fate.RETRY,
        "a gateway gave up waiting: the request may have been delivered",
        _MAYBE,
        statuses=("408", "502", "504"),
        delivered=Delivered.MAYBE,
        overloaded=True,
    ),
    Row(
        "rejected",
        Fate.DEAD_LETTER,
        "the vendor rejected the request for a reason our table does not know",
        "look at the vendor code, and say in openmarket.outcomes what shall become of it",
        statuses=("4xx",),
        when=When.ERROR_JSON,
    ),
    Row(
        "gateway_rejected",
        Fate.HOLD,
        "a 4xx without the vendor's error JSON: something in between answered",
        _ADDRESS,
        statuses=("4xx",),
    ),
    Row(
        "vendor_unavailable",
        Fate.RETRY,
        "an error at the vendor without a known code",
        _WAIT,
        statuses=("5xx",),
        overloaded=True,
    ),
    Row(
        "not_the_vendor",
        Fate.HOLD,
        "a 2xx that the vendor does not send (no X-Request-Id): a proxy's page; it may have been delivered",
        _ADDRESS,
        statuses=("2xx",),
        delivered=Delivered.MAYBE,
    ),
    Row(
        "strange_status",
        Fate.RETRY,
        "a status that HTTP does not have as an answer",
        _ADDRESS,
        statuses=("other",),
        delivered=Delivered.MAYBE,
    ),
    Row(
        "server_certificate",
        Fate.HOLD,
        "the vendor's certificate cannot be verified",
        "compare openmarket.tls.ca_file and openmarket.base_url; a proxy in between may break TLS open",
        failures=(Failure.SERVER_CERTIFICATE,),
    ),
    Row(
        "client_certificate",
        Fate.HOLD,
        "our client certificate was refused",
        "renew openmarket.tls.certificate_file and key_file, or have the certificate accepted by the vendor",
        failures=(Failure.CLIENT_CERTIFICATE,),
    ),
    Row(
        "dns_failed",
        Fate.RETRY,
        "the vendor's name was not resolved",
        _NETWORK,
        failures=(Failure.DNS,),
        delivered=Delivered.MAYBE,
    ),
    Row(
        "connect_failed",
        Fate.RETRY,
        "no connection to the vendor",
        _NETWORK,
        failures=(Failure.CONNECT,),
        delivered=Delivered.MAYBE,
    ),
    Row(
        "no_open_file",
        Fate.RETRY,
        "this process may open no more files, so that it has no connection for a post",
        "raise the hard limit (`ulimit -Hn`; a container's is its runtime's), or lower delivery.in_flight",
        failures=(Failure.OPEN_FILES,),
        delivered=Delivered.MAYBE,
    ),
    Row(
        "tls_failed",
        Fate.RETRY,
        "the TLS handshake failed",
        _NETWORK,
        failures=(Failure.TLS,),
        delivered=Delivered.MAYBE,
    ),
    Row(
        "timed_out",
        Fate.RETRY,
        "no answer in time",
        _MAYBE,
        failures=(Failure.TIMEOUT,),
        delivered=Delivered.MAYBE,
        overloaded=True,
    ),
    Row(
        "connection_reset",
        Fate.RETRY,
        "the connection broke",
        _MAYBE,
        failures=(Failure.RESET,),
        delivered=Delivered.MAYBE,
    ),
    Row(
        "not_http",
        Fate.RETRY,
        "what came back was not HTTP",
        _ADDRESS,
        failures=(Failure.PROTOCOL,),
        delivered=Delivered.MAYBE,
    ),
    *PROXY_ROWS,
)

DEFAULT_TABLE = Table(_ROWS)
"""What the vendor's page says, and what we decided where it says nothing."""
