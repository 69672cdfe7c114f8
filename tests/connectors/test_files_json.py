"""Laws of JSON lines: found by content, counted line by line, refused where a line is no object."""

import gzip
import json
from pathlib import Path

import pytest

from offgridflow.connectors.files import discover, scan
from offgridflow.connectors.model import Compression, FileKind, Limits
from offgridflow.domain.errors import InputError
from support.exports import gcp_line

LINES = [json.dumps(gcp_line("2025-05", "0.1", day)).encode() for day in (1, 2, 3)]


@pytest.fixture
def work(tmp_path: Path) -> Path:
    """Return a folder for unpacked files."""
    folder = tmp_path / "work"
    folder.mkdir()
    return folder


@pytest.mark.parametrize("pack", [False, True])
@pytest.mark.parametrize("end", [b"\n", b"\r\n"])
def test_lines_are_counted_whatever_the_packing(tmp_path: Path, work: Path, end: bytes, *, pack: bool) -> None:
    """Named as anything, packed or not, with a BOM, blank lines and no last line end: three lines and their names."""
    content = b"\xef\xbb\xbf" + end.join([LINES[0], b"", *LINES[1:]])
    path = tmp_path / "000000000000"
    path.write_bytes(gzip.compress(content) if pack else content)
    [part] = discover([path], work).parts
    assert (part.kind, part.compression) == (FileKind.JSON, Compression.GZIP if pack else Compression.NONE)
    found = scan(part)
    assert (found.records, found.size_bytes) == (3, len(content))
    assert {"service.id", "usage.amount", "labels", "invoice.month"} <= set(found.header.columns)


def test_fields_that_come_late_are_found(tmp_path: Path, work: Path) -> None:
    """A field that is null in the first lines is left out of them by BigQuery, and counts as a column all the same."""
    late = json.dumps({"a": 1, "b": {"c": 2}}).encode()
    path = tmp_path / "late.json"
    path.write_bytes(b"\n".join([b'{"a": 1}'] * 500 + [late]))
    [part] = discover([path], work).parts
    assert scan(part).header.columns == ("a", "b", "b.c")


@pytest.mark.parametrize(
    ("content", "code", "line"),
    [
        (LINES[0] + b"\n" + LINES[1][:100], "BAD_JSON", 2),
        (LINES[0] + b"\n[1, 2]\n", "BAD_JSON", 2),
        (b"{}\n" * 1500 + LINES[1][:100], "BAD_JSON", 1501),
        (b"{}\n" * 1999 + b"\0\n", "NOT_TEXT", 2000),
        (b'{"a": "' + b"x" * 5000 + b'"}\n', "LINE_TOO_LONG", 1),
    ],
)
def test_what_is_no_line_of_json_is_refused_with_its_number(
    tmp_path: Path, work: Path, content: bytes, code: str, line: int
) -> None:
    """A cut, foreign or endless line is named with file and line, and nothing of the file is used."""
    path = tmp_path / "bill.jsonl"
    path.write_bytes(content)
    [part] = discover([path], work).parts
    with pytest.raises(InputError, match=rf"bill\.jsonl, line {line}:") as caught:
        scan(part, Limits(max_line_bytes=4000))
    assert caught.value.code == code


def test_a_json_file_of_a_folder_is_a_bill_by_its_content(tmp_path: Path, work: Path) -> None:
    """Among files of a folder .json is a side file (schemas, notes), unless its first line is one of a bill."""
    folder = tmp_path / "bills"
    folder.mkdir()
    (folder / "000.json").write_bytes(b"\n".join(LINES))
    (folder / "schema.json").write_text('{"fields": []}')
    (folder / "notes.json").write_text("{\n}")
    assert [Path(part.name).name for part in discover([folder], work).parts] == ["000.json"]
