"""How long rating takes: 10,000 distinct SKUs with ranges, one core. Prints, never asserts."""

import time

from offgridflow.domain.model import Sku, SkuAttributes
from offgridflow.domain.periods import Month
from offgridflow.factors import load
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


def main() -> None:
    """Rate growing numbers of SKUs and print seconds, to show that the time is linear."""
    factors = load()
    for count in (2_500, 5_000, 10_000):
        rater = Rater(factors, Recipe())
        batch = skus(count)
        start = time.perf_counter()
        rates = [rater(sku, Month(2025, 6)) for sku in batch]
        seconds = time.perf_counter() - start
        rated = sum(each.total_kgco2e is not None for each in rates)
        print(f"{count} SKUs, {rated} rated: {seconds:.2f} s, {seconds / count * 1e6:.0f} us each")


if __name__ == "__main__":
    main()
