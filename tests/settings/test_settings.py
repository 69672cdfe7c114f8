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
