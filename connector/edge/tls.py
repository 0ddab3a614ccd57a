"""The PEM files of a TLS connection, towards the vendor as towards the registry."""

from __future__ import annotations

import ssl
from pathlib import Path
from typing import NamedTuple


class Tls(NamedTuple):
    """PEM files. No `ca_file`: the system's certificates. A certificate with its key makes TLS mutual."""

    ca_file: Path | None = None
    certificate_file: Path | None = None
    key_file: Path | None = None
    key_password: str = ""

    def context(self) -> ssl.SSLContext:
        """TLS 1.2 or newer. Raises OSError (ssl.SSLError is one) for a file that cannot be read or used."""
        context = ssl.create_default_context(cafile=self.ca_file)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        if self.certificate_file is not None:
            try:
                # A password, even an empty one, keeps OpenSSL from asking for it on the terminal.
                context.load_cert_chain(self.certificate_file, self.key_file, password=self.key_password)
            except ValueError as error:  # the password is longer than OpenSSL takes
                raise ssl.SSLError(ssl.SSLErrorNumber.SSL_ERROR_SSL, str(error)) from None
        return context
