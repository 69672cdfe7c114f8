"""Our ``ccf`` profile beside Cloud Carbon Footprint itself, run from its Apache-2.0 npm packages.

The packages are installed once into ``build/ccf-oracle`` from the committed lock file. Without node, npm or a registry
the tests skip with the reason. Google's package is not published on npm, so its method is held by constants alone.
"""

import csv
import json
import shutil
import subprocess
from fnmatch import fnmatchcase
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

import pytest

from offgridflow.domain.model import Sku, SkuAttributes
from offgridflow.domain.periods import Month
from offgridflow.factors import load
from offgridflow.methodology.rating import Rater
from offgridflow.methodology.recipe import Profile, Recipe

ROOT = Path(__file__).parents[2]
HERE = Path(__file__).parent / "ccf"
PLACE = ROOT / "build" / "ccf-oracle"
JUNE = Month(2023, 6)
DATE = "2023-06-01T00:00:00Z"
WITHIN = 0.01
CCF = Rater(load(), Recipe(profile=Profile.CCF))


class Case(NamedTuple):
    """One row, what the original says of it and what we say, in kWh (None where there is no figure)."""

    provider: str
    name: str
    theirs: float | None
    ours: float | None

    @property
    def agrees(self) -> bool:
        """Whether the two are within one per cent."""
        return (
            self.theirs is not None and self.ours is not None and abs(self.ours - self.theirs) <= WITHIN * self.theirs
        )


def _installed() -> Path:
    """Return the folder with the packages, installing them where they are missing; skip where that cannot be."""
    if shutil.which("node") is None or shutil.which("npm") is None:
        pytest.skip("node and npm are not installed")
    lock, seen = HERE / "package-lock.json", PLACE / "package-lock.json"
    if (
        seen.exists()
        and seen.read_bytes() == lock.read_bytes()
        and (PLACE / "node_modules/.package-lock.json").exists()
    ):
        return PLACE
    PLACE.mkdir(parents=True, exist_ok=True)
    for name in ("package.json", ".npmrc"):
        shutil.copy(HERE / name, PLACE / name)
    seen.unlink(missing_ok=True)
    shutil.copy(lock, PLACE / "package-lock.json")
    made = subprocess.run(["npm", "ci"], cwd=PLACE, capture_output=True, text=True, timeout=240, check=False)
    if made.returncode != 0:
        seen.unlink()
        pytest.skip(f"npm cannot install Cloud Carbon Footprint: {made.stderr.strip()[-200:]}")
    return PLACE


Row = dict[str, str | float | None]


def _ask(place: Path, rows: list[Row]) -> tuple[list[dict[str, str]], list[dict[str, float | str]]]:
    """Return the machines that the original knows, and its answers to the rows."""
    command = ["node", "--no-deprecation", str(HERE / "oracle.cjs"), str(place)]
    done = subprocess.run(command, input=json.dumps(rows), capture_output=True, text=True, timeout=400, check=True)
    said = json.loads(done.stdout)
    return said["machines"], said["answers"]


def _machine_rows(machines: list[dict[str, str]]) -> list[Row]:
    made: list[Row] = []
    for each in machines:
        aws, name = each["provider"] == "aws", each["name"].strip()
        known = CCF.reader.factors.machine("aws", name) if aws else None
        made.append(
            {
                "provider": each["provider"],
                "service": "AmazonEC2" if aws else "Virtual Machines",
                "usage_type": f"BoxUsage:{name}" if aws else name,
                "unit": "Hrs" if aws else "1 Hour",
                "region": "us-east-1" if aws else "eastus",
                "vcpu": known.vcpu if known else None,
                "amount": 1.0,
                "date": DATE,
            },
        )
    return made


def _listed_rows() -> list[Row]:
    with (HERE / "rows.csv").open(encoding="utf-8", newline="") as file:
        return [
            {**row, "vcpu": float(row["vcpu"]) if row["vcpu"] else None, "amount": float(row["amount"]), "date": DATE}
            for row in csv.DictReader(file)
        ]


def _ours(row: Row) -> float | None:
    vcpu, service, provider = row["vcpu"], str(row["service"]), str(row["provider"])
    known = SkuAttributes(vcpu=vcpu if isinstance(vcpu, float) else None)
    meter, unit, region = (str(row[name]) for name in ("usage_type", "unit", "region"))
    made = CCF(Sku(provider, service, service, None, meter, None, unit, region, None, known), JUNE)
    return made.energy_kwh.central if made.energy_kwh else None


@lru_cache(maxsize=1)
def _cases() -> tuple[Case, ...]:
    place = _installed()
    machines, _ = _ask(place, [])
    rows = [*_machine_rows(machines), *_listed_rows()]
    _, answers = _ask(place, rows)
    cases = []
    for row, answer in zip(rows, answers, strict=True):
        kwh = answer.get("kwh")
        theirs = float(kwh) if kwh is not None else None
        cases.append(Case(str(row["provider"]), f"{row['service']} {row['usage_type']}", theirs, _ours(row)))
    return tuple(cases)


def _differences() -> list[dict[str, str]]:
    with (HERE / "differences.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def _fits(case: Case, line: dict[str, str]) -> bool:
    return case.provider == line["provider"] and fnmatchcase(case.name, line["pattern"])


def test_the_profile_agrees_but_for_the_differences_listed() -> None:
    """KWh agree within 1 % on every row whose difference is not listed, machines of all architectures included."""
    off = [case for case in _cases() if not case.agrees]
    assert [case for case in off if not any(_fits(case, line) for line in _differences())] == []
    agreeing = [case for case in _cases() if case.agrees]
    assert len(agreeing) > 900
    assert {case.provider for case in agreeing} == {"aws", "azure"}


def test_every_listed_difference_is_one() -> None:
    """No line of the list is left over: each matches rows, and none of these agrees."""
    for line in _differences():
        found = [case for case in _cases() if _fits(case, line)]
        assert found, line
        assert not any(case.agrees for case in found), line


@pytest.mark.parametrize(
    "kind",
    ["BoxUsage", "db.", "cache.", "VolumeUsage", "Snapshot", "Out-Bytes", "Lambda", "Fargate-vCPU", "DPU", "Kafka"],
)
def test_each_kind_of_usage_has_rows_that_agree(kind: str) -> None:
    """Machines, databases, caches, volumes, transfers, functions, containers are all among the rows that agree."""
    assert any(case.agrees and kind in case.name for case in _cases())


def test_the_page_shows_every_difference() -> None:
    """docs/methods/ccf.md names each pattern of the list with its reason."""
    page = (ROOT / "docs/methods/ccf.md").read_text(encoding="utf-8")
    for line in _differences():
        assert f"| {line['provider']} | `{line['pattern']}` | {line['reason']} |" in page, line
