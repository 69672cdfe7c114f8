"""Laws of what is said about types of sources: declarations, docs, template and policies agree."""

import re
import tomllib
from importlib.resources import files
from pathlib import Path

import pytest

from offgridflow.cloud.door import Door
from offgridflow.connectors.buckets import Surroundings
from offgridflow.connectors.cache import Cache
from offgridflow.connectors.registry import connect, kind, names

DOCS = Path(__file__).parents[2] / "docs" / "connectors.md"


def template() -> dict[str, dict[str, object]]:
    """Return the example sources of the settings template, with their comment marks taken off."""
    text = (files("offgridflow") / "settings.template.toml").read_text(encoding="utf-8")
    begun = text[text.index("# [sources.") :]
    lines = [line[2:] for line in begun.splitlines() if re.match(r"# (\[sources\.|\w+ = )", line)]
    tables: dict[str, dict[str, object]] = tomllib.loads("\n".join(lines))["sources"]
    return tables


@pytest.mark.parametrize("name", names())
def test_each_type_has_a_section_that_is_true(name: str) -> None:
    """docs/connectors.md names each setting, endpoint and permission that a type declares, and no other."""
    declared = kind(name).declaration
    sections = re.split(r"^##+ ", DOCS.read_text("utf-8"), flags=re.MULTILINE)
    [section] = [text for text in sections if text.startswith(f"{name}\n")]
    fields = {key: field for key, field in declared.settings.model_fields.items() if key != "type"}
    needed = {key for key, field in fields.items() if field.is_required()}
    assert set(_listed(section, "Needed")) == needed
    assert set(_listed(section, "Optional")) == set(fields) - needed
    assert _listed(section, "Endpoints") == [f"{declared.provider}/{endpoint}" for endpoint in declared.endpoints]
    assert re.findall(r"^- `(.+?)`: (.+)$", section, re.MULTILINE) == [
        (permission.name, permission.why) for permission in declared.permissions
    ]
    for policy in _listed(section, "Policy file"):
        assert (files("offgridflow") / "policies" / policy).is_file()


def _listed(section: str, word: str) -> list[str]:
    found = re.search(rf"{word}: (`.+?`)\.(?: |$)", section, re.MULTILINE)
    return [] if found is None else re.findall(r"`(.+?)`", found[1])


def test_the_template_shows_every_type() -> None:
    """'offgridflow init' writes an example of each type of source, under a name of its own."""
    assert sorted(str(table["type"]) for table in template().values()) == sorted(names())


@pytest.mark.parametrize("name", sorted(template()))
def test_each_example_of_the_template_can_be_used(name: str, tmp_path: Path) -> None:
    """Uncommented, an example is accepted as it stands; only its words have to be replaced."""
    connector = connect(template()[name], Surroundings(name, Door(), Cache(tmp_path)))
    assert connector.declaration.name == template()[name]["type"]
