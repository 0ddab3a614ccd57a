"""`connector lint`: what `run` would refuse of a topic or a file of events, and what it would post and looks wrong."""

from connector.cli.lint.command import lint

__all__ = ["lint"]
