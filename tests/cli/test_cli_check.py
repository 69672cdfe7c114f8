"""Laws of ``offgridflow check``, from the settings file to the answer, over real sockets of each cloud."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from offgridflow.cli.main import run
from offgridflow.testing import Answer, Dialect, FakeBucket
from offgridflow.testing.bigquery import FakeBigQuery
from support.bigquery_bill import PROJECT, SCHEMA, TABLE, line
from support.exports import AWS, AZURE, GCS, Upstream

CASES = [
    (AWS, Dialect.S3, "AccessDenied", "s3:ListBucket", "s3:GetObject"),
    (
        AZURE,
        Dialect.AZURE_BLOB,
        "AuthorizationPermissionMismatch",
        "Storage Blob Data Reader",
        "Storage Blob Data Reader",
    ),
    (GCS, Dialect.GOOGLE, "forbidden", "storage.objects.list", "storage.objects.get"),
]


def write_settings(table: Mapping[str, Any]) -> None:
    """Write a settings file with one source."""
    lines = [f"{key} = {json.dumps(value)}" for key, value in table.items()]
    Path("offgridflow.toml").write_text("\n".join(["[sources.acme]", *lines]))


def check(capsys: pytest.CaptureFixture[str]) -> tuple[int, list[dict[str, Any]]]:
    """Return the exit code and the steps."""
    code = run(["check", "--format", "json"])
    steps: list[dict[str, Any]] = json.loads(capsys.readouterr().out)["steps"]
    return code, steps


@pytest.mark.parametrize(("kind", "dialect", "code", "to_list", "to_read"), CASES, ids=[case[0] for case in CASES])
def test_check_names_the_grant_that_is_missing(  # noqa: PLR0913, PLR0917 - the columns of CASES
    kind: str,
    dialect: Dialect,
    code: str,
    to_list: str,
    to_read: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Listing refused, then reading refused, then neither: the action or role is named, and nothing is ingested."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAIOSFODNN7EXAMPLE")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "canary")
    monkeypatch.setenv("AWS_CONFIG_FILE", "/nonexistent")
    with FakeBucket(dialect) as bucket:
        upstream = Upstream(kind, bucket)
        upstream.publish("2025-05", ["0.1"])
        write_settings(upstream.settings())
        bucket.inject(Answer(403, code), times=None, path=bucket.list_path)
        failed, steps = check(capsys)
        assert (failed, steps[-1]["step"], steps[-1]["missing"]) == (1, "list", to_list)
        bucket.forget_faults()
        for key in bucket.things:
            bucket.inject(Answer(403, code), times=None, path=bucket.path_of(key))
        failed, steps = check(capsys)
        assert (failed, steps[-1]["step"], steps[-1]["missing"]) == (1, "read", to_read)
        bucket.forget_faults()
        assert check(capsys)[0] == 0
    assert not (tmp_path / "offgridflow-ledger").exists()


def test_check_names_the_role_that_a_query_needs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """BigQuery's refusal of a job names the role on the project that pays; allowed, its cost is shown instead."""
    monkeypatch.chdir(tmp_path)
    with FakeBigQuery(PROJECT) as server:
        server.create(TABLE, SCHEMA, [line()])
        write_settings(
            {"type": "bigquery_export", "table": TABLE, "endpoint_url": server.url, "anonymous": True},
        )
        server.cloud.inject(Answer(403, "accessDenied"), times=None, skip=1)
        failed, steps = check(capsys)
        assert failed == 1
        assert "roles/bigquery.jobUser" in steps[-1]["missing"]
        server.cloud.forget_faults()
        passed, steps = check(capsys)
        assert passed == 0
        assert "GiB" in steps[-1]["detail"]
