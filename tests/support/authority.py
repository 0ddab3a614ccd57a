"""Certificates of a vendor and of its clients."""

from __future__ import annotations

import ssl

import trustme


class Authority:
    """Signs a vendor's certificate and those of its clients."""

    def __init__(self) -> None:
        self._authority = trustme.CA()

    @property
    def certificate(self) -> str:
        """Its own."""
        return self._authority.cert_pem.bytes().decode()

    def server(self) -> ssl.SSLContext:
        """TLS 1.3 on this machine, for clients of this authority only."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_3
        context.verify_mode = ssl.CERT_REQUIRED
        self._authority.issue_cert("127.0.0.1").configure_cert(context)
        self._authority.configure_trust(context)
        return context

    def client(self) -> dict[str, str]:
        """A new client's certificate and key."""
        issued = self._authority.issue_cert("client.example")
        chain = "".join(pem.bytes().decode() for pem in issued.cert_chain_pems)
        return {"client.pem": chain, "client.key": issued.private_key_pem.bytes().decode()}
