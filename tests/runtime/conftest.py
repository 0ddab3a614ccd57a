"""What the tests of the running process share with those of the commands."""

from tests.cli.conftest import config_file

__all__ = ["config_file"]
