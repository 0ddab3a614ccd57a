"""librdkafka's own C functions, for what the Python client does not let through."""

from __future__ import annotations

import ctypes
from pathlib import Path
from typing import Any

import confluent_kafka

_FLUSH_MS = 20_000
_PRODUCER = 0
_ONLY_BROKER = 1
_TOPIC, _VALUE, _HEADERS, _END = 1, 4, 10, 0  # rd_kafka_vtype_t


def produce_with_header_name(bootstrap_servers: str, topic: str, name: bytes, value: bytes) -> None:
    """Write a record whose one header has a name that need not be UTF-8."""
    library = _library()
    client = library.rd_kafka_new(_PRODUCER, _conf(library, bootstrap_servers), None, 0)
    headers = library.rd_kafka_headers_new(1)
    library.rd_kafka_header_add(headers, name, len(name), b"x", 1)
    arguments: list[Any] = [ctypes.c_int(_TOPIC), topic.encode()]
    arguments += [ctypes.c_int(_VALUE), value, ctypes.c_size_t(len(value))]
    arguments += [ctypes.c_int(_HEADERS), ctypes.c_void_p(headers), ctypes.c_int(_END)]
    produced = library.rd_kafka_producev(ctypes.c_void_p(client), *arguments)
    flushed = library.rd_kafka_flush(ctypes.c_void_p(client), _FLUSH_MS)
    library.rd_kafka_destroy(ctypes.c_void_p(client))
    assert (produced, flushed) == (0, 0)


class MockCluster:
    """librdkafka's own mock cluster with a hand on its answers. It lives as long as the process, since librdkafka
    2.16.0 does not always survive taking it down."""

    def __init__(self) -> None:
        self._library = _library()
        self._client = ctypes.c_void_p(self._library.rd_kafka_new(_PRODUCER, None, None, 0))
        self._cluster = ctypes.c_void_p(self._library.rd_kafka_mock_cluster_new(self._client, 1))
        self.bootstrap_servers: str = self._library.rd_kafka_mock_cluster_bootstraps(self._cluster).decode()

    def create_topic(self, name: str, partitions: int = 1) -> None:
        """Create a topic."""
        assert self._library.rd_kafka_mock_topic_create(self._cluster, name.encode(), partitions, 1) == 0

    def refuse(self, api: int, *errors: int) -> None:
        """Answer the next requests of this API key with these error codes of the protocol, one each."""
        codes = (ctypes.c_int * len(errors))(*errors)
        count = ctypes.c_size_t(len(errors))
        self._library.rd_kafka_mock_push_request_errors_array(self._cluster, ctypes.c_int16(api), count, codes)

    def go_down(self) -> None:
        """Let no client connect, and end their connections, until `come_up`."""
        assert self._library.rd_kafka_mock_broker_set_down(self._cluster, ctypes.c_int32(_ONLY_BROKER)) == 0

    def come_up(self) -> None:
        """Take back `go_down`."""
        assert self._library.rd_kafka_mock_broker_set_up(self._cluster, ctypes.c_int32(_ONLY_BROKER)) == 0


def _conf(library: ctypes.CDLL, bootstrap_servers: str) -> ctypes.c_void_p:
    conf = ctypes.c_void_p(library.rd_kafka_conf_new())
    library.rd_kafka_conf_set(conf, b"bootstrap.servers", bootstrap_servers.encode(), None, 0)
    return conf


def _library() -> ctypes.CDLL:
    # The wheel carries the library beside the package; it is loaded already, so this is the same copy of it.
    folder = Path(confluent_kafka.__file__).parent.parent / "confluent_kafka.libs"
    (path,) = folder.glob("librdkafka-*")
    library = ctypes.CDLL(str(path))
    for name in ("rd_kafka_conf_new", "rd_kafka_new", "rd_kafka_headers_new", "rd_kafka_mock_cluster_new"):
        getattr(library, name).restype = ctypes.c_void_p
    library.rd_kafka_mock_cluster_bootstraps.restype = ctypes.c_char_p
    library.rd_kafka_header_add.argtypes = [
        ctypes.c_void_p,
        ctypes.c_char_p,
        ctypes.c_ssize_t,
        ctypes.c_char_p,
        ctypes.c_ssize_t,
    ]
    return library
