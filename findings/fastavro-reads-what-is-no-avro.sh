#!/usr/bin/env bash
# fastavro 1.13.1 reads bytes that Avro's binary encoding does not have as values; seen on 2026-11-30:
#
#   a long of eleven bytes   32            the bits after the 64th are added to the first ones
#   an int of 2^40           1099511627776 an int has 32 bits
#   a boolean of 2           True
#   a map with a key twice   {'a': 2}      the last one stays
#
# and writes an integer that no branch of a union takes as the double that it does not equal:
#
#   12345678901234567890 in ["long", "double"] is read again as 1.2345678901234567e+19
#
# Apache's Python avro 1.12.2 writes every integer there as a double: 49 is read again as 49.0.
# Exits with 1 when one of these has changed. Needs python3.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/py"
"$work/py/bin/pip" -q install avro==1.12.2 fastavro==1.13.1
"$work/py/bin/python" - <<'PY'
import io, json, sys
import avro.io, avro.schema, fastavro

def read(schema, given):
    return fastavro.schemaless_reader(io.BytesIO(given), schema, None)

def rewritten(schema, value):
    out = io.BytesIO()
    fastavro.schemaless_writer(out, schema, value)
    return read(schema, out.getvalue())

out = io.BytesIO()
avro.io.DatumWriter(avro.schema.parse('["long", "double"]')).write(49, avro.io.BinaryEncoder(out))
found = [
    read("long", b"\xc0" + b"\x80" * 9 + b"\x01"),
    read("int", b"\x80\x80\x80\x80\x80\x40"),
    read("boolean", b"\x02"),
    read({"type": "map", "values": "int"}, b"\x04\x02a\x02\x02a\x04\x00"),
    rewritten(["long", "double"], 12345678901234567890),
    read(["long", "double"], out.getvalue()),
]
print(*found, sep="\n")
sys.exit(repr(found) != "[32, 1099511627776, True, {'a': 2}, 1.2345678901234567e+19, 49.0]")
PY
