"""What is found in files and folders: kinds by content, manifests obeyed, archives bounded, nothing silent."""

import gzip
import io
import json
import os
import struct
import zipfile
from collections.abc import Sequence
from pathlib import Path

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from offgridflow.connectors.files import discover, scan
from offgridflow.connectors.model import Compression, Discovery, FileKind, IgnoredReason, Limits
from offgridflow.domain.errors import UsageError

INPUTS = Path(__file__).parents[2] / "../shared/inputs"
CSV = b"a,b\n1,2\n"
RUN = "2025-06-{day}T20:16:37.306Z-3695a728-8cf2-4f24-8d2a-ffc97b55248{day}"


@pytest.fixture
def work(tmp_path: Path) -> Path:
    """Return a work folder beside the data."""
    folder = tmp_path / "work"
    folder.mkdir()
    return folder


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Return a folder for the data."""
    folder = tmp_path / "data"
    folder.mkdir()
    return folder


def put(path: Path, content: bytes = CSV) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


def put_manifest(path: Path, content: object) -> Path:
    return put(path, json.dumps(content).encode())


def names(found: Discovery, root: Path) -> list[str]:
    return [str(Path(part.name).relative_to(root)) for part in found.parts]


def left_out(found: Discovery, root: Path) -> dict[str, IgnoredReason]:
    return {str(ignored.path.relative_to(root)): ignored.reason for ignored in found.ignored}


def codes(found: Discovery) -> list[str]:
    return [refused.error.code for refused in found.refused]


def zipped(members: Sequence[tuple[str, bytes]]) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members:
            archive.writestr(name, content)
    return stream.getvalue()


def parquet(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    relation = duckdb.sql("SELECT 1 AS a")
    assert relation is not None
    relation.write_parquet(str(path))
    return path


def test_kind_comes_from_content_not_from_the_name(data: Path, work: Path) -> None:
    """Parquet named .csv, gzip named .dat and CSV named .parquet are what they hold."""
    parquet(data / "a.csv")
    put(data / "b.dat", gzip.compress(CSV))
    put(data / "c.parquet")
    found = discover([data], work)
    assert [(part.kind, part.compression) for part in found.parts] == [
        (FileKind.PARQUET, Compression.NONE),
        (FileKind.CSV, Compression.GZIP),
        (FileKind.CSV, Compression.NONE),
    ]


def test_order_is_fixed_and_a_file_counts_once(data: Path, work: Path) -> None:
    """Parts are sorted by name, and a file that is given twice, alone and in its folder, is one part."""
    second, first = put(data / "b.csv"), put(data / "a" / "z.csv")
    assert names(discover([second, data, first, second], work), data) == ["a/z.csv", "b.csv"]


def test_what_a_folder_holds_beside_data_is_reported(data: Path, work: Path) -> None:
    """Hidden and side files, links and empty files are left out with their reason; nothing else is."""
    put(data / "a.csv")
    put(data / ".DS_Store")
    put(data / ".git" / "x.csv")
    put(data / "create.sql")
    put(data / "crawler.yml")
    put(data / "other.json", b"{}")
    put(data / "cost_and_usage_data_status" / "status.parquet")
    put(data / "empty.csv", b"")
    put(data / "empty.csv.gz", gzip.compress(b""))
    (data / "link.csv").symlink_to("/etc/passwd")
    (data / "loop").symlink_to(data)
    found = discover([data], work)
    assert names(found, data) == ["a.csv", "empty.csv.gz"]
    assert left_out(found, data) == {
        ".DS_Store": IgnoredReason.HIDDEN,
        ".git": IgnoredReason.HIDDEN,
        "create.sql": IgnoredReason.SIDE_FILE,
        "crawler.yml": IgnoredReason.SIDE_FILE,
        "other.json": IgnoredReason.SIDE_FILE,
        "cost_and_usage_data_status": IgnoredReason.SIDE_FILE,
        "empty.csv": IgnoredReason.EMPTY_FILE,
        "link.csv": IgnoredReason.SYMLINK,
        "loop": IgnoredReason.SYMLINK,
    }
    assert found.refused == ()


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"", "EMPTY_FILE"),
        (b"\x28\xb5\x2f\xfd....", "UNKNOWN_CONTENT"),
        (b"\x89PNG\r\n\x1a\n", "UNKNOWN_CONTENT"),
        ("a,b\n1,2\n".encode("utf-16"), "UNKNOWN_CONTENT"),
        (b"a,b\n\x00\x01\x02", "UNKNOWN_CONTENT"),
        (b"\x1f\x8b\x08junkjunkjunk", "BROKEN_GZIP"),
        (gzip.compress(gzip.compress(CSV)), "NESTED_ARCHIVE"),
        (gzip.compress(zipped([("a.csv", CSV)])), "NESTED_ARCHIVE"),
        (zipped([("a.zip", zipped([("b.csv", CSV)]))]), "NESTED_ARCHIVE"),
        (zipped([("a.csv.gz", gzip.compress(CSV))]), "NESTED_ARCHIVE"),
        (zipped([("a.csv", CSV)])[:-10], "BROKEN_ZIP"),
        (zipped([("a.bin", b"\0\0")]), "UNKNOWN_CONTENT"),
        (zipped([("a.csv", b"")]), "EMPTY_FILE"),
    ],
)
def test_a_file_that_is_no_export_is_refused_by_name(data: Path, work: Path, content: bytes, code: str) -> None:
    """What is neither CSV nor Parquet, nor packed once, is refused with its name, and leaves nothing behind."""
    path = put(data / "x.csv", content)
    found = discover([path], work)
    assert (codes(found), found.parts) == ([code], ())
    assert str(path) in found.refused[0].error.sentence
    assert list(work.iterdir()) == []


def test_a_missing_path_is_wrong_usage(data: Path, work: Path) -> None:
    """A path that does not exist is an error of the command line, and a pipe is refused instead of waited for."""
    with pytest.raises(UsageError, match="NO_SUCH_PATH"):
        discover([data / "none"], work)
    os.mkfifo(data / "pipe")
    assert codes(discover([data], work)) == ["NOT_A_FILE"]


def test_names_that_look_like_patterns_are_opened_as_files(data: Path, work: Path) -> None:
    """A file named with wildcard characters is given under a path of ours, so that no engine reads its neighbours."""
    put(data / "b1.csv")
    put(data / "b[0-9]*.csv", b"a,b\n")
    found = discover([data], work)
    assert not set("*?[") & set("".join(str(part.path) for part in found.parts))
    assert [scan(part).records for part in found.parts] == [1, 0]
    assert discover([data], work) == found


def test_zip_members_become_files_of_ours(data: Path, work: Path) -> None:
    """Members are written under their digest, whatever their path says; side members give no part."""
    members = [("../../evil.csv", CSV), ("/abs/b.csv", b"a,b\n3,4\n"), ("__MACOSX/._b.csv", b"\0"), ("empty.csv", b"")]
    path = put(data / "cur.zip", zipped(members))
    found = discover([path], work)
    assert [part.name for part in found.parts] == [f"{path}!../../evil.csv", f"{path}!/abs/b.csv"]
    assert {part.path.parent for part in found.parts} == {work}
    assert [scan(part).records for part in found.parts] == [1, 1]
    assert [part.path.stem for part in found.parts] == [scan(part).digest for part in found.parts]
    assert not (data.parent / "evil.csv").exists()


@settings(max_examples=40, deadline=None)
@given(name=st.text(st.characters(exclude_characters="\0"), min_size=1, max_size=30))
def test_no_member_name_leaves_the_work_folder(name: str, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Whatever a member is called, nothing is written outside of the work folder; names end at a NUL."""
    root = tmp_path_factory.mktemp("zip")
    (root / "work").mkdir()
    try:
        content = zipped([(name, CSV)])
    except (ValueError, UnicodeEncodeError):
        return
    put(root / "x.zip", content)
    discover([root / "x.zip"], root / "work")
    assert {entry.name for entry in root.iterdir()} == {"work", "x.zip"}
    assert all(entry.suffix == ".csv" for entry in (root / "work").iterdir())


def test_a_zip_bomb_is_stopped_while_it_inflates(data: Path, work: Path) -> None:
    """Ratio, size and member caps hold over the whole archive, and what was written is gone again."""
    path = put(data / "bomb.zip", zipped([("a.csv", b"a,b\n" + b"1,2\n" * 2_000_000)]))
    for limits in (Limits(ratio_free_bytes=2**20, max_ratio=100), Limits(max_inflated_bytes=2**20)):
        found = discover([path], work, limits)
        assert (codes(found), list(work.iterdir())) == (["INFLATES_TOO_MUCH"], [])
    many = put(data / "many.zip", zipped([(f"{number}.csv", CSV) for number in range(11)]))
    assert codes(discover([many], work, Limits(max_archive_members=10))) == ["TOO_MANY_MEMBERS"]


def test_a_locked_or_lying_zip_is_refused(data: Path, work: Path) -> None:
    """A member with a password is ENCRYPTED_ZIP; a member whose CRC is wrong is BROKEN_ZIP."""
    whole = bytearray(zipped([("a.csv", CSV * 100)]))
    directory = whole.rindex(b"PK\x01\x02")
    flags = struct.unpack_from("<H", whole, directory + 8)[0]
    locked = bytearray(whole)
    struct.pack_into("<H", locked, directory + 8, flags | 1)
    assert codes(discover([put(data / "locked.zip", bytes(locked))], work)) == ["ENCRYPTED_ZIP"]
    struct.pack_into("<I", whole, directory + 16, 12345)
    assert codes(discover([put(data / "crc.zip", bytes(whole))], work)) == ["BROKEN_ZIP"]


def data_exports(data: Path, days: Sequence[str], *, manifest_on_top: str | None = None) -> Path:
    """Lay out a create-new Data Export with a run per day; keys have doubled slashes and colons as AWS writes them."""
    export = data / "cost" / "exp"
    for day in days:
        run = RUN.format(day=day)
        keys = [f"s3://bucket/cost//exp/data/BILLING_PERIOD=2025-06/{run}/exp-{part:05d}.csv.gz" for part in (1, 2)]
        for part, key in enumerate(keys, start=1):
            content = gzip.compress(f"a,b\n{day},{part}\n".encode())
            put(export / "data/BILLING_PERIOD=2025-06" / run / key.rpartition("/")[2], content)
        manifest = {"executionId": run, "dataFiles": keys, "columns": []}
        put_manifest(export / "metadata/BILLING_PERIOD=2025-06" / run / "exp-Manifest.json", manifest)
        if day == manifest_on_top:
            put_manifest(export / "metadata/BILLING_PERIOD=2025-06/exp-Manifest.json", manifest)
    return export


@pytest.mark.parametrize("on_top", [None, "09"])
def test_the_newest_run_of_a_data_export_wins(data: Path, work: Path, on_top: str | None) -> None:
    """Of several runs only the newest counts, by the manifest on top or else by the time in the run's name."""
    data_exports(data, ["09", "01"], manifest_on_top=on_top)
    found = discover([data], work)
    newest = RUN.format(day="09")
    assert found.refused == ()
    assert [Path(part.name).parent.name for part in found.parts] == [newest, newest]
    assert len({part.delivery for part in found.parts}) == 1
    superseded = [path for path, reason in left_out(found, data).items() if reason is IgnoredReason.SUPERSEDED]
    assert len(superseded) == 2


def test_parts_that_a_manifest_does_not_list_are_left_over(data: Path, work: Path) -> None:
    """In overwrite mode old chunks stay behind: only what the manifest lists is taken, the rest is reported."""
    folder = data / "exp/data/BILLING_PERIOD=2025-06"
    put(folder / "exp-00001.csv.gz", gzip.compress(CSV))
    put(folder / "exp-00002.csv.gz", gzip.compress(b""))
    put(data / "exp/data/BILLING_PERIOD=2025-05/exp-00001.csv.gz", gzip.compress(CSV))
    key = "exp/data/BILLING_PERIOD=2025-06/exp-00001.csv.gz"
    put_manifest(data / "exp/metadata/BILLING_PERIOD=2025-06/exp-Manifest.json", {"dataFiles": [key]})
    found = discover([data], work)
    assert names(found, data) == [
        "exp/data/BILLING_PERIOD=2025-05/exp-00001.csv.gz",
        "exp/data/BILLING_PERIOD=2025-06/exp-00001.csv.gz",
    ]
    assert left_out(found, data)["exp/data/BILLING_PERIOD=2025-06/exp-00002.csv.gz"] is IgnoredReason.NOT_LISTED


def test_a_missing_part_refuses_the_delivery_and_no_other(data: Path, work: Path) -> None:
    """A month with a missing file gives no part at all, not even one of another month with the same name."""
    for month in ("05", "06"):
        keys = [f"exp/data/BILLING_PERIOD=2025-{month}/exp-{part:05d}.csv.gz" for part in (1, 2)]
        for key in keys:
            put(data / key, gzip.compress(CSV))
        put_manifest(data / f"exp/metadata/BILLING_PERIOD=2025-{month}/exp-Manifest.json", {"dataFiles": keys})
    (data / "exp/data/BILLING_PERIOD=2025-06/exp-00002.csv.gz").unlink()
    found = discover([data], work)
    assert names(found, data) == [f"exp/data/BILLING_PERIOD=2025-05/exp-0000{part}.csv.gz" for part in (1, 2)]
    assert codes(found) == ["MISSING_PART"]
    assert "exp-00002.csv.gz" in found.refused[0].error.sentence
    kept_back = left_out(found, data)["exp/data/BILLING_PERIOD=2025-06/exp-00001.csv.gz"]
    assert kept_back is IgnoredReason.INCOMPLETE_DELIVERY


def test_legacy_cur_reads_its_newest_assembly(data: Path, work: Path) -> None:
    """Create-new legacy CUR: the manifest beside the assemblies names the current one; ZIP parts are unpacked."""
    period = data / "report/20250601-20250701"
    for assembly, value in (("20250602T000000Z", 1), ("20250609T000000Z", 2)):
        put(period / assembly / "report-1.csv.zip", zipped([("report-1.csv", f"a,b\n{value},2\n".encode())]))
        keys = [f"/report/20250601-20250701/{assembly}/report-1.csv.zip"]
        put_manifest(period / assembly / "report-Manifest.json", {"assemblyId": assembly, "reportKeys": keys})
        put_manifest(period / "report-Manifest.json", {"assemblyId": assembly, "reportKeys": keys})
    found = discover([data], work)
    (part,) = found.parts
    assert part.path.read_bytes() == b"a,b\n2,2\n"
    assert "20250609T000000Z/report-1.csv.zip!report-1.csv" in part.name


def test_athena_parts_are_found_in_their_month(data: Path, work: Path) -> None:
    """Athena layout: the same file name stands in every month; each manifest gets its own."""
    for month in (6, 7):
        key = f"report/report/year=2025/month={month}/report-00001.snappy.parquet"
        parquet(data / key)
        period = f"20250{month}01-20250{month + 1}01"
        put_manifest(data / "report" / period / "report-Manifest.json", {"reportKeys": [key]})
    assert len(discover([data], work).parts) == 2
    (data / "report/report/year=2025/month=7/report-00001.snappy.parquet").unlink()
    found = discover([data], work)
    assert names(found, data) == ["report/report/year=2025/month=6/report-00001.snappy.parquet"]
    assert codes(found) == ["MISSING_PART"]


def test_azure_takes_the_run_that_was_submitted_last(data: Path, work: Path) -> None:
    """Azure: of two runs of a month the newest ``submittedTime`` counts, with the row counts of its blobs."""
    period = data / "export/20250601-20250630"
    for guid, day in (("0" * 8, 2), ("f" * 8, 1)):
        run = f"{guid}-8cf2-4f24-8d2a-ffc97b552489"
        put(period / run / "part_0_0001.csv", f"a,b\n{day},2\n".encode())
        blob = {"blobName": f"dir/export/20250601-20250630/{run}/part_0_0001.csv", "dataRowCount": 1}
        info = {"submittedTime": f"2025-07-0{day}T03:04:05.1234567Z"}
        put_manifest(period / run / "manifest.json", {"blobCount": 1, "blobs": [blob], "runInfo": info})
    (part,) = discover([data], work).parts
    assert part.path.read_bytes() == b"a,b\n2,2\n"
    assert part.expected_records == 1


def test_an_azure_run_without_rows_is_no_error(data: Path, work: Path) -> None:
    """``blobCount`` null is a month without rows: no part and no error."""
    put_manifest(data / "export/20250601-20250630/manifest.json", {"blobCount": None, "runInfo": {}})
    found = discover([data], work)
    assert (found.parts, found.refused) == ((), ())


def test_csv_and_parquet_of_one_delivery_are_the_same_lines(data: Path, work: Path) -> None:
    """Where a manifest lists both kinds, Parquet is taken, or CSV where only the CSV files are there."""
    period = data / "report/20250601-20250701"
    put(period / "report-1.csv.gz", gzip.compress(CSV))
    file = parquet(period / "report-1.snappy.parquet")
    keys = [f"report/20250601-20250701/report-1.{end}" for end in ("csv.gz", "snappy.parquet")]
    put_manifest(period / "report-Manifest.json", {"reportKeys": keys})
    found = discover([data], work)
    assert [part.kind for part in found.parts] == [FileKind.PARQUET]
    assert left_out(found, data)["report/20250601-20250701/report-1.csv.gz"] is IgnoredReason.OTHER_KIND
    file.unlink()
    found = discover([data], work)
    assert ([part.kind for part in found.parts], found.refused) == ([FileKind.CSV], ())


def test_files_beside_their_manifest_are_matched_by_name(data: Path, work: Path) -> None:
    """Downloaded flat into one folder, listed files are found by their name; a stranger beside them is left over."""
    put(data / "exp-00001.csv")
    put(data / "stranger.csv")
    put_manifest(data / "exp-Manifest.json", {"dataFiles": ["s3://b/p/exp/data/BILLING_PERIOD=2025-06/exp-00001.csv"]})
    found = discover([data], work)
    assert names(found, data) == ["exp-00001.csv"]
    assert left_out(found, data)["stranger.csv"] is IgnoredReason.NOT_LISTED


@pytest.mark.parametrize("content", [b"{", b"[1]", b"\xff\xfe", b'{"dataFiles": ["a.csv", 5, {"x": 1}]}', b"[" * 10**5])
def test_a_manifest_that_cannot_be_read_refuses_its_folder(data: Path, work: Path, content: bytes) -> None:
    """Without its manifest a delivery cannot be known to be whole: refused, not guessed."""
    put(data / "b.csv")
    put(data / "x-Manifest.json", content)
    found = discover([data], work)
    assert found.parts == ()
    assert codes(found) in (["BAD_MANIFEST"], ["MISSING_PART"])


def test_an_empty_or_damaged_listed_part_refuses_the_delivery(data: Path, work: Path) -> None:
    """A listed file without a byte, or with another content than any export, spoils its delivery."""
    for content, code in ((b"", "EMPTY_FILE"), (b"\0\1", "UNKNOWN_CONTENT")):
        put(data / "a.csv", content)
        put(data / "b.csv")
        put_manifest(data / "x-Manifest.json", {"dataFiles": ["a.csv", "b.csv"]})
        found = discover([data], work)
        assert (codes(found), found.parts) == ([code], ())


@pytest.mark.inputs
@pytest.mark.skipif(not INPUTS.exists(), reason="../shared/inputs is absent")
def test_the_legacy_cur_samples_are_all_parts(work: Path) -> None:
    """All six legacy CUR samples are parts, of which the gzip copy has the content of its CSV."""
    found = discover([INPUTS / "aws/legacy-cur"], work)
    scans = {Path(part.name).name: scan(part) for part in found.parts}
    assert (len(scans), found.refused, found.ignored) == (6, (), ())
    assert scans["test_cur.csv"] == scans["test_cur.csv.gz"]
    records = {name: found.records for name, found in scans.items()}
    assert records == {
        "2022-07-01-alt-columns.csv": 2,
        "2023-06-01-not-final.csv": 3,
        "2023-06-01.csv": 3,
        "empty_frame.csv": 0,
        "test_cur.csv": 19,
        "test_cur.csv.gz": 19,
    }


def test_a_ledger_in_the_folder_is_not_taken_for_bills(data: Path, work: Path) -> None:
    """Law: whoever ingests the folder that holds the default ledger gets the bills of it, and no failure."""
    put(data / "june.csv")
    put(data / "offgridflow-ledger" / "ledger.json", b"{}")
    parquet(data / "offgridflow-ledger" / "emissions" / "part-0.parquet")
    put(data / "reports" / "ledger.json", b"{}")
    put(data / "reports" / "july.csv")

    found = discover([data], work)

    assert names(found, data) == ["june.csv", "reports/july.csv"]
    assert left_out(found, data)["offgridflow-ledger"] is IgnoredReason.LEDGER
    assert found.refused == ()
    assert codes(discover([data / "offgridflow-ledger"], work)) == ["IS_A_LEDGER"]
