"""The end of a certificate's validity."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest
import trustme

from connector.edge.certificates import expires_at


@pytest.mark.parametrize("year", [2027, 2049, 2050, 2100])
def test_the_end_of_a_certificate_is_read_in_both_forms_of_time(tmp_path: Path, year: int) -> None:
    """X.509 writes years from 2050 on in another form."""
    until = datetime(year, 2, 28, 12, 30, 59, tzinfo=UTC)
    file = tmp_path / "client.pem"
    trustme.CA().issue_cert("client.example", not_after=until).cert_chain_pems[0].write_to_path(file)
    assert expires_at(file) == until.timestamp()


def test_the_first_certificate_of_a_chain_is_ours(tmp_path: Path) -> None:
    until = datetime(2031, 1, 1, tzinfo=UTC)
    file, authority = tmp_path / "chain.pem", trustme.CA()
    issued = authority.issue_cert("client.example", not_after=until)
    file.write_bytes(issued.private_key_pem.bytes() + issued.cert_chain_pems[0].bytes() + authority.cert_pem.bytes())
    assert expires_at(file) == until.timestamp()


@pytest.mark.parametrize(
    "content", ["", "no certificate", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----"]
)
def test_a_file_that_holds_none_has_no_end(tmp_path: Path, content: str) -> None:
    file = tmp_path / "broken.pem"
    file.write_text(content)
    assert expires_at(file) is None


def test_a_file_that_is_not_there_has_no_end(tmp_path: Path) -> None:
    assert expires_at(tmp_path / "missing.pem") is None
