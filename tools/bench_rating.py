"""Time the rating of many SKUs on one core.

    python tools/bench_rating.py [COUNT ...]

Prints seconds and SKUs a second for each count (default 10,000 and 200,000). SKUs are drawn from meters of the three
clouds with sizes and regions of the factor set, so that few are equal.
"""

import itertools
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "src"))

from offgridflow.domain.model import Sku, SkuAttributes
from offgridflow.domain.periods import Month
from offgridflow.factors import load
from offgridflow.factors.catalogue import Catalogue
from offgridflow.methodology.rating import Rater
from offgridflow.methodology.recipe import Recipe

JUNE = Month(2025, 6)
_METERS = (
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


def skus(factors: Catalogue) -> Iterator[Sku]:
    """Yield SKUs without end: machines and meters over regions, each with its own id."""
    regions = {
        provider: [each.region_id for each in factors.regions() if (each.provider, each.kind) == (provider, "region")]
        for provider in ("aws", "azure", "gcp")
    }
    machines = [each for each in factors.machines() if each.provider in {"aws", "azure"}]
    for number in itertools.count():
        if number % 2:
            machine = machines[(number * 7919) % len(machines)]
            provider, unit = machine.provider, "Hrs" if machine.provider == "aws" else "1 Hour"
            service = "AmazonEC2" if provider == "aws" else "Virtual Machines"
            meter = f"BoxUsage:{machine.instance_type}" if provider == "aws" else machine.instance_type
        else:
            provider, service, meter, unit = _METERS[number // 2 % len(_METERS)]
        places = regions[provider]
        region = places[(number // 3) % len(places)]
        yield Sku(provider, service, service, f"S{number}", meter, None, unit, region, None, SkuAttributes())


def seconds_of(count: int, factors: Catalogue) -> float:
    """Return the processor seconds that a new rater needs for ``count`` SKUs."""
    made = list(itertools.islice(skus(factors), count))
    rater = Rater(factors, Recipe())
    start = time.process_time()
    for each in made:
        rater(each, JUNE)
    return time.process_time() - start


def main(arguments: Sequence[str]) -> int:
    """Run the benchmark; return the exit code."""
    factors = load()
    for count in [int(each) for each in arguments] or [10_000, 200_000]:
        seconds = seconds_of(count, factors)
        print(f"{count:9,} SKUs {seconds:8.2f} s {count / seconds:10,.0f} a second")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
