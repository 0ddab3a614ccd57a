"""The listener for commands, as the settings want it."""

from __future__ import annotations

from connector.config.files import SecretFile, read_secret
from connector.config.settings import Settings
from connector.edge.control import Commands, ControlServer, Deployment

TAKEN = "admin.control_host and admin.control_port: an address of this machine, and a port that nobody else has"
"""The remedy when `start` raises OSError."""


def server(settings: Settings, commands: Commands) -> ControlServer:
    """The listener; start it on `admin.control_host` and `admin.control_port`."""
    file = settings.admin.control_token_file
    return ControlServer(commands, deployment(settings), settings.read_topics, None if file is None else Token(file))


def deployment(settings: Settings) -> Deployment:
    """Which deployment these settings are of: its group, and its main topic."""
    return Deployment(settings.kafka.group_id, settings.kafka.topics.main)


class Token:
    """The token that its file holds now. Commands are rare, so the file is read at each; while it cannot be, the last
    one counts."""

    def __init__(self, file: SecretFile) -> None:
        self._file = file

    def __call__(self) -> str:
        """The token in force."""
        try:
            self._file = read_secret(self._file.path)
        except ValueError:
            pass
        return self._file.secret.get_secret_value()
