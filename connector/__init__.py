"""Posts Avro invocation events from Kafka to the Invoke Service HTTP API."""

__version__ = "0.1.0"
