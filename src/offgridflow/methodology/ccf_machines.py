"""Which processors Cloud Carbon Footprint takes a machine to have, and the largest machine of its family there.

Facts of its instance tables (packages aws 0.15.0 and azure 1.8.0, Apache-2.0), by our families; the arithmetic that
they enter is in ``ccf.py``. Spelled compactly: ``family chips GiB`` of the largest machine, families of one mix of
processors together. The empty mix has no watts there and takes the provider's default.
"""

from typing import Final, NamedTuple

from offgridflow.factors.model import MachineType


class Original(NamedTuple):
    """Processors of a machine, and chips (one for each 96 vCPUs) and GiB of the largest of its family."""

    processors: tuple[str, ...]
    chips: int
    largest_gib: float


_FAMILIES: Final[dict[tuple[str, ...], str]] = {
    (): (
        "aws.a1 1 32 | aws.c1 1 7 | aws.c3 1 60 | aws.c6a 2 384 | aws.c6i 1 192 | aws.cc2 1 60.5 | "
        "aws.cr1 1 244 | aws.d3 1 256 | aws.d3en 1 192 | aws.dc2 1 244 | aws.ds2 1 244 | aws.hpc6a 1 384 | "
        "aws.hs1 1 117 | aws.i2 1 244 | aws.i3 1 512 | aws.i4i 2 1024 | aws.im4gn 1 256 | aws.inf1 1 192 | "
        "aws.is4gen 1 192 | aws.m1 1 15 | aws.m2 1 68.4 | aws.m3 1 30 | aws.m6a 2 768 | aws.m6i 2 512 | "
        "aws.r3 1 244 | aws.r6i 2 1024 | aws.ra3 1 384 | aws.t1 1 613 | aws.x2idn 2 2048 | aws.x2iedn 2 4096 | "
        "azure.a 1 14 | azure.amv2 1 64 | azure.av2 1 64 | azure.bls 1 80 | azure.bms 1 80 | azure.bs 1 80 | "
        "azure.ddsv5 1 384 | azure.ddv5 1 384 | azure.dsv5 1 384 | azure.dv5 1 384 | azure.ebdsv5 1 512 | "
        "azure.ebsv5 1 512 | azure.edsv5 2 672 | azure.edv5 2 672 | azure.eidsv5 2 672 | azure.eidv5 2 672 | "
        "azure.eisv5 2 672 | azure.eiv5 2 672 | azure.esv5 2 672 | azure.ev5 2 672 | azure.gs 1 448 | "
        "azure.nc 1 224 | azure.ncpromo 1 224 | azure.ncr 1 224 | azure.ncrpromo 1 224 | azure.ncrsv2 1 448 | "
        "azure.ncrsv3 1 448 | azure.ncsv2 1 448 | azure.ncsv3 1 448 | azure.ndamsra100v4 1 1900 | "
        "azure.ndasra100v4 1 900 | azure.ndrs 1 448 | azure.nds 1 448 | azure.nps 1 768 | azure.nv 1 224"
    ),
    ("Broadwell",): (
        "aws.f1 1 976 | aws.g3 1 488 | aws.g3s 1 30.5 | aws.h1 1 256 | aws.p2 1 732 | aws.p3 1 488 | "
        "aws.r4 1 488 | azure.nvsv3 1 448"
    ),
    ("Cascade Lake",): (
        "aws.dl1 1 768 | aws.g4dn 1 384 | aws.m5dn 1 384 | aws.m5n 1 384 | aws.m5zn 2 192 | aws.p4d 1 1152 | "
        "aws.r5b 1 768 | aws.r5dn 1 768 | aws.r5n 1 768 | aws.t2 1 32 | aws.t3 1 32 | aws.vt1 1 192 | "
        "aws.x2iezn 1 1536 | aws.z1d 2 384 | azure.ddsv4 1 256 | azure.ddv4 1 256 | azure.dv4 1 256 | "
        "azure.edsv4 1 504 | azure.edv4 1 504 | azure.esv4 1 504 | azure.ev4 1 504 | azure.fxmds 1 1008 | "
        "azure.mdmsv2 2 4096 | azure.mdsv2 2 4096 | azure.midmsv2 2 4096 | azure.midsv2 2 4096 | "
        "azure.mimsv2 2 4096 | azure.misv2 2 4096 | azure.mmsv2 2 4096 | azure.msv2 2 4096"
    ),
    ("Cascade Lake", "Skylake"): (
        "aws.c5 1 192 | aws.c5d 1 192 | aws.c5n 1 192 | aws.i3en 1 768 | aws.r5 1 768 | aws.r5d 1 768 | "
        "azure.fsv2 1 144"
    ),
    ("Cascade Lake", "Skylake", "Broadwell"): ("azure.esv3 1 432 | azure.ev3 1 432"),
    ("Cascade Lake", "Skylake", "Broadwell", "Haswell"): (
        "azure.dsv2 1 140 | azure.dsv3 1 256 | azure.dsv4 1 256 | azure.dv2 1 56 | azure.dv3 1 256 | "
        "azure.f 1 32 | azure.fs 1 32"
    ),
    ("Coffee Lake",): ("aws.mac1 1 32 | azure.dcsv2 1 32 | azure.dcv2 1 32"),
    ("EPYC 1st Gen (Naples)",): (
        "aws.m5a 1 384 | aws.m5ad 1 384 | aws.r5a 1 768 | aws.r5ad 1 768 | aws.t3a 1 32 | azure.hbrs 1 224 | "
        "azure.lsv2 1 640"
    ),
    ("EPYC 2nd Gen (Rome)",): (
        "aws.c5a 1 192 | aws.c5ad 1 192 | aws.g4ad 1 256 | aws.g5 2 768 | azure.dasv4 1 384 | azure.dav4 1 384 | "
        "azure.easv4 1 672 | azure.eav4 1 672 | azure.hbrsv2 2 480 | azure.ncast4v3 1 448"
    ),
    ("EPYC 3rd Gen (Milan)",): (
        "azure.dadsv5 1 384 | azure.dasv5 1 384 | azure.eadsv5 1 672 | azure.easv5 1 672 | azure.hbrsv3 2 448 | "
        "azure.ncadsa100v4 1 880"
    ),
    ("Graviton2",): (
        "aws.c6g 1 128 | aws.c6gd 1 128 | aws.c6gn 1 128 | aws.g5g 1 128 | aws.m6g 1 256 | aws.m6gd 1 256 | "
        "aws.r6g 1 512 | aws.r6gd 1 512 | aws.t4g 1 32 | aws.x2gd 1 1024"
    ),
    ("Haswell",): (
        "aws.c4 1 60 | aws.d2 1 244 | aws.x1 2 1952 | aws.x1e 2 3904 | azure.g 1 448 | azure.h 1 224 | "
        "azure.hm 1 224 | azure.hmpromo 1 224 | azure.hmr 1 224 | azure.hmrpromo 1 224 | azure.hpromo 1 224 | "
        "azure.hr 1 224 | azure.hrpromo 1 224 | azure.ls 1 256"
    ),
    ("Haswell", "Broadwell"): ("aws.m4 1 256"),
    ("Haswell", "Cascade Lake"): ("azure.mls 2 3892 | azure.mms 2 3892 | azure.ms 2 3892 | azure.mts 2 3892"),
    ("Ivy Bridge",): ("aws.g2 1 60"),
    ("Skylake",): ("aws.m5 1 384 | aws.m5d 1 384 | aws.p3dn 1 768 | azure.hcrs 1 352 | azure.ndrsv2 1 672"),
}

_TYPES: Final[dict[str, Original]] = {
    "aws.c5.12xlarge": Original(("Cascade Lake",), 1, 192.0),
    "aws.c5.24xlarge": Original(("Cascade Lake",), 1, 192.0),
    "aws.c5d.12xlarge": Original(("Cascade Lake",), 1, 192.0),
    "aws.c5d.24xlarge": Original(("Cascade Lake",), 1, 192.0),
    "azure.standard_ds1_v2": Original(("Cascade Lake", "Skylake", "Broadwell", "Haswell"), 1, 56.0),
    "azure.standard_ds2_v2": Original(("Cascade Lake", "Skylake", "Broadwell", "Haswell"), 1, 56.0),
    "azure.standard_ds3_v2": Original(("Cascade Lake", "Skylake", "Broadwell", "Haswell"), 1, 56.0),
    "azure.standard_ds4_v2": Original(("Cascade Lake", "Skylake", "Broadwell", "Haswell"), 1, 56.0),
    "azure.standard_ds5_v2": Original((), 1, 56.0),
    "azure.standard_d11_v2": Original(("Cascade Lake", "Skylake", "Broadwell", "Haswell"), 1, 140.0),
    "azure.standard_d12_v2": Original(("Cascade Lake", "Skylake", "Broadwell", "Haswell"), 1, 140.0),
    "azure.standard_d13_v2": Original(("Cascade Lake", "Skylake", "Broadwell", "Haswell"), 1, 140.0),
    "azure.standard_d14_v2": Original(("Cascade Lake", "Skylake", "Broadwell", "Haswell"), 1, 140.0),
    "azure.standard_d15_v2": Original(("Cascade Lake", "Skylake", "Broadwell", "Haswell"), 1, 140.0),
    "azure.standard_m208ms_v2": Original(("Skylake",), 5, 11400.0),
    "azure.standard_m416ms_v2": Original(("Skylake",), 5, 11400.0),
    "azure.standard_m208s_v2": Original(("Skylake",), 5, 11400.0),
    "azure.standard_m416s_v2": Original(("Skylake",), 5, 11400.0),
}
"""Machines that differ from the rest of their family there."""


def _parsed() -> dict[str, Original]:
    found: dict[str, Original] = {}
    for processors, text in _FAMILIES.items():
        for item in text.split(" | "):
            name, chips, gib = item.split()
            found[name] = Original(processors, int(chips), float(gib))
    return found


_ORIGINALS: Final = {**_parsed(), **_TYPES}


def original_of(machine: MachineType) -> Original | None:
    """Return what the original has for a machine, None where it does not know the family."""
    by_type = _ORIGINALS.get(f"{machine.provider}.{machine.instance_type.lower()}")
    return by_type or _ORIGINALS.get(f"{machine.provider}.{machine.family}")
