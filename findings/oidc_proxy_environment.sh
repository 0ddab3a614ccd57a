#!/bin/sh
# confluent-kafka 2.16.1 (librdkafka 2.16.0), OAUTHBEARER with sasl.oauthbearer.method=oidc.
#
# The token endpoint is asked through the proxy that HTTPS_PROXY, https_proxy, ALL_PROXY or (http endpoints) http_proxy
# names, unless NO_PROXY names the endpoint's host: the libcurl in the wheel obeys the environment. librdkafka has no
# property for a proxy, and brokers are never reached through one. Whoever sets HTTPS_PROXY for something else moves the
# token's road with it, and gets no token when the endpoint is inside.
#
# Seen on 2026-11-30, Python 3.11:
#    HTTPS_PROXY https: CONNECT login.example.com:443 HTTP/1.1
#    https_proxy https: CONNECT login.example.com:443 HTTP/1.1
#    ALL_PROXY https: CONNECT login.example.com:443 HTTP/1.1
#    http_proxy http: POST http://login.example.com/token HTTP/1.1
#    HTTP_PROXY http: not asked
#    HTTPS_PROXY https, NO_PROXY=login.example.com: not asked
#
# Exits with 1 when this changes. Needs Python 3.11 or newer, and the package index.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
unset HTTPS_PROXY https_proxy HTTP_PROXY http_proxy ALL_PROXY all_proxy NO_PROXY no_proxy || true
"${PYTHON:-python3}" -m venv "$folder/venv"
"$folder/venv/bin/python" -m pip install --quiet --disable-pip-version-check confluent-kafka==2.16.1
cat > "$folder/ask.py" <<'PYTHON'
import os
import socket
import sys
import threading
import time

from confluent_kafka import Consumer

variable, scheme, beside = sys.argv[1:]
asked = []
listener = socket.create_server(("127.0.0.1", 0))


def proxy():
    while True:
        taken, _ = listener.accept()
        asked.append(taken.recv(4096).split(b"\r\n")[0].decode())
        taken.sendall(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n")
        taken.close()


threading.Thread(target=proxy, daemon=True).start()
os.environ[variable] = f"http://127.0.0.1:{listener.getsockname()[1]}"
if beside:
    os.environ["NO_PROXY"] = beside
consumer = Consumer(
    {
        "bootstrap.servers": "127.0.0.1:1",
        "group.id": "g",
        "security.protocol": "sasl_plaintext",
        "sasl.mechanism": "OAUTHBEARER",
        "sasl.oauthbearer.method": "oidc",
        "sasl.oauthbearer.client.id": "client",
        "sasl.oauthbearer.client.secret": "secret",
        "sasl.oauthbearer.token.endpoint.url": f"{scheme}://login.example.com/token",
        "error_cb": lambda _: None,
        "log_level": 0,
    }
)
end = time.monotonic() + 4
while not asked and time.monotonic() < end:
    consumer.poll(0.1)
how = f"{variable} {scheme}" + (f", NO_PROXY={beside}" if beside else "")
print(f"{how}: {asked[0] if asked else 'not asked'}", flush=True)
os._exit(0)
PYTHON
ask() { "$folder/venv/bin/python" "$folder/ask.py" "$1" "$2" "${3:-}" 2> /dev/null; }
{
    ask HTTPS_PROXY https
    ask https_proxy https
    ask ALL_PROXY https
    ask http_proxy http
    ask HTTP_PROXY http
    ask HTTPS_PROXY https login.example.com
} | tee "$folder/seen"
sed -n 's/^#    //p' "$0" | diff - "$folder/seen"
