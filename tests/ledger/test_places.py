"""Addresses of ledgers in object stores: what they say, what the environment adds, what is refused."""

from pathlib import Path

import pytest

from offgridflow.domain.errors import UsageError
from offgridflow.ledger.places import Place, delta_options, parse_place
from offgridflow.settings import LedgerSettings

AZURE = {"AZURE_STORAGE_ACCOUNT_NAME": "acct"}


@pytest.mark.parametrize(
    ("uri", "environment", "place"),
    [
        ("s3://bucket", {}, Place("s3", "bucket", "")),
        ("s3a://bucket/a/b/", {"AWS_REGION": "eu-north-1"}, Place("s3", "bucket", "a/b", region="eu-north-1")),
        (
            "s3://bucket/a?region=us-east-2&cache_mib=7&cache_folder=/var/c",
            {"AWS_DEFAULT_REGION": "eu-north-1", "AWS_ENDPOINT_URL": "https://s3.example.com/"},
            Place("s3", "bucket", "a", None, "us-east-2", "https://s3.example.com", Path("/var/c"), 7),
        ),
        ("az://container/a", AZURE, Place("az", "container", "a", "acct")),
        ("az://container/a?account=other", AZURE, Place("az", "container", "a", "other")),
        ("abfss://container@mine.dfs.core.windows.net/a", AZURE, Place("az", "container", "a", "mine")),
        (
            "gs://bucket/a%20b",
            {"STORAGE_EMULATOR_HOST": "127.0.0.1:9"},
            Place("gs", "bucket", "a b", endpoint_url="http://127.0.0.1:9"),
        ),
    ],
)
def test_an_address_says_where(uri: str, environment: dict[str, str], place: Place) -> None:
    """What the address says counts, then the variables of the cloud's own tools."""
    assert parse_place(uri, environment) == place


@pytest.mark.parametrize(
    ("uri", "match"),
    [
        ("s3:///prefix", "names no bucket"),
        ("s3://bucket//prefix", "empty part"),
        ("s3://bucket/../prefix", "dots"),
        ("s3://bucket/a?regoin=x", "regoin"),
        ("s3://bucket/a?cache_mib=0", "cache_mib=0"),
        ("s3://bucket/a?cache_mib=many", "cache_mib=many"),
        ("az://container/a", "which storage account"),
        ("s3://key:canary@bucket/a", "user or a password"),
        ("abfss://container:canary@acct.dfs.core.windows.net/a", "user or a password"),
    ],
)
def test_an_address_that_cannot_be_one_is_refused(uri: str, match: str) -> None:
    """What is wrong with an address is named, what to write instead too, and no secret in it is repeated."""
    with pytest.raises(UsageError, match=match) as refused:
        parse_place(uri, {})
    assert refused.value.action
    assert "canary" not in str(refused.value)


def test_a_commit_is_asked_to_be_the_first_of_its_version() -> None:
    """On S3 delta-rs is told to create log entries only where there is none, whatever the environment says."""
    assert delta_options(Place("s3", "bucket", "a"))["aws_conditional_put"] == "etag"
    assert "allow_http" not in delta_options(Place("s3", "bucket", "a", endpoint_url="https://s3.example.com"))
    assert delta_options(Place("gs", "b", "a", endpoint_url="http://127.0.0.1:9"))["allow_http"] == "true"


def test_settings_add_what_an_address_does_not_say() -> None:
    """Region, endpoint, account and cache of the settings go with addresses of object stores, and with no other."""
    chosen = LedgerSettings(uri="s3://bucket/a?region=x", region="y", account="acct", cache_mib=5)
    address = chosen.address()
    assert parse_place(address, {}) == Place("s3", "bucket", "a", region="x", cache_mib=5)
    assert chosen.address(address) == address
    assert parse_place(chosen.address("az://c/p"), {}).account == "acct"
    assert (chosen.address("./folder"), chosen.address("file:///folder")) == ("./folder", "file:///folder")
