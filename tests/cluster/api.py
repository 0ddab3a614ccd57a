"""The few calls of the Kubernetes API that are needed here."""

from __future__ import annotations

import http.client
import json
import ssl
from typing import Any


class ApiError(Exception):
    """The API server said no: its status, and its message."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(f"{status}: {message}")
        self.status = status


class Api:
    """One API server on this machine, as one user."""

    def __init__(self, port: int, token: str) -> None:
        self.port, self.token = port, token
        self._tls = ssl._create_unverified_context()  # noqa: S323 - its certificate is made by itself, on loopback

    def call(self, method: str, path: str, body: Any = None, kind: str = "application/json") -> Any:
        """The answer's object. Raises ApiError, and OSError while the server is not there."""
        connection = http.client.HTTPSConnection("127.0.0.1", self.port, context=self._tls, timeout=30)
        try:
            headers = {"Authorization": f"Bearer {self.token}", "Content-Type": kind}
            connection.request(method, path, None if body is None else json.dumps(body), headers)
            answer = connection.getresponse()
            text = answer.read().decode()
            if answer.status >= 300:
                raise ApiError(answer.status, _message(text))
            return json.loads(text) if text.startswith("{") else text
        finally:
            connection.close()

    def list(self, path: str) -> list[Any]:
        """The items of a list."""
        items: list[Any] = self.call("GET", path)["items"]
        return items

    def patch(self, path: str, body: Any) -> Any:
        """Merge `body` into the object."""
        return self.call("PATCH", path, body, "application/merge-patch+json")


def _message(text: str) -> str:
    try:
        return str(json.loads(text).get("message", text))
    except ValueError:
        return text
