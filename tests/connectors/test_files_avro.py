"""Laws of Avro unloads: read to the last digit, whatever the packing, and refused where a byte is missing or wrong."""

import gzip
import io
import json
import random
import sys
import tracemalloc
import zlib
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import fastavro
import pytest
from hypothesis import given
from hypothesis import strategies as st

from offgridflow.connectors.files import discover, scan
from offgridflow.connectors.files.avro import as_json_lines
from offgridflow.connectors.model import DEFAULT_LIMITS, FilePart, IgnoredReason, Limits
from offgridflow.domain.errors import InputError
from support.avro_unload import INSTANT, NUMERIC, gcp_avro, nullable, packed, record

CODECS = ("null", "deflate", "snappy")


@pytest.fixture
def work(tmp_path: Path) -> Path:
    """Return a folder for what is written anew."""
    folder = tmp_path / "work"
    folder.mkdir()
    return folder


def table(**columns: object) -> dict[str, Any]:
    """Return the schema of a table."""
    return {
        "type": "record",
        "name": "Root",
        "fields": [{"name": name, "type": kind} for name, kind in columns.items()],
    }


def read(content: bytes, work: Path, limits: Limits = DEFAULT_LIMITS) -> list[dict[str, Any]]:
    """Return the objects that a file becomes."""
    path = work / "part.avro"
    path.write_bytes(content)
    part = as_json_lines(path, "part.avro", work, limits)
    return [] if part is None else [json.loads(line) for line in gzip.decompress(part.path.read_bytes()).splitlines()]


@pytest.mark.parametrize("codec", CODECS)
def test_a_file_is_found_by_its_content_and_its_lines_are_counted(tmp_path: Path, work: Path, codec: str) -> None:
    """Named as anything and packed in any way it is one part of its own name: equal lines, columns and digest."""
    path = tmp_path / "000000000000"
    path.write_bytes(gcp_avro("2025-05", ["0.1", "0.2", "0.3"], codec))
    [part] = discover([path], work).parts
    found = scan(part)
    assert (part.name, found.records) == (str(path), 3)
    assert {"service.id", "usage.amount", "project.id", "labels", "credits", "cost_at_list"} <= set(
        found.header.columns
    )
    other = tmp_path / "other"
    other.write_bytes(gcp_avro("2025-05", ["0.1", "0.2", "0.3"], "null"))
    assert scan(discover([other], work).parts[0]).digest == found.digest


@given(
    st.decimals(min_value=-(10**28), max_value=10**28, places=9, allow_nan=False),
    st.datetimes(min_value=datetime(1, 1, 1), max_value=datetime(9999, 12, 31), timezones=st.just(UTC)),  # noqa: DTZ001 - hypothesis wants naive bounds
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(),
)
def test_every_value_comes_out_exactly(number: Decimal, instant: datetime, real: float, text: str) -> None:
    """Decimals to the last digit, instants to the microsecond, floats by their shortest text, strings as they are."""
    import tempfile  # noqa: PLC0415 - a fixture's folder would be shared among examples

    schema = table(n=nullable(NUMERIC), t=nullable(INSTANT), r=nullable("double"), s=nullable("string"))
    with tempfile.TemporaryDirectory() as folder:
        [found] = read(packed(schema, [{"n": number, "t": instant, "r": real, "s": text}], "deflate"), Path(folder))
    assert Decimal(found["n"]) == number
    assert datetime.fromisoformat(found["t"].replace(" UTC", "+00:00")) == instant
    assert (found["r"], found["s"]) == (real, text)


def test_all_types_of_a_table_have_their_text(work: Path) -> None:
    """BIGNUMERIC, dates, bytes, maps, enums, lists of records and infinite floats; a null record has null fields."""
    big = {"type": "bytes", "logicalType": "decimal", "precision": 77, "scale": 38}
    schema = table(
        big=nullable(big),
        day=nullable({"type": "int", "logicalType": "date"}),
        moment=nullable({"type": "string", "sqlType": "DATETIME"}),
        raw="bytes",
        pairs={"type": "map", "values": "long"},
        kind={"type": "enum", "name": "Kind", "symbols": ["A", "B"]},
        again=nullable("Kind"),
        whole=nullable(record("Outer", inner=record("Inner", x="string"))),
        items={"type": "array", "items": record("Item", value="double")},
        nothing="null",
    )
    value = {
        "big": Decimal("-12345678901234567890123456789012345678.12345678901234567890123456789012345678"),
        "day": date(2025, 5, 1),
        "moment": "2025-05-01T10:00:00.5",
        "raw": b"\x00\xff",
        "pairs": {"a": 1},
        "kind": "B",
        "again": None,
        "whole": None,
        "items": [{"value": float("inf")}, {"value": None}],
        "nothing": None,
    }
    assert read(packed(schema, [value], "null"), work) == [
        {
            **value,
            "big": "-12345678901234567890123456789012345678.12345678901234567890123456789012345678",
            "day": "2025-05-01",
            "raw": "AP8=",
            "whole": {"inner": {"x": None}},
            "items": [{"value": "inf"}, {"value": None}],
        }
    ]


@pytest.mark.parametrize("codec", CODECS)
def test_a_file_that_is_cut_anywhere_is_refused_or_ends_with_a_whole_block(work: Path, codec: str) -> None:
    """Each byte that is missing is noticed, but where blocks are missing whole: of those only size or checksum tell."""
    schema = table(s="string")
    rows = [{"s": f"row {number} {'x' * 40}"} for number in range(12)]
    content = packed(schema, rows, codec, block_bytes=100)
    ends = {block.offset + block.size for block in fastavro.block_reader(io.BytesIO(content))}
    start = min(block.offset for block in fastavro.block_reader(io.BytesIO(content)))
    assert len(ends) > 3
    for length in range(1, len(content)):
        if length in ends or length == start:
            assert read(content[:length], work) == rows[: len(read(content[:length], work))]
            continue
        with pytest.raises(InputError) as caught:
            read(content[:length], work)
        assert caught.value.code in {"CUT_AVRO", "BROKEN_AVRO"}
    assert read(content, work) == rows


def _tried(content: bytes, work: Path) -> tuple[list[dict[str, Any]], str]:
    """Return the objects, or the code of the refusal."""
    try:
        return read(content, work), ""
    except InputError as error:
        return [], error.code


@pytest.mark.parametrize("codec", CODECS)
def test_a_wrong_byte_is_refused_in_words(work: Path, codec: str) -> None:
    """Whatever byte is flipped, the file is read or refused by name; in a snappy block every flip is noticed."""
    content = gcp_avro("2025-05", ["0.1", "0.2"], codec)
    whole = read(content, work)
    [block] = fastavro.block_reader(io.BytesIO(content))
    dice = random.Random(1)  # noqa: S311 - sample data
    for at in sorted(dice.sample(range(4, len(content)), 400)):
        flipped = content[:at] + bytes([content[at] ^ dice.randrange(1, 256)]) + content[at + 1 :]
        found, code = _tried(flipped, work)
        assert code in {"", "CUT_AVRO", "BROKEN_AVRO", "AVRO_NOT_READ"}
        assert code or len(found) == len(whole)
        assert code or codec != "snappy" or at < block.offset


def raw(schema: object, blocks: list[tuple[int, bytes]], codec: str = "null") -> bytes:
    """Return a file of blocks as they are given: (records, packed bytes)."""
    stream = io.BytesIO()
    meta = {"avro.schema": json.dumps(schema).encode(), "avro.codec": codec.encode()}
    head = {
        "type": "record",
        "name": "h",
        "fields": [
            {"name": "m", "type": {"type": "fixed", "name": "m4", "size": 4}},
            {"name": "meta", "type": {"type": "map", "values": "bytes"}},
            {"name": "s", "type": {"type": "fixed", "name": "s16", "size": 16}},
        ],
    }
    fastavro.schemaless_writer(stream, head, {"m": b"Obj\x01", "meta": meta, "s": bytes(16)})
    for records, content in blocks:
        for number in (records, len(content)):
            fastavro.schemaless_writer(stream, "long", number)
        stream.write(content + bytes(16))
    return stream.getvalue()


_DEFLATE = zlib.compressobj(9, zlib.DEFLATED, -15)
BOMB = _DEFLATE.compress(bytes(2**27)) + _DEFLATE.flush()
RECURSIVE = record("Root", next="Root")
HOSTILE = {
    "a block that inflates without end": (raw(table(s="string"), [(1, BOMB)], "deflate"), "INFLATES_TOO_MUCH"),
    "a snappy block that claims to": (
        raw(table(s="string"), [(1, b"\xff\xff\xff\x7f" + b"x" * 9)], "snappy"),
        "INFLATES_TOO_MUCH",
    ),
    "a snappy block of nothing": (raw(table(s="string"), [(1, b"")], "snappy"), "BROKEN_AVRO"),
    "a deflate block without an end": (raw(table(s="string"), [(1, BOMB[:20])], "deflate"), "BROKEN_AVRO"),
    "a packing that is not read": (raw(table(s="string"), [], "zstandard"), "AVRO_NOT_READ"),
    "a type that holds itself": (raw(RECURSIVE, [(1, b"\x00")]), "AVRO_NOT_READ"),
    "a list of nothing": (raw(table(a={"type": "array", "items": "null"}), [(1, b"\x00")]), "AVRO_NOT_READ"),
    "a column of several types": (raw(table(a=["string", "long"]), [(1, b"\x00\x00")]), "AVRO_NOT_READ"),
    "values that are no rows": (raw("string", [(1, b"\x00")]), "AVRO_NOT_READ"),
    "no schema": (raw({"type": "what"}, []), "BROKEN_AVRO"),
    "more records than bytes": (raw(table(s="string"), [(2**40, b"\x00")]), "BROKEN_AVRO"),
    "fewer records than bytes": (raw(table(s="string"), [(1, b"\x02a\x02b")]), "BROKEN_AVRO"),
    "a negative count": (raw(table(s="string"), [(-1, b"\x02a")]), "BROKEN_AVRO"),
    "text that is no UTF-8": (raw(table(s="string"), [(1, b"\x02\xff")]), "BROKEN_AVRO"),
    "a string longer than its block": (raw(table(s="string"), [(1, b"\xfe\xff\xff\xff\x0fa")]), "BROKEN_AVRO"),
    "a year that no calendar has": (raw(table(t=INSTANT), [(1, b"\xfe" + b"\xff" * 8 + b"\x01")]), "BROKEN_AVRO"),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_what_no_unload_holds_is_refused_by_its_code(work: Path, name: str) -> None:
    """Bombs, loops and lies of a file end in a sentence with its name, and nothing is left behind."""
    content, code = HOSTILE[name]
    with pytest.raises(InputError, match=r"part\.avro") as caught:
        read(content, work, Limits(max_ratio=10**9))  # by the block's own limit, not by that of the file
    assert caught.value.code == code
    assert [path.name for path in work.iterdir()] == ["part.avro"]


def test_the_sum_of_blocks_is_bounded_too(work: Path) -> None:
    """Many small blocks that inflate to more than the limit are stopped in mid-air."""
    content = packed(table(s="string"), [{"s": "x" * 10_000}] * 200, "deflate")
    with pytest.raises(InputError, match="INFLATES_TOO_MUCH"):
        read(content, work, Limits(max_ratio=20, ratio_free_bytes=100_000))


def test_memory_is_a_block_whatever_the_size(work: Path) -> None:
    """Ten times the rows take the same memory."""
    peaks = []
    for rows in (2_000, 20_000):
        content = packed(table(s="string"), [{"s": f"{number:0500d}"} for number in range(rows)], "deflate")
        path = work / "part.avro"
        path.write_bytes(content)
        del content
        tracemalloc.start()
        part = as_json_lines(path, "part.avro", work, DEFAULT_LIMITS)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
        assert isinstance(part, FilePart)
        assert scan(part).records == rows
    assert peaks[1] < 1.5 * peaks[0]


def test_a_shard_without_rows_is_no_error(tmp_path: Path, work: Path) -> None:
    """BigQuery may write a file that has a schema and no row: it is left out, and told."""
    path = tmp_path / "empty.avro"
    path.write_bytes(packed(table(s="string"), [], "null"))
    for paths in ([path], [tmp_path]):
        found = discover(paths, work)
        assert (found.parts, found.refused) == ((), ())
        assert [(each.path, each.reason) for each in found.ignored] == [(path, IgnoredReason.EMPTY_FILE)]


@pytest.mark.parametrize("module", ["fastavro", "cramjam"])
def test_without_the_extra_it_is_told_what_to_install(work: Path, module: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A local Avro file without the packages is refused with the command that installs them; the rest goes on."""
    content = packed(table(s="string"), [{"s": "x"}], "snappy")
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(InputError, match="AVRO_NOT_READ") as caught:
        read(content, work)
    assert "pip install 'offgridflow[gcp]'" in caught.value.action
