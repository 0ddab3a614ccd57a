"""How fast, how lean: the connector beside a bare loop, against real Kafka and nginx. `make bench`."""
