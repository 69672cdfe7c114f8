"""How long rating takes, one core, with ranges: up to 200,000 distinct SKUs. Prints, never asserts.

``alike``: many SKUs ask for the same in the same place, as on a bill. ``apart``: every SKU asks for something else.
"""

import time
from itertools import islice, product

from offgridflow.domain.model import Sku, SkuAttributes
from offgridflow.domain.periods import Month
from offgridflow.factors import load
from offgridflow.factors.catalogue import Catalogue
from offgridflow.methodology.rating import Rater
from offgridflow.methodology.recipe import Recipe

SIZES = ("large", "xlarge", "2xlarge", "4xlarge", "8xlarge", "12xlarge", "16xlarge", "24xlarge")
FAMILIES = ("m5", "c5", "r5", "m6i", "c6i", "r6i", "m6g", "c6g", "r6g", "m7g", "c7i", "r7i", "t3", "g4dn", "i3", "zz9")
REGIONS = ("us-east-1", "us-west-2", "eu-west-1", "eu-central-1", "ap-south-1", "ap-northeast-1", "sa-east-1")
METERS = (
    ("TimedStorage-ByteHrs", "AmazonS3", "GB-Mo"),
    ("EBS:VolumeUsage.gp3", "AmazonEC2", "GB-Mo"),
    ("DataTransfer-Out-Bytes", "AWSDataTransfer", "GB"),
    ("Lambda-GB-Second", "AWSLambda", "Lambda-GB-Second"),
)


def skus(count: int) -> list[Sku]:
    """Build distinct SKUs of the shape of a large AWS bill: machines, storage, transfer, functions."""
    made: list[Sku] = []
    for number in range(count):
        region = REGIONS[number % len(REGIONS)]
        if number % 4:
            machine = f"{FAMILIES[number % len(FAMILIES)]}.{SIZES[number // 16 % len(SIZES)]}"
            meter, service, unit = f"BoxUsage:{machine}", "AmazonEC2", "Hrs"
        else:
            meter, service, unit = METERS[number // 4 % len(METERS)]
        made.append(Sku("aws", service, service, f"SKU{number}", meter, None, unit, region, None, SkuAttributes()))
    return made


def apart(factors: Catalogue, count: int) -> list[Sku]:
    """Build SKUs of machines of the catalogue, each with a region of its own, as far as there are some."""
    regions = [each.region_id for each in factors.regions() if (each.provider, each.kind) == ("aws", "region")]
    machines = [each.instance_type for each in factors.machines() if each.provider == "aws"]
    pairs = islice(product(regions, machines), count)
    return [
        Sku("aws", "AmazonEC2", "AmazonEC2", None, f"BoxUsage:{name}", None, "Hrs", region, None, SkuAttributes())
        for region, name in pairs
    ]


def measure(name: str, factors: Catalogue, batch: list[Sku]) -> None:
    """Rate SKUs with a new rater and print processor seconds, which other work on the machine hardly moves."""
    rater = Rater(factors, Recipe())
    start = time.process_time()
    rates = [rater(sku, Month(2025, 6)) for sku in batch]
    seconds = time.process_time() - start
    rated = sum(each.total_kgco2e is not None for each in rates)
    print(f"{name}: {len(batch)} SKUs, {rated} rated: {seconds:.2f} s, {seconds / len(batch) * 1e6:.0f} us each")


def main() -> None:
    """Rate growing numbers of SKUs and print seconds, to show that the time is linear."""
    factors = load()
    for count in (10_000, 50_000, 200_000):
        measure("alike", factors, skus(count))
    for count in (10_000, 40_000):
        measure("apart", factors, apart(factors, count))


if __name__ == "__main__":
    main()
