"""The one form that a service id has: it becomes part of a URL's path."""

from __future__ import annotations

import re

PATTERN = "[0-9A-Fa-f]{1,64}"
"""The vendor's page says hexadecimal; anything else could leave the path."""

is_service_id = re.compile(PATTERN).fullmatch
"""Takes a text; true of one that the vendor can know."""
