"""The wheel's build: with CONNECTOR_COMPILE=1 the rooms that decide are compiled by mypyc, which the image's wheel is.

The source is the truth, and runs as it is everywhere else (docs/decisions/0006).
"""

from __future__ import annotations

import os
from glob import glob

from setuptools import setup

# What every record passes. Of core/ not numbers.py and request.py: a float there may be an int, which a compiled float
# would round.
COMPILED = [
    *(
        f"connector/core/{name}.py"
        for name in (
            "concurrency",
            "destination",
            "envelope",
            "event",
            "made",
            "offsets",
            "outcome",
            "poison",
            "record",
            "redact",
            "settled_map",
            "usual",
            "window",
        )
    ),
    *(
        f"connector/core/mapping/{name}.py"
        for name in ("chains", "compiled", "getters", "opening", "paths", "phones", "steps")
    ),
    *(
        f"connector/edge/avro/{name}.py"
        for name in ("codec", "complex_types", "decoder", "decoding", "entries", "mapped", "skipping")
    ),
    *(f"connector/edge/http/{name}.py" for name in ("answer", "connection", "familiar", "pool")),
    "connector/edge/clock.py",
    *(f"connector/edge/kafka/{name}.py" for name in ("credit", "records", "waits")),
    "connector/edge/openmarket.py",
    "connector/deadline.py",
    *(f"connector/observe/{name}.py" for name in ("accepted_line", "histogram", "lines", "record_counts")),
    "connector/runtime/driver.py",
    "connector/runtime/traced.py",
    *sorted(glob("connector/engine/*.py")),
]
LEFT = {
    "connector/engine/__init__.py": "nothing in it",
    "connector/engine/messages.py": "mypyc cannot make a NamedTuple with an Exception in it",
    "connector/engine/ports.py": "nothing to run",
    "connector/engine/stops.py": "as messages.py",
}

modules = []
if os.environ.get("CONNECTOR_COMPILE") == "1":
    from mypyc.build import mypycify

    paths = [path for path in COMPILED if path not in LEFT]
    modules = mypycify(paths, opt_level="3", group_name="invoke_connector")

setup(ext_modules=modules)
