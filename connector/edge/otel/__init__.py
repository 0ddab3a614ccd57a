"""Spans by OpenTelemetry's SDK, which is an extra: nothing imports this room unless tracing is on."""
