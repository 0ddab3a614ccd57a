"""The wheel's build: with CONNECTOR_COMPILE=1 the rooms that decide are compiled by mypyc, which the image's wheel is.

The source is the truth, and runs as it is everywhere else (docs/decisions/0006).
"""

from __future__ import annotations

import os
from glob import glob

from setuptools import setup

COMPILED = [
    "connector/core/*.py",
    "connector/engine/*.py",
    "connector/deadline.py",
    "connector/edge/avro/codec.py",
    "connector/edge/avro/decoder.py",
    "connector/edge/avro/decoding.py",
    "connector/edge/http/answer.py",
    "connector/edge/http/familiar.py",
    "connector/observe/lines.py",
]
LEFT = {
    "connector/core/__init__.py": "nothing in it",
    "connector/core/numbers.py": "a float there may be an int, which a compiled float would round",
    "connector/core/request.py": "as numbers.py, and a surrogate in a literal",
    "connector/engine/__init__.py": "nothing in it",
    "connector/engine/messages.py": "mypyc cannot make a NamedTuple with an Exception in it",
    "connector/engine/ports.py": "nothing to run",
    "connector/engine/stops.py": "as messages.py",
}

modules = []
if os.environ.get("CONNECTOR_COMPILE") == "1":
    from mypyc.build import mypycify

    paths = sorted(path for pattern in COMPILED for path in glob(pattern) if path not in LEFT)
    modules = mypycify(paths, opt_level="3", group_name="invoke_connector")

setup(ext_modules=modules)
