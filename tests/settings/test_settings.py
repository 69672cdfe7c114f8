"""Laws of the settings: what wins, and that nothing wrong passes in silence."""

import re
from importlib.resources import files
from pathlib import Path

import pytest
from pydantic import BaseModel

from offgridflow.domain.errors import UsageError
from offgridflow.settings import SETTINGS_FILE, Settings, read_settings

ROOT = Path(__file__).parents[2]


def test_without_a_file_the_documented_defaults_hold(tmp_path: Path) -> None:
    """Day grain with resources, a ledger in the working folder, seven years of history."""
    settings = read_settings(tmp_path)
    assert (settings.grain.period, settings.grain.resources, settings.grain.tag_keys) == ("day", True, ())
    assert settings.ledger.uri == "./offgridflow-ledger"
    assert settings.ledger.retention_days == 2555


def test_the_environment_wins_over_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A variable overrides the same key of the file, and leaves the keys beside it alone."""
    (tmp_path / SETTINGS_FILE).write_text('[grain]\nperiod = "hour"\ntag_keys = ["team"]\n')
    monkeypatch.setenv("OFFGRIDFLOW_GRAIN__PERIOD", "month")
    settings = read_settings(tmp_path)
    assert (settings.grain.period, settings.grain.tag_keys) == ("month", ("team",))


def test_one_variable_names_the_ledger(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """OFFGRIDFLOW_LEDGER is the ledger's address, as the command line's --ledger is."""
    monkeypatch.setenv("OFFGRIDFLOW_LEDGER", "/data/ledger")
    assert read_settings(tmp_path).ledger.uri == "/data/ledger"


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ('[grain]\nperiod = "week"\n', "grain.period"),
        ('[grain]\nperoid = "day"\n', "grain.peroid"),
        ("[methodology]\nutilisation = 50\n", "methodology.utilisation"),
        ('[methodology]\n[[methodology.rates]]\nprovider = "aws"\n', "methodology.rates.0.consumed_unit"),
    ],
)
def test_a_wrong_key_or_value_is_named(tmp_path: Path, text: str, key: str) -> None:
    """A typing error in a key or value is refused with the key, and never means a default."""
    (tmp_path / SETTINGS_FILE).write_text(text)
    with pytest.raises(UsageError, match=key.replace(".", r"\.")):
        read_settings(tmp_path)


def test_what_is_not_toml_is_refused_with_the_file(tmp_path: Path) -> None:
    """A broken file is named together with the place where reading stopped."""
    (tmp_path / SETTINGS_FILE).write_text("[grain\n")
    with pytest.raises(UsageError, match=SETTINGS_FILE):
        read_settings(tmp_path)


@pytest.mark.parametrize(
    ("text", "key", "meant"),
    [
        ('[grian]\nperiod = "hour"\n', "grian", "grain"),
        ('[source.acme]\ntype = "aws_cur"\n', "source", "sources"),
        ('cache_foldr = "x"\n', "cache_foldr", "cache_folder"),
        ('[grain]\nperoid = "day"\n', "grain.peroid", "grain.period"),
        ('[[methodology.rates]]\nprovidr = "aws"\n', "methodology.rates.0.providr", "methodology.rates.provider"),
    ],
)
def test_an_unknown_key_of_the_file_is_refused_with_the_nearest_one(
    tmp_path: Path, text: str, key: str, meant: str
) -> None:
    """A key that sets nothing, at the top or below, is refused with the file, the key and the one that it may mean."""
    (tmp_path / SETTINGS_FILE).write_text(text)
    with pytest.raises(UsageError) as raised:
        read_settings(tmp_path)
    assert raised.value.sentence == f"There is no setting {key}, which stands in {tmp_path / SETTINGS_FILE}."
    assert f"Did you mean {meant}?" in raised.value.action


@pytest.mark.parametrize(
    ("variable", "meant"),
    [
        ("OFFGRIDFLOW_GRAINN__PERIOD", "OFFGRIDFLOW_GRAIN__PERIOD"),
        ("OFFGRIDFLOW_GRAIN_PERIOD", "OFFGRIDFLOW_GRAIN__PERIOD"),
        ("OFFGRIDFLOW_SOURCE__ACME__TYPE", "OFFGRIDFLOW_SOURCES__ACME__TYPE"),
        ("OFFGRIDFLOW_API_PORT", "OFFGRIDFLOW_API__PORT"),
    ],
)
def test_an_unknown_variable_is_refused_with_the_nearest_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, variable: str, meant: str
) -> None:
    """A variable with our prefix that sets nothing is refused by its name, with the one that it may mean."""
    monkeypatch.setenv(variable, "8390")
    with pytest.raises(UsageError, match=variable) as raised:
        read_settings(tmp_path)
    assert f"Did you mean {meant}?" in raised.value.action


def test_a_wrong_value_names_the_variable_that_said_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a wrong value in the environment the variable is named, not the file that says something else."""
    (tmp_path / SETTINGS_FILE).write_text('[grain]\nperiod = "hour"\n')
    monkeypatch.setenv("OFFGRIDFLOW_GRAIN__PERIOD", "week")
    with pytest.raises(UsageError, match="in the variable OFFGRIDFLOW_GRAIN__PERIOD is wrong"):
        read_settings(tmp_path)


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1:5056/hook/ü",
        "https://hook.test?q=ü",
        "https://hook.test/a b",
        "ftp://hook.test/",
        "hook.test",
        "https://",
        "https://u:p@hook.test/",
        "https://hook.test:99999/",
        "https://hook.test:x/",
        f"https://{'a' * 64}.test/",
    ],
)
def test_a_webhook_that_no_request_can_be_made_of_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, url: str
) -> None:
    """A wrong webhook is refused when the settings are read, with its key, and not by the first alert."""
    monkeypatch.setenv("OFFGRIDFLOW_ALERTS__WEBHOOK_URL", url)
    with pytest.raises(UsageError, match=r"The setting alerts\.webhook_url in the variable"):
        read_settings(tmp_path)
    monkeypatch.setenv("OFFGRIDFLOW_ALERTS__WEBHOOK_URL", "https://münchen.test:8443/a/%C3%BC?b=1")
    assert read_settings(tmp_path).alerts.webhook_url


def test_every_variable_that_something_reads_is_known(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No variable that the sources, tests and tools read is refused as an unknown setting, nor Kubernetes' links."""
    read = re.compile(r"(?:environ(?:\.get\(|\[)|_VARIABLE: Final = )\s*\"OFFGRIDFLOW_(\w+)\"")
    found = {
        name
        for folder in ("src", "tests", "tools", "bench")
        for path in (ROOT / folder).rglob("*.py")
        for name in read.findall(path.read_text(encoding="utf-8"))
    }
    assert found >= {"DEBUG", "SOAK", "FUZZ_EXAMPLES", "AXE", "AZURITE"}
    links = {"SERVICE_HOST", "SERVICE_PORT", "SERVICE_PORT_HTTP", "PORT", "PORT_8390_TCP", "PORT_8390_TCP_ADDR"}
    for name in found | links | {"WORKER_SERVICE_HOST", "WORKER_PORT_80_TCP_PROTO"}:
        monkeypatch.setenv(f"OFFGRIDFLOW_{name}", "tcp://10.0.0.1:8390")
    assert read_settings(tmp_path).grain.period == "day"


def _keys(model: type[BaseModel], prefix: str = "") -> set[str]:
    keys: set[str] = set()
    for name, field in model.model_fields.items():
        inner = field.annotation
        if isinstance(inner, type) and issubclass(inner, BaseModel):
            keys |= _keys(inner, f"{prefix}{name}.")
        else:
            keys.add(prefix + name)
    return keys


def test_every_setting_is_documented() -> None:
    """docs/settings.md has a row for each key and for no other."""
    text = (ROOT / "docs" / "settings.md").read_text(encoding="utf-8")
    documented = set(re.findall(r"^\| `([\w.]+)` \|", text, re.MULTILINE))
    assert documented - {"sources.NAME"} == _keys(Settings) - {"sources"}


def test_the_template_means_the_defaults(tmp_path: Path) -> None:
    """A fresh settings file changes nothing, and with every default switched on it still says the defaults."""
    template = (files("offgridflow") / "settings.template.toml").read_text(encoding="utf-8")
    (tmp_path / SETTINGS_FILE).write_text(template, encoding="utf-8")
    assert read_settings(tmp_path).model_dump() == Settings().model_dump()
    switched = re.sub(r"^# (\w+ = (?!.*# e\.g\.).*)$", r"\1", template.partition("# [[")[0], flags=re.MULTILINE)
    chosen = [line for line in switched.splitlines() if "# e.g." not in line and not line.startswith("# utilisation")]
    kept = [line for line in chosen if not re.match(r"(utilisation|lifetime_years|grid_file)\b", line)]
    (tmp_path / SETTINGS_FILE).write_text("\n".join(kept), encoding="utf-8")
    assert read_settings(tmp_path).model_dump() == Settings().model_dump()
