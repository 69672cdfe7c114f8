"""Report sources as sources: declared, configured, found by the command line, and gone without their SDK."""

import json
import sys
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest

from offgridflow.cli.main import run
from offgridflow.connectors.registry import ReportKind, connect, kind, names
from offgridflow.domain.errors import MissingExtraError, UsageError
from offgridflow.testing import Answer, Dialect, FakeCloud, Reply

KINDS = ("aws_carbon_api", "aws_carbon_export", "azure_carbon", "gcp_carbon")
Site = Any  # tests/reported/conftest.py: test folders are not packages


def test_the_four_kinds_are_there_and_refuse_what_they_do_not_know(site: Site) -> None:
    """Each kind is listed, declares itself, and names a wrong setting without its value."""
    assert set(KINDS) <= set(names())
    for name in KINDS:
        found = kind(name)
        assert isinstance(found, ReportKind)
        assert found.declaration.name == name
        with pytest.raises(UsageError, match=r"sources\.report") as caught:
            site.connector({"type": name, "canary": "canary-secret"})
        assert "canary-secret" not in str(caught.value)


@pytest.mark.parametrize(
    ("table", "module", "extra"),
    [
        ({"type": "aws_carbon_api"}, "boto3", "aws"),
        ({"type": "aws_carbon_export", "bucket": "b"}, "boto3", "aws"),
        ({"type": "azure_carbon", "subscriptions": ["a"]}, "azure.mgmt.carbonoptimization", "azure"),
        ({"type": "gcp_carbon", "table": "acme-billing.a.b"}, "google.cloud.bigquery", "gcp"),
    ],
)
def test_a_missing_sdk_names_the_install_command(
    table: dict[str, object], module: str, extra: str, site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without the SDK the run says which extra to install; nothing else happens."""
    monkeypatch.setitem(sys.modules, module, None)
    monkeypatch.delattr("google.cloud.bigquery", raising=False)
    (failed,) = site.run(connect, table).periods
    assert failed.error.code == MissingExtraError.code
    assert f"pip install 'offgridflow[{extra}]'" in failed.error.action


def test_the_policy_grants_what_the_api_source_declares() -> None:
    """The shipped policy allows the two questions and nothing else."""
    policy = json.loads((files("offgridflow") / "policies" / "aws-carbon-reader.json").read_text())
    (statement,) = policy["Statement"]
    assert statement["Action"] == [permission.name for permission in kind("aws_carbon_api").declaration.permissions]


def test_ingest_without_a_path_brings_configured_reports(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A source in offgridflow.toml is ingested, listed and forgotten; a refusal ends with code 1."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAIOSFODNN7EXAMPLE")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "canary")
    monkeypatch.setenv("AWS_CONFIG_FILE", "/nonexistent")
    result = {
        "TimePeriod": {"Start": "2025-06-01T00:00:00Z", "End": "2025-07-01T00:00:00Z"},
        "DimensionsValues": {"USAGE_ACCOUNT_ID": "1", "REGION": "eu-west-1", "SERVICE": "AmazonEC2"},
        "ModelVersion": "v3.0.0",
        "EmissionsValues": {"TOTAL_MBM_CARBON_EMISSIONS": {"Value": 0.5, "Unit": "MTCO2e"}},
    }
    with FakeCloud(Dialect.AWS_JSON) as cloud:
        cloud.route("POST", "/v1/estimated-carbon-emissions", lambda _: Reply.of_json({"Results": [result]}))
        Path("offgridflow.toml").write_text(
            f'[sources.ours]\ntype = "aws_carbon_api"\nwater = false\nendpoint_url = "{cloud.url}"\n'
        )
        assert run(["ingest", "--format", "json"]) == 0
        (period,) = json.loads(capsys.readouterr().out)["periods"]
        cloud.inject(Answer(403, "AccessDeniedException"))
        assert run(["ingest", "--format", "json"]) == 1
        capsys.readouterr()
    assert (period["source"], period["billing_period"], period["format"]) == ("ours", "2025-06", "aws_carbon_api")
    assert (period["status"], period["line_items"], period["total_kgco2e"]) == ("committed", 1, None)
    assert run(["sources", "--format", "json"]) == 0
    (source,) = json.loads(capsys.readouterr().out)["sources"]
    assert (source["source"], source["periods"], source["newest_period"]) == ("ours", 1, "2025-06")
    assert run(["forget", "ours", "--yes"]) == 0
