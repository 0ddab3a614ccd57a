"""When a certificate of ours expires. The ssl module tells that of a peer only."""

from __future__ import annotations

from pathlib import Path


def expires_at(file: Path) -> float | None:
    """Return the end of the first certificate of a PEM file, in seconds since the epoch.

    None when the file cannot be read or holds no certificate: this is for a gauge, and `OpenMarket` refuses such a
    file by itself.
    """
    from cryptography.x509 import load_pem_x509_certificates  # 8 MB: for who has a certificate

    try:
        return load_pem_x509_certificates(file.read_bytes())[0].not_valid_after_utc.timestamp()
    except (OSError, ValueError):
        return None
