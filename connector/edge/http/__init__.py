"""The transport to the vendor, by asyncio: connections, HTTP/1 answers, tunnels through a forward proxy."""
