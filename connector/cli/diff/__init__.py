"""`connector diff`: what two configurations, or two versions, make of the same records."""

from connector.cli.diff.command import diff

__all__ = ["diff"]
