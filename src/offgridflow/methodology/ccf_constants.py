"""Constants of Cloud Carbon Footprint (version of 2024-03, Apache-2.0), for the ``ccf`` profile.

Facts, with attribution: cloud-carbon-footprint/cloud-carbon-footprint, the constants files of packages/aws, azure, gcp
and core. The watts derive from SPECpower_ssj2008 results. Every constant is a ``Factor``, like those of a set.
"""

from typing import Final

from offgridflow.domain.trace import TermKind, leaf
from offgridflow.factors.model import Factor

SOURCE: Final = "Cloud Carbon Footprint"
SOURCE_REF: Final = "cloud-carbon-footprint/cloud-carbon-footprint@b7a049c"
LICENCE: Final = "Apache-2.0"
VINTAGE: Final = "2024-03"

WATTS: Final[dict[str, tuple[float, float]]] = {
    "Cascade Lake": (0.64, 3.97),
    "Skylake": (0.65, 4.26),
    "Broadwell": (0.71, 3.69),
    "Haswell": (1.0, 4.74),
    "Coffee Lake": (1.14, 5.42),
    "Sandy Bridge": (2.17, 8.58),
    "Ivy Bridge": (3.04, 8.25),
    "EPYC 1st Gen (Naples)": (0.82, 2.55),
    "EPYC 2nd Gen (Rome)": (0.47, 1.69),
    "EPYC 3rd Gen (Milan)": (0.45, 2.02),
    "Graviton2": (0.47, 1.69),
    "default.aws": (0.74, 3.5),
    "default.azure": (0.74, 3.54),
    "default.gcp": (0.68, 4.11),
}
"""Minimum and maximum watts of a vCPU by processor; a processor without watts takes the provider's default."""

CHIP_MEMORY_GB: Final[dict[str, float]] = {
    "Cascade Lake": 98.12,
    "Skylake": 81.32,
    "Broadwell": 69.65,
    "Haswell": 27.71,
    "Coffee Lake": 19.56,
    "Sandy Bridge": 16.7,
    "Ivy Bridge": 9.67,
    "EPYC 1st Gen (Naples)": 89.6,
    "EPYC 2nd Gen (Rome)": 129.78,
    "EPYC 3rd Gen (Milan)": 128.0,
    "Graviton2": 129.78,
    "default.aws": 80.69,
    "default.azure": 80.47,
    "default.gcp": 80.69,
}
"""GB that a SPECpower chip already had."""

GPU_WATTS: Final[dict[str, tuple[float, float]]] = {
    "NVIDIA K520": (26, 229),
    "AMD Radeon Pro V520": (26, 229),
    "NVIDIA A10G": (18, 153),
    "NVIDIA T4": (8, 71),
    "NVIDIA M60": (35, 306),
    "NVIDIA K80": (35, 306),
    "NVIDIA V100": (35, 306),
    "NVIDIA A100": (46, 407),
    "NVIDIA A100 SXM": (46, 407),
    "NVIDIA P4": (9, 76.5),
    "NVIDIA P100": (36, 306),
    "NVIDIA P40": (30, 255),
}

COEFFICIENTS: Final[dict[str, tuple[float, str]]] = {
    "utilisation": (0.5, "share"),
    "memory_w_per_gb": (0.392, "W/GB"),
    "hdd_wh_per_tbh": (0.65, "Wh/TBh"),
    "ssd_wh_per_tbh": (1.2, "Wh/TBh"),
    "network_kwh_per_gb": (0.001, "kWh/GB"),
    "pue.aws": (1.135, "ratio"),
    "pue.azure": (1.185, "ratio"),
    "pue.gcp": (1.1, "ratio"),
}

GCP_PUE: Final[dict[str, float]] = {
    "us-east1": 1.102,
    "us-central1": 1.11,
    "us-central2": 1.12,
    "us-west1": 1.095,
    "europe-west1": 1.08,
    "europe-west4": 1.09,
    "europe-north1": 1.09,
    "asia-east1": 1.13,
    "southamerica-east1": 1.09,
}

_SERC, _RFC, _WECC, _MRO, _TRE = 0.379069, 0.410608, 0.322167, 0.426254, 0.373231

GRID: Final[dict[str, float]] = {
    "aws.us-east-1": _SERC,
    "aws.us-east-2": _RFC,
    "aws.us-west-1": _WECC,
    "aws.us-west-2": _WECC,
    "aws.us-gov-east-1": _SERC,
    "aws.us-gov-west-1": _WECC,
    "aws.af-south-1": 0.9006,
    "aws.ap-east-1": 0.71,
    "aws.ap-south-1": 0.7082,
    "aws.ap-northeast-3": 0.4658,
    "aws.ap-northeast-2": 0.4156,
    "aws.ap-southeast-1": 0.408,
    "aws.ap-southeast-2": 0.76,
    "aws.ap-southeast-3": 0.7177,
    "aws.ap-northeast-1": 0.4658,
    "aws.ca-central-1": 0.12,
    "aws.cn-north-1": 0.5374,
    "aws.cn-northwest-1": 0.5374,
    "aws.eu-central-1": 0.311,
    "aws.eu-west-1": 0.2786,
    "aws.eu-west-2": 0.225,
    "aws.eu-south-1": 0.2134,
    "aws.eu-west-3": 0.0511,
    "aws.eu-north-1": 0.0088,
    "aws.me-south-1": 0.5059,
    "aws.me-central-1": 0.4041,
    "aws.sa-east-1": 0.0617,
    "azure.eastus": _SERC,
    "azure.eastus2": _SERC,
    "azure.northcentralus": _RFC,
    "azure.southcentralus": _TRE,
    "azure.centralus": _MRO,
    "azure.westcentralus": _WECC,
    "azure.westus": _WECC,
    "azure.westus2": _WECC,
    "azure.westus3": _WECC,
    "azure.northeurope": 0.2786,
    "azure.uksouth": 0.225,
    "azure.ukwest": 0.225,
    "azure.centralindia": 0.7082,
    "azure.southindia": 0.7082,
    "azure.westindia": 0.7082,
}
"""kgCO2e/kWh, one fixed value per region. Regions that are not here take the factor set's direct (else lifecycle) one:
CCF's own table for Google is Google's published grid factor, which the set holds for the year."""

COPIES: Final[tuple[tuple[str, str, float], ...]] = (
    ("aws", r"s3.*(?:zia|rrs)", 2.0),
    ("aws", r"s3.*timedstorage", 6.0),
    ("aws", r"ebs:snapshot", 3.0),
    ("aws", r"ebs:volume", 2.0),
    ("aws", r"(?:efs|filesystem).*zia", 2.0),
    ("aws", r"efs|elastic file", 3.0),
    ("aws", r"(?:rds|docdb|documentdb|elasticache).*backup", 3.0),
    ("aws", r"rds.*aurora", 6.0),
    ("aws", r"multi-az|docdb|documentdb|dynamodb|simpledb", 2.0),
    ("aws", r"ecr.*timedstorage", 3.0),
    ("azure", r"gzrs|grs", 6.0),
    ("azure", r"lrs|zrs|disk|mysql|sql", 3.0),
    ("azure", r"cosmos", 4.0),
    ("azure", r"redis", 2.0),
    ("gcp", r"kubernetes", 3.0),
    ("gcp", r"cloud storage|regional|snapshot|image|filestore|spanner", 2.0),
)
"""Replication by provider and a pattern on service and meter, first hit wins; 1 where none does."""


def _made(kind: str, key: str, value: float, unit: str) -> Factor:
    return Factor(
        factor_id=f"ccf.{kind}.{key}",
        kind=f"ccf_{kind}",
        key=key,
        low=value,
        central=value,
        high=value,
        unit=unit,
        boundary="direct_generation" if kind == "grid" else "none",
        evidence="read",
        source=SOURCE,
        source_ref=SOURCE_REF,
        licence=LICENCE,
        vintage=VINTAGE,
        valid_from=None,
        valid_to=None,
    )


def _all() -> dict[str, Factor]:
    made = [_made("coefficient", key, value, unit) for key, (value, unit) in COEFFICIENTS.items()]
    for kind, table in (("watts", WATTS), ("gpu_watts", GPU_WATTS)):
        for key, (least, most) in table.items():
            made += [_made(f"{kind}_min", key, least, "W"), _made(f"{kind}_max", key, most, "W")]
    made += [_made("chip_memory", key, value, "GB") for key, value in CHIP_MEMORY_GB.items()]
    made += [_made("pue", key, value, "ratio") for key, value in GCP_PUE.items()]
    made += [_made("grid", key, value, "kgCO2e/kWh") for key, value in GRID.items()]
    made += [_made("copies", f"{provider}.{pattern}", copies, "copies") for provider, pattern, copies in COPIES]
    return {factor.factor_id: factor for factor in made}


FACTORS: Final[dict[str, Factor]] = _all()
"""Every constant of the profile by its factor id (``ccf.<kind>.<key>``)."""


def number(kind: str, key: str) -> float:
    """Return the value of a constant; while a recording goes on it says which constant it is."""
    factor = FACTORS[f"ccf.{kind}.{key}"]
    name = f"{factor.kind} {factor.key}"
    return leaf(factor.central, TermKind.COEFFICIENT, name, factor.unit, factor_ids=(factor.factor_id,))
