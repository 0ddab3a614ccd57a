"""How a NamedTuple is made for every record."""

from __future__ import annotations

from typing import Final

made: Final = tuple.__new__
"""Takes the class and all its fields, in their order. A NamedTuple's own `__new__` is a function of Python, also
where the caller is compiled, and takes four times as long: for what is made for every record, and for nothing else."""
