"""How long rating takes, one core, with ranges: up to 200,000 distinct SKUs. Prints, never asserts.

``alike``: many SKUs ask for the same in the same place, as on a bill of AWS. ``clouds``: SKUs of the three clouds, few
of them alike. ``apart``: every SKU is another machine, region or month, so that nothing is rated twice.
"""

import time
from collections.abc import Iterable, Iterator
from itertools import count, islice, product

from offgridflow.domain.model import Sku, SkuAttributes
from offgridflow.domain.periods import Month
from offgridflow.factors import load
from offgridflow.factors.catalogue import Catalogue
from offgridflow.methodology.batch import collector_at_rest
from offgridflow.methodology.rating import Rater
from offgridflow.methodology.recipe import Recipe

JUNE = Month(2025, 6)
SIZES = ("large", "xlarge", "2xlarge", "4xlarge", "8xlarge", "12xlarge", "16xlarge", "24xlarge")
FAMILIES = ("m5", "c5", "r5", "m6i", "c6i", "r6i", "m6g", "c6g", "r6g", "m7g", "c7i", "r7i", "t3", "g4dn", "i3", "zz9")
REGIONS = ("us-east-1", "us-west-2", "eu-west-1", "eu-central-1", "ap-south-1", "ap-northeast-1", "sa-east-1")
METERS = (
    ("TimedStorage-ByteHrs", "AmazonS3", "GB-Mo"),
    ("EBS:VolumeUsage.gp3", "AmazonEC2", "GB-Mo"),
    ("DataTransfer-Out-Bytes", "AWSDataTransfer", "GB"),
    ("Lambda-GB-Second", "AWSLambda", "Lambda-GB-Second"),
)


CLOUD_METERS = (
    ("aws", "AmazonS3", "TimedStorage-ByteHrs", "GB-Mo"),
    ("aws", "AmazonEC2", "EBS:VolumeUsage.gp3", "GB-Mo"),
    ("aws", "AWSLambda", "Lambda-GB-Second", "Lambda-GB-Second"),
    ("aws", "AmazonEC2", "DataTransfer-Out-Bytes", "GB"),
    ("aws", "AmazonS3", "Requests-Tier1", "Requests"),
    ("azure", "Storage", "Tiered Block Blob - Hot GRS Data Stored", "1 GB/Month"),
    ("azure", "Storage", "Premium SSD Managed Disks - P10 LRS Disk", "1 /Month"),
    ("azure", "Bandwidth", "Standard Data Transfer Out", "1 GB"),
    ("gcp", "Compute Engine", "N2 Instance Core running in Americas", "hour"),
    ("gcp", "Compute Engine", "N2 Instance Ram running in Americas", "gibibyte hour"),
    ("gcp", "Cloud Storage", "Standard Storage US Regional", "gibibyte month"),
)
Wanted = tuple[Sku, Month]


def alike() -> Iterator[Wanted]:
    """Yield distinct SKUs of the shape of a large AWS bill without end: machines, storage, transfer, functions."""
    for number in count():
        region = REGIONS[number % len(REGIONS)]
        if number % 4:
            machine = f"{FAMILIES[number % len(FAMILIES)]}.{SIZES[number // 16 % len(SIZES)]}"
            meter, service, unit = f"BoxUsage:{machine}", "AmazonEC2", "Hrs"
        else:
            meter, service, unit = METERS[number // 4 % len(METERS)]
        yield Sku("aws", service, service, f"SKU{number}", meter, None, unit, region, None, SkuAttributes()), JUNE


def clouds(factors: Catalogue) -> Iterator[Wanted]:
    """Yield SKUs of the three clouds without end: machines and meters over regions, each with its own id."""
    regions = {provider: regions_of(factors, provider) for provider in ("aws", "azure", "gcp")}
    machines = [each for each in factors.machines() if each.provider in {"aws", "azure"}]
    for number in count():
        if number % 2:
            machine = machines[(number * 7919) % len(machines)]
            provider, service, meter, unit = machine_meter(machine.provider, machine.instance_type)
        else:
            provider, service, meter, unit = CLOUD_METERS[number // 2 % len(CLOUD_METERS)]
        region = regions[provider][(number // 3) % len(regions[provider])]
        yield Sku(provider, service, service, f"S{number}", meter, None, unit, region, None, SkuAttributes()), JUNE


def apart(factors: Catalogue) -> Iterator[Wanted]:
    """Yield every machine of AWS and Azure in every region and month of two years."""
    months = [Month(year, month) for year in (2025, 2024) for month in range(1, 13)]
    for month, provider in product(months, ("aws", "azure")):
        machines = [each.instance_type for each in factors.machines() if each.provider == provider]
        for region, name in product(regions_of(factors, provider), machines):
            _, service, meter, unit = machine_meter(provider, name)
            yield Sku(provider, service, service, None, meter, None, unit, region, None, SkuAttributes()), month


def regions_of(factors: Catalogue, provider: str) -> list[str]:
    """Return the regions of a provider, without zones, groups and edges."""
    return [each.region_id for each in factors.regions() if (each.provider, each.kind) == (provider, "region")]


def machine_meter(provider: str, name: str) -> tuple[str, str, str, str]:
    """Return provider, service, meter and unit of an hour of a machine."""
    if provider == "aws":
        return provider, "AmazonEC2", f"BoxUsage:{name}", "Hrs"
    return provider, "Virtual Machines", name, "1 Hour"


def measure(name: str, factors: Catalogue, wanted: Iterable[Wanted]) -> None:
    """Rate SKUs with a new rater and print processor seconds, which other work on the machine hardly moves."""
    batch = list(wanted)
    rater = Rater(factors, Recipe())
    start = time.process_time()
    with collector_at_rest():
        rates = [rater(sku, month) for sku, month in batch]
    seconds = time.process_time() - start
    rated = sum(each.total_kgco2e is not None for each in rates)
    print(f"{name}: {len(batch)} SKUs, {rated} rated: {seconds:.2f} s, {seconds / len(batch) * 1e6:.0f} us each")


def main() -> None:
    """Rate growing numbers of SKUs and print seconds, to show that the time is linear."""
    factors = load()
    for number in (10_000, 50_000, 200_000):
        measure("alike", factors, islice(alike(), number))
        measure("clouds", factors, islice(clouds(factors), number))
        measure("apart", factors, islice(apart(factors), number))


if __name__ == "__main__":
    main()
