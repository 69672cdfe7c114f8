"""The scan of one file: what it counts, what it refuses, and that its memory is bounded."""

import csv
import gzip
import hashlib
import io
import subprocess
import sys
import zlib
from collections.abc import Callable
from pathlib import Path

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from offgridflow.connectors.files import discover, header_of, scan, without_duplicates
from offgridflow.connectors.files.records import RecordCounter
from offgridflow.connectors.model import FileKind, FilePart, Limits, PartScan
from offgridflow.domain.errors import InputError

FOCUS = Path(__file__).parents[2] / "../shared/inputs/focus/focus-1.0-sample.csv"
Write = Callable[[str, bytes], FilePart]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Write a file and discover it: exactly one part."""

    def write_part(name: str, content: bytes) -> FilePart:
        path = tmp_path / name
        path.write_bytes(content)
        found = discover([path], tmp_path)
        assert found.refused == ()
        (part,) = found.parts
        return part

    return write_part


def write_parquet(path: Path, query: str) -> None:
    relation = duckdb.sql(query)
    assert relation is not None
    relation.write_parquet(str(path))


def refusal(part: FilePart, limits: Limits | None = None) -> InputError:
    """Scan a part that must be refused; the error names the file."""
    with pytest.raises(InputError) as caught:
        scan(part, limits or Limits())
    assert part.name in caught.value.sentence
    assert caught.value.action
    return caught.value


def scan_bytes(tmp_path: Path, content: bytes) -> PartScan:
    path = tmp_path / "content.csv"
    path.write_bytes(content)
    return scan(FilePart(path, "content.csv", FileKind.CSV))


def test_a_gzip_copy_has_the_digest_of_its_content(write: Write) -> None:
    """Digest, size, records and columns are those of the decompressed content, whatever the packing."""
    content = b"a,b\n1,2\n3,4\n"
    plain, packed = scan(write("x.csv", content)), scan(write("x.csv.gz", gzip.compress(content)))
    assert plain == packed
    assert plain.digest == hashlib.sha256(content).hexdigest()
    assert (plain.size_bytes, plain.records, plain.header.columns) == (12, 2, ("a", "b"))
    assert plain.header.first_row == ("1", "2")


def test_members_of_a_gzip_count_together(write: Write) -> None:
    """A gzip of several members, with zero padding after them, is one content."""
    packed = gzip.compress(b"a,b\n1,2\n") + gzip.compress(b"3,4\n") + b"\0" * 512
    assert scan(write("x.gz", packed)).records == 2


@pytest.mark.parametrize(
    ("content", "records"),
    [
        (b"a,b\n", 0),
        (b"a,b", 0),
        (b"a,b\n1,2", 1),
        (b"a,b\r\n1,2\r\n\r\n3,4", 2),
        (b"\xef\xbb\xbfa,b\n1,2\n\n\n", 1),
        (b'a,b\n1,"x\ny"\n', 1),
        (b'a,b\n1,"x""\n""y"\n3,4\n', 2),
        (b'a,b\n5",2\n6,"q\nr"\n', 2),
        (b'a,b\n5" d,2\n"x",3\n', 2),
        (b'a,b\n5","multi\nline"\n3,"x\ny"\n', 2),
        (b"a\n1\n\n2\n", 3),
        (b"\n\na,b\n1,2\n", 1),
        (b"a;b\n1;2\n", 1),
        (b'a\tb\n1\t"x\ty\n"\n', 1),
    ],
)
def test_records_are_counted_as_duckdb_reads_them(tmp_path: Path, content: bytes, records: int) -> None:
    """Line ends in quotes, blank lines, a byte order mark and a last line without an end: our count is DuckDB's."""
    found = scan_bytes(tmp_path, content)
    assert found.records == records
    rows = duckdb.read_csv(
        str(tmp_path / "content.csv"),
        all_varchar=True,
        header=True,
        delimiter=found.header.delimiter,
        quotechar='"',
        escapechar='"',
    ).fetchall()
    assert len(rows) == records


CELL = st.text(alphabet='ab1 ,"\n;é', max_size=6)


@settings(max_examples=60, deadline=None)
@given(
    rows=st.lists(st.tuples(CELL, CELL, CELL), max_size=8),
    line_end=st.sampled_from(["\n", "\r\n"]),
    quoting=st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]),
    cut=st.integers(min_value=1, max_value=7),
)
def test_any_written_rows_are_counted(rows: list[tuple[str, ...]], line_end: str, quoting: int, cut: int) -> None:
    """Rows as a CSV writer writes them are counted one by one, wherever the pieces of the stream are cut."""
    stream = io.StringIO(newline="")
    writer = csv.writer(stream, lineterminator=line_end, quoting=csv.QUOTE_ALL if quoting else csv.QUOTE_MINIMAL)
    writer.writerows([("x", "y", "z"), *rows])
    content = stream.getvalue().encode()
    counter = RecordCounter("rows.csv", Limits(), columns=3)
    for start in range(0, len(content), cut):
        counter.feed(content[start : start + cut])
    counter.finish()
    assert counter.records == len(rows) + 1
    longest = max(len(record.encode()) for record in content_records(content.decode(), line_end))
    assert counter.longest_bytes - longest in {0, 1}  # the carriage return of a Windows line end


def content_records(text: str, line_end: str) -> list[str]:
    """Split a text into records with a parser of another make: one character at a time."""
    records, record, inside = [], "", False
    for character in text.removesuffix(line_end) + "\n":
        inside ^= character == '"'
        if character == "\n" and not inside:
            records.append(record.removesuffix("\r"))
            record = ""
        else:
            record += character
    return records


@pytest.mark.inputs
@pytest.mark.skipif(not FOCUS.exists(), reason="../shared/inputs is absent")
def test_the_real_focus_sample_is_counted() -> None:
    """The real FOCUS sample holds 1000 records."""
    found = scan(FilePart(FOCUS, "focus", FileKind.CSV))
    assert (found.records, len(found.header.columns)) == (1000, 44)


def test_changed_column_order_is_read_as_it_is(write: Write) -> None:
    """The header is reported in the file's own order, first row beside it."""
    header = header_of(write("x.csv", b'b ,"a"\n2,1\n'))
    assert header.columns == ("b", "a")
    assert header.first_row == ("2", "1")


def test_parquet_is_counted_from_its_footer(tmp_path: Path) -> None:
    """Records and top-level columns come from the footer, the digest is that of the file."""
    path = tmp_path / "x.bin"
    write_parquet(path, "SELECT i AS n, MAP {'k': 'v'} AS tags FROM range(1234) AS r (i)")
    (part,) = discover([path], tmp_path).parts
    found = scan(part)
    assert (part.kind, found.records, found.header.columns) == (FileKind.PARQUET, 1234, ("n", "tags"))
    assert found.digest == hashlib.sha256(path.read_bytes()).hexdigest()


def parquet_bytes(tmp_path: Path) -> bytes:
    path = tmp_path / "whole.parquet"
    write_parquet(path, "SELECT i AS n, 'x' || i AS s FROM range(5000) AS r (i)")
    return path.read_bytes()


def test_a_cut_parquet_is_refused(tmp_path: Path, write: Write) -> None:
    """A Parquet file without its end, or whose middle is gone, is CUT_PARQUET; a damaged footer is BROKEN_PARQUET."""
    whole = parquet_bytes(tmp_path)
    assert refusal(write("end.parquet", whole[:-50])).code == "CUT_PARQUET"
    assert refusal(write("head.parquet", whole[:4])).code == "CUT_PARQUET"
    footer = int.from_bytes(whole[-8:-4], "little") + 8
    assert refusal(write("middle.parquet", whole[:4] + whole[-footer:])).code == "CUT_PARQUET"
    assert refusal(write("junk.parquet", whole[:-8] + b"\xff\xff\xff\x7fPAR1")).code == "BROKEN_PARQUET"
    assert refusal(write("secret.parquet", whole[:-4] + b"PARE")).code == "ENCRYPTED_PARQUET"


def test_a_parquet_of_run_lengths_is_refused(tmp_path: Path, write: Write) -> None:
    """Parquet that claims far more rows than its bytes can hold is refused before anybody reads it."""
    path = tmp_path / "bomb.parquet"
    write_parquet(path, "SELECT 1 AS n FROM range(2_000_000)")
    part = write("copy.parquet", path.read_bytes())
    assert scan(part).records == 2_000_000
    assert refusal(part, Limits(max_rows_per_byte=1)).code == "INFLATES_TOO_MUCH"


def test_a_cut_or_broken_gzip_is_refused(write: Write) -> None:
    """A gzip that ends early, has another CRC or another length is refused, whatever its content looks like."""
    packed = gzip.compress(b"a,b\n" + b"1,2\n" * 5000)
    assert refusal(write("cut.gz", packed[:-12])).code == "CUT_GZIP"
    assert refusal(write("trailer.gz", packed[:-4])).code == "CUT_GZIP"
    crc = bytes([packed[-8] ^ 1])
    assert refusal(write("crc.gz", packed[:-8] + crc + packed[-7:])).code == "BROKEN_GZIP"
    assert refusal(write("length.gz", packed[:-1] + bytes([packed[-1] ^ 1]))).code == "BROKEN_GZIP"
    assert refusal(write("garbage.gz", packed + b"more")).code == "BROKEN_GZIP"


def test_a_gzip_bomb_stops_while_inflating(write: Write) -> None:
    """Past the free part, a content more than max_ratio times its file is refused, and before it is all inflated."""
    limits = Limits(ratio_free_bytes=2**20, max_ratio=100)
    part = write("bomb.gz", gzip.compress(b"a,b\n" + b"1,2\n" * 4_000_000))
    seen: list[int] = []
    with pytest.raises(InputError) as caught:
        scan(part, limits, on_bytes=seen.append)
    assert caught.value.code == "INFLATES_TOO_MUCH"
    assert sum(seen) < 4 * 2**20
    assert refusal(part, Limits(max_inflated_bytes=2**21)).code == "INFLATES_TOO_MUCH"
    assert scan(write("calm.gz", gzip.compress(b"a,b\n" + b"1,2\n" * 1000)), limits).records == 1000


def test_text_that_is_none_is_refused(write: Write) -> None:
    """Many NUL bytes, a header that is not UTF-8, bare carriage returns and open quotes are named with their line."""
    nul = refusal(write("nul.csv", b"a,b\n" + b"1,2\n" * 3000 + b"\0" * 200 + b",3\n"))
    assert (nul.code, "line 3002" in nul.sentence) == ("NOT_TEXT", True)
    assert refusal(write("latin.csv", "größe,b\n1,2\n".encode("latin-1"))).code == "NOT_UTF8"
    assert refusal(write("mac.csv", b"a,b\r1,2\r3,4\r")).code == "BAD_LINE_ENDS"
    quote = refusal(write("quote.csv", b'a,b\n1,2\n3,"x\n4,5\n'))
    assert (quote.code, "line 3" in quote.sentence) == ("OPEN_QUOTE", True)


def test_a_manifest_that_counts_otherwise_is_a_mismatch(tmp_path: Path) -> None:
    """Where the manifest gives a count it must be ours."""
    (tmp_path / "x.csv").write_bytes(b"a,b\n1,2\n")
    part = FilePart(tmp_path / "x.csv", "x.csv", FileKind.CSV, expected_records=2)
    assert refusal(part).code == "MANIFEST_MISMATCH"


def test_equal_content_counts_once(write: Write) -> None:
    """A CSV and its gzip copy are one part; a part of other content is kept."""
    parts = [write("x.csv", b"a,b\n1,2\n"), write("x.gz", gzip.compress(b"a,b\n1,2\n")), write("y.csv", b"a,b\n1,3\n")]
    assert without_duplicates([(part, scan(part)) for part in parts]) == ([0, 2], [1])


def test_the_longest_record_is_measured_across_lines(write: Write) -> None:
    """The limit holds for a record, line breaks inside quotes included; the error names the line where it begins."""
    limits = Limits(max_line_bytes=100)
    content = b'a,b\n1,2\n3,"' + b"x\n" * 80 + b'"\n'
    error = refusal(write("long.csv", content), limits)
    assert (error.code, "line 3" in error.sentence) == ("LINE_TOO_LONG", True)
    assert scan(write("fits.csv", b'a,b\n3,"' + b"x\n" * 30 + b'"\n'), limits).longest_record_bytes == 64
    assert refusal(write("plain.csv", b"a,b\n" + b"z" * 101 + b"\n1,2\n"), limits).code == "LINE_TOO_LONG"
    line = refusal(write("third.csv", b"a,b\n1,2\n" + b"z" * 101 + b"\n" + b"y" * 99 + b"\n"), limits)
    assert "line 3" in line.sentence


MEASURE = """
import resource, sys
from pathlib import Path
from offgridflow.connectors.files import discover, scan
from offgridflow.connectors.model import FileKind, Compression, FilePart
from offgridflow.domain.errors import InputError
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
try:
    scan(FilePart(Path(sys.argv[1]), "long", FileKind.CSV, Compression(sys.argv[2])))
except InputError as error:
    print(error.code, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""


def write_long_line(path: Path, size_bytes: int) -> None:
    """Write a gzip of a header and one line of ``size_bytes`` without holding it."""
    packer = zlib.compressobj(1, wbits=31)
    with path.open("wb") as stream:
        stream.write(packer.compress(b"a,b\n1,"))
        piece = b"x" * 2**20
        for _ in range(size_bytes // len(piece)):
            stream.write(packer.compress(piece))
        stream.write(packer.flush())


@pytest.mark.parametrize("size_mib", [50, 1024])
def test_a_giant_line_is_refused_in_bounded_memory(tmp_path: Path, size_mib: int) -> None:
    """A single line of 50 MB or of 1 GB is LINE_TOO_LONG, and the process grows by less than 150 MiB."""
    path = tmp_path / "long.gz"
    write_long_line(path, size_mib * 2**20)
    done = subprocess.run(
        [sys.executable, "-c", MEASURE, str(path), "gzip"], check=True, capture_output=True, text=True
    )
    code, grown_kib = done.stdout.split()
    assert code == "LINE_TOO_LONG"
    assert int(grown_kib) < 150 * 1024


def test_a_giant_plain_line_is_refused_in_bounded_memory(tmp_path: Path) -> None:
    """The same for an uncompressed line of 1 GB (a sparse file would be NUL bytes, so 60 MB of letters stand first)."""
    path = tmp_path / "long.csv"
    with path.open("wb") as stream:
        stream.write(b"a,b\n")
        for _ in range(60):
            stream.write(b"x" * 10**6)
        stream.truncate(10**9)
    done = subprocess.run(
        [sys.executable, "-c", MEASURE, str(path), "none"], check=True, capture_output=True, text=True
    )
    code, grown_kib = done.stdout.split()
    assert code == "LINE_TOO_LONG"
    assert int(grown_kib) < 150 * 1024
