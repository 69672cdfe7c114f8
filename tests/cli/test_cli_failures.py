"""When something goes wrong: one sentence, what to do, a code; the right exit code; never a traceback."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from offgridflow.cli.failures import show_unexpected
from offgridflow.cli.main import run

Captured = pytest.CaptureFixture[str]


def _error(capsys: Captured) -> str:
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "Traceback" not in captured.err
    return captured.err


@pytest.mark.parametrize(
    "arguments",
    [
        ["report", "--by", "colour"],
        ["report", "--from", "June"],
        ["report", "--where", "provider"],
        ["report", "--where", "=aws"],
        ["report", "--format", "xml"],
        ["report", "--nonsense"],
        ["nonsense"],
        ["ingest"],
        ["ingest", "x", "--from", "2025"],
        ["whatif"],
        ["whatif", "--region", "us-east-1"],
        ["explain", "--provider", "aws"],
        ["explain", "--provider", "aws", "--month", "soon"],
        ["explain", "--provider", "aws", "--month", "2025-06", "--quantity", "-1"],
        ["rates", "--where", "colour=red"],
        ["report", "--methodology", "guess"],
        ["report", "--limit", "many"],
        ["factors", "--kind", "guess"],
        ["factors", "--sources", "--corrections"],
        ["factors", "m5.large", "--sources"],
        ["reconcile", "--from", "2025-07", "--to", "2025-06"],
        ["rerate", "--from", "2025-07", "--to", "2025-06"],
        ["rerate", "--source", "nobody"],
        ["inventory", "--year", "2025", "--functional-units", "NaN"],
        ["inventory", "--year", "2025", "--functional-units", "0"],
    ],
)
def test_wrong_usage_is_code_2_with_a_way_out(arguments: list[str], a_ledger: Path, capsys: Captured) -> None:
    """Wrong keys, dates, filters and options end with 2, say what is wrong, and write nothing to stdout."""
    capsys.readouterr()
    assert run(arguments) == 2
    lines = _error(capsys).splitlines()
    assert lines[0].startswith("Error [USAGE]: ")
    assert "Value error" not in lines[0]
    assert len(lines) == 2


READERS = [
    ["report"],
    ["coverage"],
    ["explain"],
    ["rates"],
    ["rates", "--sensitivity"],
    ["reconcile"],
    ["inventory", "--year", "2025"],
    ["whatif", "--region", "us-east-1:eu-north-1"],
    ["verify"],
    ["rerate"],
]


@pytest.mark.parametrize("arguments", READERS, ids=" ".join)
def test_every_reader_takes_a_ledger_without_rows_and_refuses_none(
    arguments: list[str], bill: Path, tmp_path: Path, capsys: Captured, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A ledger that holds nothing yet is answered with code 0 in every format; one that is not there is code 1."""
    monkeypatch.chdir(tmp_path)
    header = tmp_path / "header.csv"
    header.write_text(bill.read_text().splitlines()[0] + "\n")
    assert run(["ingest", str(header), "--ledger", "L"]) == 0
    for form in ("table", "json", "csv"):
        assert run([*arguments, "--ledger", "L", "--format", form]) == 0
    capsys.readouterr()
    assert run([*arguments, "--ledger", "nowhere"]) == 1
    assert _error(capsys).startswith("Error [LEDGER]: There is no ledger at ")


def test_a_folder_without_bills_is_said_so(tmp_path: Path, capsys: Captured) -> None:
    """Nothing to ingest is no error, and not silence either."""
    (tmp_path / "bare").mkdir()
    assert run(["ingest", str(tmp_path / "bare"), "--ledger", str(tmp_path / "L")]) == 0
    assert "no bill is there" in capsys.readouterr().out.replace("\n", " ")


def test_the_bare_command_shows_help_and_no_empty_error(capsys: Captured) -> None:
    """Without a command the help stands for itself: code 2, and no error without a sentence."""
    assert run([]) == 2
    captured = capsys.readouterr()
    assert "ingest" in captured.out + captured.err
    assert "Error" not in captured.err


def test_a_ledger_that_is_not_there_is_code_1(tmp_path: Path, capsys: Captured) -> None:
    """Reading a ledger that does not exist fails with 1, names it, and does not create it."""
    for command in (["report"], ["coverage"], ["verify"], ["rates"], ["explain"]):
        assert run([*command, "--ledger", str(tmp_path / "none")]) == 1
        assert "Error [LEDGER]: There is no ledger at" in _error(capsys)
    assert not (tmp_path / "none").exists()


def test_what_nobody_foresaw_is_one_sentence(capsys: Captured, monkeypatch: pytest.MonkeyPatch) -> None:
    """The last resort hides the traceback and tells how to see it; only the first line of the message shows."""
    monkeypatch.delenv("OFFGRIDFLOW_DEBUG", raising=False)
    error = RuntimeError("first\nsecond")
    show_unexpected(RuntimeError, error, None)
    shown = _error(capsys)
    assert "Error [INTERNAL]: Something went wrong that OffGridFlow did not foresee: RuntimeError: first." in shown
    assert "second" not in shown
    assert "OFFGRIDFLOW_DEBUG=1" in shown
    monkeypatch.setenv("OFFGRIDFLOW_DEBUG", "1")
    show_unexpected(RuntimeError, error, None)
    assert "second" in capsys.readouterr().err


def test_a_process_that_fails_unexpectedly_ends_with_1_and_no_traceback() -> None:
    """The hook is set in a real process: an error inside of a command gives code 1 and one sentence."""
    code = (
        "import sys; import offgridflow.cli.main as m\n"
        "def broken(arguments): raise ZeroDivisionError('boom')\n"
        "m.run = broken; m.main()"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stdout == ""
    assert "Traceback" not in done.stderr
    assert "[INTERNAL]" in done.stderr


def test_a_closed_pipe_is_no_error() -> None:
    """``offgridflow factors --format json | head -1`` ends quietly."""
    command = f"{sys.executable} -m offgridflow factors --kind machine --format json | head -1"
    done = subprocess.run(["/bin/sh", "-c", command], capture_output=True, text=True, check=False)
    assert done.stdout == "{\n"
    assert "Traceback" not in done.stderr
    assert "[INTERNAL]" not in done.stderr


@pytest.mark.parametrize(
    "command", [["report"], ["coverage"], ["rates"], ["whatif", "--region", "us-east-1:eu-north-1"]]
)
@pytest.mark.parametrize("damage", ["cut", "scribbled"])
def test_a_damaged_file_of_the_ledger_is_told_as_that(
    command: list[str], damage: str, a_ledger: Path, tmp_path: Path, capsys: Captured
) -> None:
    """A file that is cut or overwritten ends a command with LEDGER, and the way out is ``verify``, which names it."""
    ledger = shutil.copytree(a_ledger, tmp_path / "damaged")
    for path in ledger.glob("*/**/*.parquet"):
        content = path.read_bytes()
        middle = b"\xff" * (len(content) // 2 - 8)
        path.write_bytes(content[:100] if damage == "cut" else content[:8] + middle + content[8 + len(middle) :])
    capsys.readouterr()
    assert run([*command, "--ledger", str(ledger)]) == 1
    lines = _error(capsys).splitlines()
    assert lines[0].startswith("Error [LEDGER]: The ledger cannot be read: ")
    assert "offgridflow verify" in lines[1]
    assert run(["verify", "--ledger", str(ledger)]) == 1


@pytest.mark.parametrize(
    ("table", "said"),
    [
        ("", ["sources.acme.type is missing", "aws_data_export, "]),
        ('type = "aws_curr"', ["There is no source type 'aws_curr'", "aws_cur, "]),
        ('type = "aws_cur"\nbuckt = "b"', ["There is no setting sources.acme.buckt", "Did you mean bucket?"]),
        ('type = "aws_cur"', ["The setting sources.acme.bucket is missing"]),
    ],
)
@pytest.mark.parametrize("command", ["ingest", "check"])
def test_wrong_settings_of_a_source_end_with_2(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str],
    command: str, table: str, said: list[str],
) -> None:  # fmt: skip
    """A missing type, a type that there is not, an unknown or a missing key: each is named, with what is right."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "offgridflow.toml").write_text(f"[sources.acme]\n{table}\n")
    assert run([command, "--format", "json"]) == 2
    answer = json.dumps(json.loads(capsys.readouterr().out))
    for part in said:
        assert part in answer


def test_an_ingest_that_nobody_asked_to_log_prints_no_alert(tmp_path: Path) -> None:
    """What fails stands in the answer; stderr, where the log would be, stays empty."""
    (tmp_path / "offgridflow.toml").write_text("[sources.acme]\n")
    command = [sys.executable, "-m", "offgridflow", "ingest"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (2, "")
    assert "sources.acme.type is missing" in done.stdout


def test_a_run_ends_with_2_only_where_settings_alone_are_wrong(tmp_path: Path) -> None:
    """Wrong settings of one source end a run with 2; where something else fails beside them, with 1."""
    command = [sys.executable, "-m", "offgridflow", "run"]
    wrong = "[retry]\nattempts = 1\n[sources.acme]\n"
    (tmp_path / "offgridflow.toml").write_text(wrong)
    assert subprocess.run(command, cwd=tmp_path, capture_output=True, check=False).returncode == 2
    gone = 'type = "gcs_export"\nbucket = "b"\nendpoint_url = "http://127.0.0.1:1"\nanonymous = true\n'
    (tmp_path / "offgridflow.toml").write_text(f"{wrong}[sources.gone]\n{gone}")
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, check=False)
    assert (done.returncode, b"[PROVIDER_TRANSIENT]" in done.stdout) == (1, True)
