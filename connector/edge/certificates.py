"""When a certificate of ours expires. The ssl module tells that of a peer only, so the DER is walked to the date."""

from __future__ import annotations

import ssl
from datetime import datetime
from pathlib import Path

_BEGIN, _END = "-----BEGIN CERTIFICATE-----", "-----END CERTIFICATE-----"
_VERSION, _UTC_TIME = 0xA0, 0x17


def expires_at(file: Path) -> float | None:
    """Return the end of the first certificate of a PEM file, in seconds since the epoch.

    None when the file cannot be read or holds no certificate: this is for a gauge, and `OpenMarket` refuses such a
    file by itself.
    """
    try:
        pem = file.read_text(encoding="ascii")
        first = pem[pem.index(_BEGIN) : pem.index(_END) + len(_END)]
        return _not_after(ssl.PEM_cert_to_DER_cert(first)).timestamp()
    except (OSError, ValueError, IndexError):
        return None


def _not_after(der: bytes) -> datetime:
    """RFC 5280, 4.1: tbsCertificate is [version], serial, algorithm, issuer, validity (from, until)…"""
    _, certificate, _ = _element(der)
    _, rest, _ = _element(certificate)
    if rest[0] == _VERSION:
        rest = _element(rest)[2]
    for _ in ("serial", "algorithm", "issuer"):
        rest = _element(rest)[2]
    _, validity, _ = _element(rest)
    tag, until, _ = _element(_element(validity)[2])
    text = until.decode("ascii")
    if tag == _UTC_TIME:  # two digits of the year: 50 to 99 are of the 20th century
        text = ("19" if text[0] >= "5" else "20") + text
    return datetime.strptime(text, "%Y%m%d%H%M%S%z")


def _element(der: bytes) -> tuple[int, bytes, bytes]:
    """Split the first element off: its tag, its content, and what follows it."""
    length, start = der[1], 2
    if length >= 0x80:  # the low bits say how many bytes hold the length
        start += length & 0x7F
        length = int.from_bytes(der[2:start], "big")
    return der[0], der[start : start + length], der[start + length :]
