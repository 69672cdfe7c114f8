"""What is known of machines beyond the research files: baselines, disks, accelerators, added families. All recalled
from the providers' documentation unless a row says otherwise."""

import re
from typing import NamedTuple

AWS_BASELINES = {
    "t2": {"nano": 0.05, "micro": 0.10, "small": 0.20, "medium": 0.20, "large": 0.30, "xlarge": 0.225, "2xlarge": 0.16875},
    "t3": {"nano": 0.05, "micro": 0.10, "small": 0.20, "medium": 0.20, "large": 0.30, "xlarge": 0.40, "2xlarge": 0.40},
}
"""Baseline per vCPU. t3a and t4g are as t3."""

AZURE_B1_BASELINES = {
    "Standard_B1ls": 0.05, "Standard_B1s": 0.10, "Standard_B1ms": 0.20, "Standard_B2s": 0.20, "Standard_B2ms": 0.30,
    "Standard_B4ms": 0.225, "Standard_B8ms": 0.16875, "Standard_B12ms": 0.16833, "Standard_B16ms": 0.16875,
    "Standard_B20ms": 0.1685,
}  # fmt: skip
_AZURE_B2 = re.compile(r"Standard_B\d+[ap]?(t|l|)s_v2")
_AZURE_B2_BASELINES = {"t": 0.20, "l": 0.30, "": 0.40}

GCP_BASELINES = {
    "e2-micro": (2.0, 0.125), "e2-small": (2.0, 0.25), "e2-medium": (2.0, 0.50), "f1-micro": (1.0, 0.20), "g1-small": (1.0, 0.50),
}  # fmt: skip
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
    "inferentia": "AWS Inferentia", "inferentia2": "AWS Inferentia2", "trainium": "AWS Trainium",
    "trainium2": "AWS Trainium2", "gaudi": "Intel Gaudi", "qualcomm-ai100": "Qualcomm AI 100",
}  # fmt: skip

ACCELERATORS: dict[tuple[str, str], tuple[str, float]] = {
    ("aws", "p6e-gb200.36xlarge"): ("NVIDIA GB200", 4),
    ("aws", "trn2u.48xlarge"): ("AWS Trainium2", 16),
    ("aws", "trn2.3xlarge"): ("AWS Trainium2", 1),
    ("aws", "f1.2xlarge"): ("Xilinx VU9P", 1),
    ("aws", "f1.4xlarge"): ("Xilinx VU9P", 2),
    ("aws", "f1.16xlarge"): ("Xilinx VU9P", 8),
    ("aws", "f2.6xlarge"): ("AMD VU47P", 1),
    ("aws", "f2.12xlarge"): ("AMD VU47P", 2),
    ("aws", "f2.48xlarge"): ("AMD VU47P", 8),
    ("aws", "vt1.3xlarge"): ("Xilinx U30", 1),
    ("aws", "vt1.6xlarge"): ("Xilinx U30", 2),
    ("aws", "vt1.24xlarge"): ("Xilinx U30", 8),
    ("azure", "Standard_ND96is_MI300X_v5"): ("AMD MI300X", 8),
    ("azure", "Standard_NG8ads_V620_v1"): ("AMD Radeon Pro V620", 0.25),
    ("azure", "Standard_NG16ads_V620_v1"): ("AMD Radeon Pro V620", 0.5),
    ("azure", "Standard_NG32ads_V620_v1"): ("AMD Radeon Pro V620", 1),
    ("azure", "Standard_NG32adms_V620_v1"): ("AMD Radeon Pro V620", 1),
    ("azure", "Standard_NV24ads_V710_v5"): ("AMD Radeon Pro V710", 1),
    ("azure", "Standard_NV28adms_V710_v5"): ("AMD Radeon Pro V710", 1),
    ("gcp", "g4-standard-6"): ("NVIDIA RTX PRO 6000", 0.125),
    ("gcp", "g4-standard-12"): ("NVIDIA RTX PRO 6000", 0.25),
    ("gcp", "g4-standard-24"): ("NVIDIA RTX PRO 6000", 0.5),
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


class Disks(NamedTuple):
    """Local disks that the research file lacks or calls by the wrong medium."""

    ssd_tb: float
    hdd_drives: float


_AWS_DISKS: dict[str, dict[str, Disks]] = {
    "d2": {"xlarge": Disks(0, 3), "2xlarge": Disks(0, 6), "4xlarge": Disks(0, 12), "8xlarge": Disks(0, 24)},
    "h1": {"2xlarge": Disks(0, 1), "4xlarge": Disks(0, 2), "8xlarge": Disks(0, 4), "16xlarge": Disks(0, 8)},
    "i2": {"xlarge": Disks(0.8, 0), "2xlarge": Disks(1.6, 0), "4xlarge": Disks(3.2, 0), "8xlarge": Disks(6.4, 0)},
    "i3": {
        "large": Disks(0.475, 0), "xlarge": Disks(0.95, 0), "2xlarge": Disks(1.9, 0), "4xlarge": Disks(3.8, 0),
        "8xlarge": Disks(7.6, 0), "16xlarge": Disks(15.2, 0), "metal": Disks(15.2, 0),
    },
    "f1": {"2xlarge": Disks(0.47, 0), "4xlarge": Disks(0.94, 0), "16xlarge": Disks(3.76, 0)},
    "x1": {"16xlarge": Disks(1.92, 0), "32xlarge": Disks(3.84, 0)},
}  # fmt: skip
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
    sockets: int = 2
    ssd_tb: float = 0.0
    physical_core: bool = False


_A, _Z, _G = "aws", "azure", "gcp"
ADDED: tuple[Added, ...] = (
    Added(_A, "p2.xlarge", 4, 61, "Broadwell", "NVIDIA K80", 1, 64),
    Added(_A, "p2.8xlarge", 32, 488, "Broadwell", "NVIDIA K80", 8, 64),
    Added(_A, "p2.16xlarge", 64, 732, "Broadwell", "NVIDIA K80", 16, 64),
    Added(_A, "g2.2xlarge", 8, 15, "Sandy Bridge", "NVIDIA K520", 1, 32, ssd_tb=0.06),
    Added(_A, "g2.8xlarge", 32, 60, "Sandy Bridge", "NVIDIA K520", 4, 32, ssd_tb=0.24),
    Added(_A, "g3s.xlarge", 4, 30.5, "Broadwell", "NVIDIA M60", 1, 64),
    Added(_A, "g3.4xlarge", 16, 122, "Broadwell", "NVIDIA M60", 1, 64),
    Added(_A, "g3.8xlarge", 32, 244, "Broadwell", "NVIDIA M60", 2, 64),
    Added(_A, "g3.16xlarge", 64, 488, "Broadwell", "NVIDIA M60", 4, 64),
    Added(_A, "trn3.48xlarge", 192, 2048, "Sapphire Rapids", "AWS Trainium3", 16, 192, ssd_tb=7.6),
    Added(_A, "p6e-gb300.36xlarge", 144, 960, "Nvidia Grace", "NVIDIA GB300", 4, 144, ssd_tb=30.4, physical_core=True),
    Added(_Z, "Standard_ND128isr_NDR_GB200_v6", 128, 900, "Nvidia Grace", "NVIDIA GB200", 4, 144, ssd_tb=16, physical_core=True),
    Added(_Z, "Standard_ND128isr_GB300_v6", 128, 900, "Nvidia Grace", "NVIDIA GB300", 4, 144, ssd_tb=16, physical_core=True),
    Added(_Z, "Standard_H8", 8, 56, "Haswell", "", 0, 16, physical_core=True),
    Added(_Z, "Standard_H8m", 8, 112, "Haswell", "", 0, 16, physical_core=True),
    Added(_Z, "Standard_H16", 16, 112, "Haswell", "", 0, 16, physical_core=True),
    Added(_Z, "Standard_H16m", 16, 224, "Haswell", "", 0, 16, physical_core=True),
    Added(_Z, "Standard_H16r", 16, 112, "Haswell", "", 0, 16, physical_core=True),
    Added(_Z, "Standard_H16mr", 16, 224, "Haswell", "", 0, 16, physical_core=True),
    Added(_Z, "Standard_HB60rs", 60, 228, "EPYC 1st Gen (Naples)", "", 0, 60, physical_core=True),
    Added(_Z, "Standard_HB60-45rs", 60, 228, "EPYC 1st Gen (Naples)", "", 0, 60, physical_core=True),
    Added(_Z, "Standard_HB60-30rs", 60, 228, "EPYC 1st Gen (Naples)", "", 0, 60, physical_core=True),
    Added(_Z, "Standard_HB60-15rs", 60, 228, "EPYC 1st Gen (Naples)", "", 0, 60, physical_core=True),
    *(Added(_Z, f"Standard_NC{6 * n}", 6 * n, 56 * n, "Haswell", "NVIDIA K80", n, 24) for n in (1, 2, 4)),
    Added(_Z, "Standard_NC24r", 24, 224, "Haswell", "NVIDIA K80", 4, 24),
    *(Added(_Z, f"Standard_NC{6 * n}s_v2", 6 * n, 112 * n, "Broadwell", "NVIDIA P100", n, 24) for n in (1, 2, 4)),
    *(Added(_Z, f"Standard_ND{6 * n}s", 6 * n, 112 * n, "Broadwell", "NVIDIA P40", n, 24) for n in (1, 2, 4)),
    *(Added(_Z, f"Standard_NV{6 * n}", 6 * n, 56 * n, "Haswell", "NVIDIA M60", n, 24) for n in (1, 2, 4)),
    *(Added(_Z, f"Basic_A{n}", c, g, "Haswell", "", 0, 48) for n, c, g in ((0, 1, 0.75), (1, 1, 1.75), (2, 2, 3.5), (3, 4, 7), (4, 8, 14))),
    *(Added(_Z, f"Standard_A{n}", c, g, "Haswell", "", 0, 48) for n, c, g in ((0, 1, 0.75), (1, 1, 1.75), (2, 2, 3.5), (3, 4, 7), (4, 8, 14))),
    Added(_G, "a4-highgpu-8g", 224, 3968, "Emerald Rapids", "NVIDIA B200", 8, 224),
    Added(_G, "a4x-highgpu-4g", 140, 884, "Nvidia Grace", "NVIDIA GB200", 4, 140, physical_core=True),
    *(
        Added(_G, f"h4d-{kind}-192{disk}", 192, gib, "EPYC 5th Gen (Turin)", "", 0, 192, physical_core=True)
        for kind, gib in (("standard", 720), ("highmem", 1488))
        for disk in (("", "-lssd") if kind == "highmem" else ("",))
    ),
    Added(_G, "ct5lp-hightpu-1t", 24, 48, "EPYC 2nd Gen (Rome)", "Google TPU v5e", 1, 224),
    Added(_G, "ct5lp-hightpu-4t", 112, 192, "EPYC 2nd Gen (Rome)", "Google TPU v5e", 4, 224),
    Added(_G, "ct5lp-hightpu-8t", 224, 384, "EPYC 2nd Gen (Rome)", "Google TPU v5e", 8, 224),
    Added(_G, "ct5p-hightpu-1t", 52, 112, "Sapphire Rapids", "Google TPU v5p", 1, 208),
    Added(_G, "ct5p-hightpu-2t", 104, 224, "Sapphire Rapids", "Google TPU v5p", 2, 208),
    Added(_G, "ct5p-hightpu-4t", 208, 448, "Sapphire Rapids", "Google TPU v5p", 4, 208),
    Added(_G, "ct6e-standard-1t", 44, 176, "EPYC 4th Gen (Genoa/Bergamo)", "Google TPU v6e", 1, 180),
    Added(_G, "ct6e-standard-4t", 180, 720, "EPYC 4th Gen (Genoa/Bergamo)", "Google TPU v6e", 4, 180),
    Added(_G, "ct6e-standard-8t", 180, 1440, "EPYC 4th Gen (Genoa/Bergamo)", "Google TPU v6e", 8, 180),
)  # fmt: skip
"""Families that old and new bills hold and the research file lacks (methodology.md section 6). Azure's old Basic and
Standard A sizes share a normal form; they are equal."""
