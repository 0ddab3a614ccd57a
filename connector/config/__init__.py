"""What may be set, where it comes from, and what is wrong with it. Knows the core's values and nothing of the world."""

from connector.config.load import ConfigError, load
from connector.config.settings import Settings

__all__ = ["ConfigError", "Settings", "load"]
