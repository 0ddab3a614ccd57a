"""The program: `connector`, or `python -m connector`. Signals come first, as the imports of a command take a second."""

from __future__ import annotations

import sys

from connector.runtime import stopping


def main() -> None:
    """Entry point: exits with 0 done, 1 failed, 2 usage or configuration."""
    stopping.begin(sys.argv[1:])
    from connector.cli.main import main as command  # not before signals are obeyed

    command()


if __name__ == "__main__":
    main()
