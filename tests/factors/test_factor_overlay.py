"""Grid factors that users bring."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from offgridflow.domain.model import Span
from offgridflow.domain.periods import Month
from offgridflow.domain.reasons import Assumption
from offgridflow.factors import Catalogue, FactorSetError, UserGridRow, load, read_user_grid

HEADER = "provider,place,period,g_per_kwh,boundary,source\n"
JUNE = Month(2025, 6)


@pytest.fixture(scope="module")
def catalogue() -> Catalogue:
    """The set that ships, loaded once: it is read-only."""
    return load()


def _file(folder: Path, *lines: str) -> Path:
    path = folder / "own.csv"
    path.write_text(HEADER + "".join(f"{line}\n" for line in lines), encoding="utf-8")
    return path


def test_user_factor_wins_and_is_named(catalogue: Catalogue, tmp_path: Path) -> None:
    """The user's factor replaces the set's for its region and year, with an id, a mark, a source and a new digest."""
    rows = read_user_grid(_file(tmp_path, "aws,eu-west-1,2025,240,lifecycle_delivered,SEAI 2026"))
    laid = catalogue.with_user_grid(rows, "seai")
    grid = laid.grid("aws", "eu-west-1", JUNE)
    assert grid is not None
    assert grid.lifecycle_delivered == Span.exactly(0.24)
    assert grid.factor_ids == ("user:seai:aws:eu-west-1:2025:lifecycle_delivered",)
    assert grid.marks == (Assumption.GRID_USER,)
    assert laid.factor(grid.factor_ids[0]).source == "SEAI 2026"
    assert laid.digest != catalogue.digest
    assert laid.name == f"{catalogue.name}+seai"
    assert catalogue.grid("aws", "eu-west-1", JUNE) != grid
    assert laid.grid("aws", "eu-west-2", JUNE) == catalogue.grid("aws", "eu-west-2", JUNE)


def test_country_reaches_every_provider(catalogue: Catalogue, tmp_path: Path) -> None:
    """A factor of a country is that of all its regions in all clouds; a region's own factor is closer."""
    path = _file(tmp_path, ",DEU,2025,300,lifecycle_delivered,UBA", "gcp,europe-west3,2025,310,lifecycle_delivered,TSO")
    laid = catalogue.with_user_grid(read_user_grid(path), "own")
    for provider, region, kg in (
        ("aws", "eu-central-1", 0.3),
        ("azure", "germanynorth", 0.3),
        ("gcp", "europe-west3", 0.31),
    ):
        grid = laid.grid(provider, region, JUNE)
        assert grid is not None
        assert grid.lifecycle_delivered == Span.exactly(kg)


def test_precedence_of_the_set_only_fills_gaps(catalogue: Catalogue, tmp_path: Path) -> None:
    """With precedence factor_set the user's direct factor is taken where the set has none, the lifecycle one is not."""
    path = _file(tmp_path, ",FRA,2025,15,direct,RTE", ",FRA,2025,99,lifecycle_delivered,RTE")
    laid = catalogue.with_user_grid(read_user_grid(path), "rte", "factor_set")
    before, after = (each.grid("aws", "eu-west-3", JUNE) for each in (catalogue, laid))
    assert before is not None
    assert after is not None
    assert after.direct == Span.exactly(0.015)
    assert after.lifecycle_delivered == before.lifecycle_delivered
    assert set(before.factor_ids) < set(after.factor_ids)


def test_month_before_year_before_older(catalogue: Catalogue, tmp_path: Path) -> None:
    """A month's own factor comes first, then its year's, then the newest older one, which is marked newest."""
    path = _file(
        tmp_path,
        ",ESP,2024,150,lifecycle_delivered,REE",
        ",ESP,2025-06,90,lifecycle_delivered,REE",
        ",ESP,2025-07-01T00,80,lifecycle_delivered,REE",
        ",ESP,2025-07-01T01,100,lifecycle_delivered,REE",
    )
    laid = catalogue.with_user_grid(read_user_grid(path), "ree")
    expected = {
        Month(2024, 3): (0.15, False),
        JUNE: (0.09, False),
        Month(2025, 7): (0.09, False),
        Month(2026, 1): (0.09, True),
    }
    for month, (kg, newest) in expected.items():
        grid = laid.grid("aws", "eu-south-2", month)
        assert grid is not None
        assert grid.lifecycle_delivered is not None
        assert grid.lifecycle_delivered.central == pytest.approx(kg)
        assert grid.newest is newest


def test_generation_is_delivered_with_default_losses(catalogue: Catalogue, tmp_path: Path) -> None:
    """A factor per kWh generated gets the default losses, and says so."""
    laid = catalogue.with_user_grid(read_user_grid(_file(tmp_path, ",ITA,2025,190,lifecycle_generation,Terna")), "t")
    grid = laid.grid("azure", "italynorth", JUNE)
    assert grid is not None
    assert grid.lifecycle_delivered == Span.exactly(0.19 / 0.95)
    assert Assumption.GRID_LOSS_DEFAULT in grid.marks


@pytest.mark.parametrize(
    ("line", "column"),
    [
        ("aws,eu-west-1,2025,abc,direct,me", "g_per_kwh"),
        ("aws,eu-west-1,2025,nan,direct,me", "g_per_kwh"),
        ("aws,eu-west-1,2025,-1,direct,me", "g_per_kwh"),
        ("aws,eu-west-1,2025,3001,direct,me", "g_per_kwh"),
        ("aws,eu-west-1,2025-13,1,direct,me", "period"),
        ("aws,eu-west-1,2025-00,1,direct,me", "period"),
        ("aws,eu-west-1,25,1,direct,me", "period"),
        ("aws,eu-west-1,2025-01-01T24,1,direct,me", "period"),
        ("aws,eu-west-1,2025-02-29T10,1,direct,me", "period"),
        ("aws,eu-west-1,2025-01-01,1,direct,me", "period"),
        ("aws,eu-west-1,2025,1,market,me", "boundary"),
        ("aws,,2025,1,direct,me", "place"),
        ("aws,eu-west-1,2025,1,direct,", "source"),
    ],
)
def test_wrong_cell_is_named(tmp_path: Path, line: str, column: str) -> None:
    """A wrong cell is refused with file, line and column, and what would be accepted."""
    path = _file(tmp_path, "aws,us-east-1,2025,300,direct,me", line)
    with pytest.raises(FactorSetError, match=rf"own\.csv, line 3, column {column}") as caught:
        read_user_grid(path)
    assert caught.value.action


def test_a_wrong_cell_is_named_by_its_physical_line(tmp_path: Path) -> None:
    """A line break inside a cell, and a line without any cell, count as the lines that an editor shows."""
    path = _file(tmp_path, 'aws,us-east-1,2025,300,direct,"me\nand you"', "", "aws,eu-west-1,2025,abc,direct,me")
    with pytest.raises(FactorSetError, match=r"own\.csv, line 5, column g_per_kwh"):
        read_user_grid(path)


def test_wrong_files_are_refused(tmp_path: Path, catalogue: Catalogue) -> None:
    """Missing columns, short lines, two values for one period, unknown places and absent files are refused."""
    (tmp_path / "own.csv").write_text("place,period\nx,2025\n", encoding="utf-8")
    with pytest.raises(FactorSetError, match="line 1: column provider is missing"):
        read_user_grid(tmp_path / "own.csv")
    with pytest.raises(FactorSetError, match="line 2: 3 cells"):
        read_user_grid(_file(tmp_path, "aws,eu-west-1,2025"))
    with pytest.raises(FactorSetError, match=r"own\.csv, line 2: .*end of data") as open_quote:
        read_user_grid(_file(tmp_path, 'aws,"eu-west-1,2025,1,direct,me'))
    assert "close each quote" in open_quote.value.action
    for period in ("2025", "2025-03", "2025-03-30T01"):
        twice = f"aws,eu-west-1,{period},1,direct,me"
        with pytest.raises(FactorSetError, match=f"two values for {period},"):
            read_user_grid(_file(tmp_path, twice, twice))
    with pytest.raises(FactorSetError, match="cannot be read"):
        read_user_grid(tmp_path / "absent.csv")
    with pytest.raises(FactorSetError, match="'Atlantis' is not known"):
        catalogue.with_user_grid(read_user_grid(_file(tmp_path, ",Atlantis,2025,1,direct,me")), "own")


@given(grams=st.floats(0, 3000), year=st.integers(2018, 2030))
def test_laid_value_comes_back(catalogue: Catalogue, grams: float, year: int) -> None:
    """Whatever lies in range comes back as kilograms for its own year, and no other region moves."""
    row = UserGridRow("", "POL", year, 0, grams, "lifecycle_delivered", "me")
    laid = catalogue.with_user_grid([row], "own")
    grid = laid.grid("gcp", "europe-central2", Month(year, 1))
    assert grid is not None
    assert grid.lifecycle_delivered == Span.exactly(grams / 1000)
    assert laid.grid("gcp", "us-central1", JUNE) == catalogue.grid("gcp", "us-central1", JUNE)


def test_pinned_year_keeps_its_vintage(catalogue: Catalogue) -> None:
    """A closed year that is pinned keeps the older vintage, marked newest, under another digest."""
    pinned = catalogue.with_pins({2025: 2023})
    grid = pinned.grid("aws", "eu-west-1", JUNE)
    assert grid is not None
    assert grid.year == 2023
    assert pinned.digest != catalogue.digest
    assert pinned.grid("aws", "eu-west-1", Month(2024, 1)) == catalogue.grid("aws", "eu-west-1", Month(2024, 1))
