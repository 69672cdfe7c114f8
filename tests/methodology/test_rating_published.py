"""The validation cases of ../shared/factors/validation_cases.csv: what can be recomputed is; what cannot is named."""

import csv
from collections.abc import Callable
from pathlib import Path

import pytest

from offgridflow.methodology import ccf, published
from offgridflow.methodology.published import LanguageModel, server_kg, time_and_share_kg

CASES = Path(__file__).parents[2] / "../shared/factors/validation_cases.csv"

Numbers = tuple[float, ...]
GPT_4O = (LanguageModel(44, 440, 74, 0.61), LanguageModel(132, 440, 74, 0.61))
DENSE = LanguageModel(32.3, 32.3)
LIFE = 35_040


def _with_grid(kwh: float, tonnes_per_kwh: float) -> Numbers:
    return kwh, kwh * tonnes_per_kwh


RECOMPUTED: dict[str, tuple[Callable[[], Numbers], Numbers, float]] = {
    "CCF-1": (
        lambda: _with_grid(ccf.compute_kwh(1, (0.71, 3.46), 0.01, 1.135, 2), 0.000415755),
        (0.001674125, 6.96025839375e-7),
        1e-12,
    ),
    "CCF-2": (
        lambda: _with_grid(ccf.compute_kwh(1, (350, 350), 0.5, 1.135), 0.000928),
        (0.39725, 0.000368648),
        1e-12,
    ),
    "CCF-3": (lambda: _with_grid(ccf.storage_kwh(1, 1.2, 1.135), 0.000415755), (0.001362, 5.6625831e-7), 1e-12),
    "CCF-4": (lambda: _with_grid(ccf.per_gb_kwh(1e7, 0.001, 1.135), 0.000415755), (11350, 4.71881925), 1e-9),
    "CCF-5": (lambda: _with_grid(ccf.per_gb_kwh(1e7, 0.001, 1.09), 0.000109), (10900, 1.1881), 1e-9),
    "CCF-6": (
        lambda: _with_grid(ccf.per_gb_kwh(90, 0.000392, 1.11, 2), 0.000479),
        (0.0783216, 3.75160464e-5),
        1e-12,
    ),
    "CCF-7": (
        lambda: _with_grid(ccf.per_gb_kwh(80, 0.000392, 1.135), 0.000415755),
        (0.0355936, 1.4798217168e-5),
        1e-12,
    ),
    "CCF-8": (lambda: (ccf.embodied_kg(1.7957, 24, 1, 96),), (1.2811786529680366e-5,), 1e-15),
    "ETSY-1": (lambda: (published.mean_watts(0.55, 3.71, 0.495),), (2.1142,), 0.01),
    "ETSY-2": (lambda: (8.6 * 0.95**4 / (10 / 1.27),), (0.890,), 0.005),
    "ETSY-3": (lambda: (6 / (5 / 1.27),), (1.524,), 0.005),
    "ETSY-4": (lambda: (published.watts_of_dynamic_range(330, 0.44, 0.495),), (236.7,), 0.1),
    "CCF-M1": (lambda: (6.5 / 10,), (0.65,), 0),
    "CCF-M2": (lambda: (6 / 5,), (1.2,), 0),
    "CCF-M3": (lambda: ((3 / 8 + 0.4083) / 2,), (0.39165,), 0.0005),
    "CCF-E1": (lambda: (server_kg(384, 2),), (1610.79,), 0.01),
    "CCF-E2": (lambda: (server_kg(32, 1),), (1022.21,), 0.01),
    "SCI-1": (lambda: (time_and_share_kg(1000, 1, LIFE) * 1000,), (28.54,), 0.005),
    "SCI-2": (
        lambda: _sci(205 * 0.32 / 1000, 951, time_and_share_kg(1205.52, 1, LIFE, 2 / 16) * 1000),
        (0.0656, 4.3005, 66.69),
        0.02,
    ),
    "SCI-3": (
        lambda: _sci(150 * 0.32 / 1000, 951, time_and_share_kg(1433.12, 1, LIFE, 2 / 16) * 1000),
        (0.048, 5.1125, 50.76),
        0.02,
    ),
    "SCI-4": (lambda: (0.01529 * 951,), (14.54,), 0.01),
    "SCI-5": (lambda: (66.6906 + 50.76 + 24.96 + 14.54,), (156.95,), 0.02),
    "SCI-6": (lambda: (0.110 * 554 + 6.87,), (67.81,), 0.01),
    "SCI-7": (lambda: (0.159 * 554 + 6.87,), (94.956,), 0.01),
    "GREENOPS-1": (
        lambda: ((13.6 + 8 * 0.392) * 1.13 * 730 / 1000, (13.6 + 8 * 0.392) * 1.13 * 730 / 1000 * 384.5),
        (13.806, 5308.2),
        5.0,
    ),
    "GREENOPS-2": (lambda: (time_and_share_kg(1.2e6, 730, LIFE, 1 / 48),), (520.8,), 0.1),
    "EPA-1": (lambda: (published.g_per_kwh(770.884),), (349.667,), 0.001),
    "EPA-2": (lambda: (published.g_per_kwh(599.170),), (271.779,), 0.001),
    "EPA-3": (lambda: (published.co2e(428.464, 0.025, 0.003),), (429.983,), 0.15),
    "AI-3": (
        lambda: (*(published.model_wh(each, 1000) for each in GPT_4O), published.model_embodied_g(GPT_4O[0], 1000)),
        (1.19646, 1.99819, 0.03678),
        1e-4,
    ),
    "AI-4": (
        lambda: (published.model_wh(DENSE, 1000), published.model_embodied_g(DENSE, 1000)),
        (0.0988648, 0.0099859),
        1e-6,
    ),
    "UNIT-1": (lambda: (1 * 0.4, 1 * 0.4 / 1000), (0.4, 0.0004), 1e-15),
    "SPRUCE-BUG": (lambda: (0.013 * 0.277778,), (0.00361,), 5e-6),
}
"""Case: our arithmetic, the published figures, the tolerance of the case (absolute)."""

LOOKED_UP = {"TEADS-m5.large", "TEADS-c5.xlarge", "TEADS-m6g.xlarge", "TEADS-r5.4xlarge", "TEADS-p3.2xlarge"}
"""Figures of a data set, compared with the factor set by test_rating_real_set.py."""

NOT_RECOMPUTABLE = {
    "BOA-1": "output of boaviztapi, an AGPL program whose tables must not be here",
    "BOA-2": "output of boaviztapi",
    "BOA-3": "output of boaviztapi",
    "BOA-4": "output of boaviztapi, older version",
    "BOA-5": "output of boaviztapi",
    "CCF-ISSUE-919": "the bill behind it is not public; an order of magnitude between two tools",
    "AI-1": "measured in a provider's fleet",
    "AI-2": "result of a life-cycle assessment that is not public",
}


def _sci(kwh: float, g_per_kwh: float, embodied_g: float) -> Numbers:
    return kwh, embodied_g, kwh * g_per_kwh + embodied_g


@pytest.mark.parametrize("case", RECOMPUTED)
def test_published_figures_recompute(case: str) -> None:
    """Our formulas give the published figures of this case within its tolerance."""
    compute, expected, tolerance = RECOMPUTED[case]
    found = compute()
    assert len(found) == len(expected)
    for value, figure in zip(found, expected, strict=True):
        assert abs(value - figure) <= tolerance + 1e-12 * abs(figure)


def test_the_unit_fault_of_a_peer_is_not_ours() -> None:
    """What a peer took for MJ is kWh: its m5.large hour is 3.6 times below the program's own figure."""
    assert pytest.approx(3.6, rel=1e-5) == 0.013 / (0.013 * 0.277778)


@pytest.mark.inputs
def test_every_case_is_recomputed_looked_up_or_named() -> None:
    """The file holds no case that is silently left out."""
    if not CASES.exists():
        pytest.skip("../shared/factors is not here")
    with CASES.open(encoding="utf-8") as file:
        ids = {row["case_id"] for row in csv.DictReader(file)}
    assert ids == set(RECOMPUTED) | LOOKED_UP | set(NOT_RECOMPUTABLE)
    assert len(ids) == len(RECOMPUTED) + len(LOOKED_UP) + len(NOT_RECOMPUTABLE) == 46
