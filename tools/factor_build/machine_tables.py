"""What is known of machines beyond the research files: baselines, disks, accelerators, added families.

Recalled from the providers' documentation. The longer tables are in ``own/``.
"""

import re
from typing import NamedTuple

from tools.factor_build.tables import own

AWS_BASELINES: dict[str, dict[str, float]] = {
    "t2": {
        "nano": 0.05,
        "micro": 0.10,
        "small": 0.20,
        "medium": 0.20,
        "large": 0.30,
        "xlarge": 0.225,
        "2xlarge": 0.16875,
    },
    "t3": {"nano": 0.05, "micro": 0.10, "small": 0.20, "medium": 0.20, "large": 0.30, "xlarge": 0.40, "2xlarge": 0.40},
}
"""Baseline per vCPU. t3a and t4g are as t3."""

AZURE_B1_BASELINES = {
    "Standard_B1ls": 0.05,
    "Standard_B1s": 0.10,
    "Standard_B1ms": 0.20,
    "Standard_B2s": 0.20,
    "Standard_B2ms": 0.30,
    "Standard_B4ms": 0.225,
    "Standard_B8ms": 0.16875,
    "Standard_B12ms": 0.16833,
    "Standard_B16ms": 0.16875,
    "Standard_B20ms": 0.1685,
}
_AZURE_B2 = re.compile(r"Standard_B\d+[ap]?(t|l|)s_v2")
_AZURE_B2_BASELINES = {"t": 0.20, "l": 0.30, "": 0.40}

GCP_BASELINES = {
    "e2-micro": (2.0, 0.125),
    "e2-small": (2.0, 0.25),
    "e2-medium": (2.0, 0.50),
    "f1-micro": (1.0, 0.20),
    "g1-small": (1.0, 0.50),
}
"""vCPUs that the guest sees, and the baseline of each."""


def baseline(provider: str, name: str) -> float | None:
    """Return the burstable baseline per vCPU (0..1), None where the type is not burstable or has no published one."""
    if provider == "aws":
        family, _, size = name.partition(".")
        return AWS_BASELINES.get({"t3a": "t3", "t4g": "t3"}.get(family, family), {}).get(size)
    if provider == "gcp":
        return GCP_BASELINES[name][1] if name in GCP_BASELINES else None
    if name in AZURE_B1_BASELINES:
        return AZURE_B1_BASELINES[name]
    match = _AZURE_B2.fullmatch(name)
    return None if match is None else _AZURE_B2_BASELINES[match[1]]


ACCELERATOR_NAMES = {
    "inferentia": "AWS Inferentia",
    "inferentia2": "AWS Inferentia2",
    "trainium": "AWS Trainium",
    "trainium2": "AWS Trainium2",
    "gaudi": "Intel Gaudi",
    "qualcomm-ai100": "Qualcomm AI 100",
}

ACCELERATORS = {
    (raw["provider"], raw["instance_type"]): (raw["model"], float(raw["count"])) for raw in own("accelerator_counts")
}
"""Accelerators that the research file lacks or counts wrongly (methodology.md section 6)."""

PROCESSORS: tuple[tuple[str, str, str], ...] = (
    ("azure", r"Standard_NC\d+as_T4_v3", "EPYC 2nd Gen (Rome)"),
    ("azure", r"Standard_NC\d+ads_A100_v4", "EPYC 3rd Gen (Milan)"),
    ("azure", r"Standard_NCC?\d+adi?s_H100_v5", "EPYC 4th Gen (Genoa/Bergamo)"),
    ("azure", r"Standard_L\d+as_v3", "EPYC 3rd Gen (Milan)"),
    ("azure", r"Standard_L\d+ao?s_v4", "EPYC 4th Gen (Genoa/Bergamo)"),
    ("azure", r"Standard_DS?\d+(?:-\d+)?_v2_Promo", "Broadwell"),
    ("aws", r"mac(?:2|-m4).*", "Apple silicon"),
    ("gcp", r"custom-.*", "Skylake"),
)
"""Processor generations that the research file guessed wrongly."""

WHOLE_HOSTS: tuple[tuple[str, str], ...] = (
    ("aws", r".*\.metal.*"),
    ("aws", r"hpc.*"),
    ("azure", r"Standard_HB\d+(?:-\d+)?rs_v\d|Standard_HC44(?:-\d+)?rs|Standard_HX176(?:-\d+)?rs"),
    ("azure", r"Standard_H16.*|Standard_HB60(?:-\d+)?rs"),
    ("gcp", r".*-metal|h3-standard-88|h4d-.*-192.*"),
)
"""Machines that fill their host: share 1, whatever the host's count of cores."""


HOSTS = own("hosts")
"""Hosts whose size the research file gives inconsistently: provider, pattern of the type, vCPUs, sockets, reason."""


class Disks(NamedTuple):
    """Local disks that the research file lacks or calls by the wrong medium."""

    ssd_tb: float
    hdd_drives: float


_AWS_DISKS: dict[str, dict[str, Disks]] = {
    "d2": {"xlarge": Disks(0, 3), "2xlarge": Disks(0, 6), "4xlarge": Disks(0, 12), "8xlarge": Disks(0, 24)},
    "h1": {"2xlarge": Disks(0, 1), "4xlarge": Disks(0, 2), "8xlarge": Disks(0, 4), "16xlarge": Disks(0, 8)},
    "i2": {"xlarge": Disks(0.8, 0), "2xlarge": Disks(1.6, 0), "4xlarge": Disks(3.2, 0), "8xlarge": Disks(6.4, 0)},
    "i3": {
        "large": Disks(0.475, 0),
        "xlarge": Disks(0.95, 0),
        "2xlarge": Disks(1.9, 0),
        "4xlarge": Disks(3.8, 0),
        "8xlarge": Disks(7.6, 0),
        "16xlarge": Disks(15.2, 0),
        "metal": Disks(15.2, 0),
    },
    "f1": {"2xlarge": Disks(0.47, 0), "4xlarge": Disks(0.94, 0), "16xlarge": Disks(3.76, 0)},
    "x1": {"16xlarge": Disks(1.92, 0), "32xlarge": Disks(3.84, 0)},
}
_DENSE_DRIVES_TB = {"d3": 1.98, "d3en": 13.98}
_AZURE_SSD_TB_PER_VCPU: tuple[tuple[str, float], ...] = (
    (r"Standard_L\d+aos_v4", 0.72),
    (r"Standard_L\d+a?s_v[234]", 0.24),
    (r"Standard_NC\d+ads_A100_v4", 0.04),
    (r"Standard_NCC?\d+adi?s_H100_v5", 0.0894),
    (r"Standard_ND96isr_H[12]00_v5|Standard_ND96isr?_MI300X_v5", 0.2987),
    (r"Standard_ND96a(?:ms)?sr(?:_A100)?_v4|Standard_ND96amsr_A100_v4", 0.0667),
    (r"Standard_[DEF]C?\d+(?:-\d+)?[a-z]*d[a-z]*_v[67]", 0.055),
    (r"Standard_[DE]C?\d+(?:-\d+)?[a-z]*d[a-z]*(?:_cc)?_v[45]", 0.0375),
)


def disks(provider: str, name: str, vcpu: float, nvme_gb: float) -> Disks | None:
    """Return the disks of a machine where they differ from the research file, else None."""
    if provider == "aws":
        family, _, size = name.partition(".")
        if family in _DENSE_DRIVES_TB:
            return Disks(0, round(nvme_gb / 1000 / _DENSE_DRIVES_TB[family]))
        return _AWS_DISKS.get(family, {}).get(size)
    if provider == "azure" and not nvme_gb:
        for pattern, per_vcpu in _AZURE_SSD_TB_PER_VCPU:
            if re.fullmatch(pattern, name):
                return Disks(round(per_vcpu * vcpu, 4), 0)
    return None


class Added(NamedTuple):
    """A machine that the research file lacks."""

    provider: str
    name: str
    vcpu: float
    memory_gib: float
    processor: str
    gpu: str
    gpu_count: float
    platform_vcpu: float
    sockets: int
    ssd_tb: float
    hdd_drives: float
    physical_core: bool


def added() -> list[Added]:
    """Return the families that old and new bills hold and the research file lacks (methodology.md section 6).

    Azure's old Basic and Standard A sizes share a look-up form; they are equal.
    """
    return [
        Added(
            raw["provider"],
            raw["name"],
            float(raw["vcpu"]),
            float(raw["memory_gib"]),
            raw["processor"],
            raw["gpu"],
            float(raw["gpu_count"]),
            float(raw["platform_vcpu"]),
            int(raw["sockets"]),
            float(raw["ssd_tb"]),
            float(raw["hdd_drives"]),
            raw["physical_core"] == "yes",
        )
        for raw in own("machines")
    ]
