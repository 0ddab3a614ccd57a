"""Avro: schemas from files and from a registry, frames and fields. Events are read by a plan of our own."""
