#!/usr/bin/env bash
# jsonschema-rs makes a number of a property's name when the name is digits.
#
# `ValidationError.instance_path` tells names from places in arrays by their type: a str is a property's name, an int a
# place. Of an object it gives {"12": …} as 12, so that `value[12]` raises KeyError, and "007" as 7, which names nothing
# there; what does not fit 64 bits stays a str. Walk with str(step) where the value is an object, and be ready not to find
# it. Seen with jsonschema-rs 0.61.2 on 2026-11-30. Prints what it gives, and exits with 1 when that has changed. Needs
# python3.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" -q install jsonschema-rs==0.61.2
"$work/venv/bin/python" - <<'PY'
import sys
import jsonschema_rs

validator = jsonschema_rs.validator_for({"additionalProperties": {"type": "string"}})
found = {name: next(validator.iter_errors({name: 1})).instance_path for name in ("a", "12", "007")}
print(found)
sys.exit(found != {"a": ["a"], "12": [12], "007": [7]})
PY
