"""Single objects as each library frames them, recorded outside CI: `findings/avro-fingerprints.sh` makes them again."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from connector.edge.avro.canonical import fingerprint, fingerprints
from connector.edge.avro.decoder import AvroDecoder
from connector.edge.avro.schemas import SchemaFolderError, load_folder, shipped_folder
from tests.support.avro import CURRENT, record, with_extra, with_field

ROOT = Path(__file__).parents[3]

EVENT = "0a6576742d311830413142324333443445354616313235313535353031323300"
ONE_BLOCK = EVENT + "020e73657373696f6e020c666c69676874046200000000"
AS_A_DOUBLE = EVENT + "020e73657373696f6e020c666c6967687406000000000080484000000000"
BLOCKS_WITH_LENGTH = EVENT + "01280e73657373696f6e01120c666c69676874046200000000"

# The event is the same: event id evt-1, and a flight number of 49 in the session.
WRITTEN = {
    "Java 1.12.1, BinaryMessageEncoder": "c30185077321b54a6aa6" + ONE_BLOCK,
    "Java 1.12.1, parsingFingerprint64 in a ByteBuffer": "c301a66a4ab521730785" + ONE_BLOCK,
    "fastavro 1.13.1, fingerprint": "c30185077321b54a6aa6" + ONE_BLOCK,
    "Apache's Python avro 1.12.2, Schema.fingerprint": "c301d68a64d892c870d0" + AS_A_DOUBLE,
    "Rust's apache-avro 0.22.0, GenericSingleObjectWriter": "c301d68a64d892c870d0" + ONE_BLOCK,
    "goavro 2.15.0, SingleFromNative": "c301d68a64d892c870d0" + ONE_BLOCK,
    "hamba 2.31.0, soe": "c301225ccad99bcfbb93" + BLOCKS_WITH_LENGTH,
    "hamba 2.31.0, FingerprintUsing(CRC64Avro)": "c30193bbcf9bd9ca5c22" + BLOCKS_WITH_LENGTH,
}

# A schema with what the libraries treat differently, and the fingerprints that they print for it.
DECIMAL = {"logicalType": "decimal", "precision": 4, "scale": 2}
KINDS = [
    {"type": "string"},
    {"type": "string", "avro.java.string": "String"},
    {"type": "bytes", **DECIMAL},
    ["null", {"type": "int", "logicalType": "date"}],
    {"type": "fixed", "name": "F", "size": 16, **DECIMAL},
    {"type": "map", "values": {"type": "long", "logicalType": "local-timestamp-micros"}},
    {"type": "string", "logicalType": "uuid"},
    {"type": "long", "logicalType": "no-such-thing"},
    {"type": "enum", "name": "E", "symbols": ["A"], "default": "A"},
    {"type": "fixed", "name": "D", "size": 12, "logicalType": "duration"},
    {
        "type": "record",
        "name": "R2",
        "namespace": "x",
        "fields": [{"name": "l", "type": {"type": "int", "logicalType": "time-millis"}, "doc": "x"}],
    },
    {"type": "bytes", "logicalType": "decimal", "precision": 4},
    {"type": "long", "logicalType": "timestamp-nanos"},
]


def many_kinds(*kinds: object) -> str:
    fields = [{"name": name, "type": kind} for name, kind in zip("abcdefghijkmo", kinds, strict=False)]
    return json.dumps({"type": "record", "name": "P", "namespace": "n.s", "doc": "d", "fields": fields})


@pytest.mark.parametrize("written", WRITTEN.values(), ids=WRITTEN.keys())
def test_our_own_event_is_read_whichever_library_wrote_it(written: str) -> None:
    """They leave different things of `timestamp-millis` in the form whose checksum names the schema."""
    fields = AvroDecoder(CURRENT, shipped_folder(), monotonic=lambda: 0.0).decode(record(bytes.fromhex(written)))
    assert isinstance(fields, dict)
    assert (fields["eventId"], fields["variables"]) == ("evt-1", {"session": {"flight": 49}})


@pytest.mark.parametrize(
    ("library", "printed"),
    [
        ("Java 1.12.1 and fastavro 1.13.1", "7e0ac187e48b4d9e"),
        ("Apache's Python avro 1.12.2", "c21478959d18db79"),
        ("Rust's apache-avro 0.22.0", "138dfb01d3675872"),
    ],
)
def test_a_schema_of_every_kind_of_type_has_each_librarys_fingerprint(library: str, printed: str) -> None:
    """Decimals, unknown logical types, attributes of Java's, namespaces."""
    assert bytes.fromhex(printed) in fingerprints(many_kinds(*KINDS)), library


def test_a_schema_without_nanoseconds_has_hambas_fingerprint() -> None:
    """It leaves the logical types that it knows, in full."""
    kinds = [*KINDS[:-2], KINDS[-1]]
    text = many_kinds(*kinds).replace('"m"', '"o"')
    assert bytes.fromhex("275edfc10edbe626") in fingerprints(text)


def test_names_of_any_script_have_javas_fingerprint() -> None:
    """In UTF-8."""
    text = """{"type": "record", "name": "A", "namespace": "com.münchen", "fields": [
        {"name": "größe", "type": "int"}, {"name": "e", "type": {"type": "enum", "name": "E", "symbols": ["Ä"]}},
        {"name": "f", "type": "E"}]}"""
    assert fingerprint(text) == (0x89A7D2F1C046B8E2).to_bytes(8, "little")


def test_every_library_of_the_tests_is_in_the_table_for_producers() -> None:
    """With the version that was tried, and its fingerprint of our schema."""
    page = (ROOT / "schemas" / "README.md").read_text(encoding="utf-8")
    for name, written in WRITTEN.items():
        version = re.search(r"[0-9]+\.[0-9.]+", name)
        assert version is not None
        assert any(version[0] in line and written[4:20] in line for line in page.splitlines()), name


class TestCollisions:
    def test_two_files_of_one_fingerprint_that_mean_different_things_are_refused_at_start(self, tmp_path: Path) -> None:
        """Java's form of a date is that of an int: which one was written nobody can tell from the frame."""
        for name, kind in (("a.avsc", "int"), ("b.avsc", {"type": "int", "logicalType": "date"})):
            text = with_field("variables", type={"type": "map", "values": {"type": "map", "values": kind}})
            (tmp_path / name).write_text(text)
        with pytest.raises(
            SchemaFolderError, match=r"a\.avsc and .*b\.avsc have the fingerprint [0-9a-f]{16} in common"
        ):
            AvroDecoder(CURRENT, load_folder(tmp_path), monotonic=lambda: 0.0)

    @pytest.mark.parametrize(
        "text",
        [
            CURRENT,
            CURRENT.replace('"doc"', '"comment"'),
            with_field("createdAt", type=["null", "long"]),
        ],
        ids=["a copy", "other attributes", "a time without its unit"],
    )
    def test_two_files_that_mean_the_same_are_one(self, tmp_path: Path, text: str) -> None:
        """Copies and versions that differ in their documentation are usual."""
        (tmp_path / "a.avsc").write_text(CURRENT)
        (tmp_path / "b.avsc").write_text(text)
        AvroDecoder(CURRENT, load_folder(tmp_path).over(shipped_folder()), monotonic=lambda: 0.0)

    def test_what_is_passed_over_may_mean_what_it_will(self, tmp_path: Path) -> None:
        """A logical type of a field that ours does not have changes nothing that is read."""
        (tmp_path / "a.avsc").write_text(with_extra("int"))
        (tmp_path / "b.avsc").write_text(with_extra({"type": "int", "logicalType": "date"}))
        AvroDecoder(CURRENT, load_folder(tmp_path), monotonic=lambda: 0.0)
