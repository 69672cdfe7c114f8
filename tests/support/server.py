"""A small ledger of two accounts, two currencies and hostile names, and servers on it: in process, and on a socket."""

import contextlib
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import uvicorn

from offgridflow.api.app import Server, create_app
from offgridflow.pipeline.service import ingest_files
from offgridflow.settings import ApiSettings, GrainSettings, Settings

HEAD = (
    "BillingAccountId,SubAccountId,BillingPeriodStart,BillingPeriodEnd,ChargePeriodStart,ChargePeriodEnd,ChargeCategory,"
    "ProviderName,PublisherName,InvoiceIssuerName,ServiceName,ServiceCategory,SkuId,SkuPriceId,ChargeDescription,RegionId,"
    "ResourceId,ConsumedQuantity,ConsumedUnit,PricingQuantity,PricingUnit,BilledCost,EffectiveCost,ListCost,"
    "ContractedCost,BillingCurrency,ChargeClass,ChargeFrequency,Tags"
)
MACHINE = "$0.096 per On Demand Linux m5.large Instance Hour"
EC2 = "Amazon Elastic Compute Cloud"
FORMULA = "=HYPERLINK(1) Requests"


def line(  # noqa: PLR0913  the columns of a bill
    day: str,
    account: str,
    region: str,
    cost: str,
    *,
    service: str = EC2,
    description: str = MACHINE,
    quantity: str = "24",
    unit: str = "Hours",
    kind: str = "Usage",
    team: str = "search",
    resource: str = "i-1",
    effective: str | None = None,
) -> str:
    """Return a FOCUS line of a day; ``team`` is a tag."""
    month = day[:7]
    year, number = int(month[:4]), int(month[5:])
    after = f"{year + number // 12}-{number % 12 + 1:02}-01T00:00:00Z"
    tags = '"{""team"": ""' + team + '""}"'
    return (
        f"111,{account},{month}-01T00:00:00Z,{after},{day}T00:00:00Z,{day}T01:00:00Z,{kind},AWS,AWS,AWS,{service},"
        f"Compute,sku-1,price-1,{description},{region},{resource},{quantity},{unit},{quantity},{unit},{cost},"
        f"{cost if effective is None else effective},{cost},{cost},USD,,Usage-Based,{tags}"
    )


LINES = [
    *(line(f"2025-{month:02}-{day:02}", "222", "us-east-1", "2.30") for month in (5, 6) for day in (1, 2, 30)),
    line("2025-06-03", "333", "eu-north-1", "9.10", team="ads", resource="i-2", quantity="96"),
    line("2025-06-03", "333", "eu-north-1", "-0.40", team="ads", resource="i-2", quantity="1", effective="3.00"),
    line("2025-06-04", "333", "ap-south-1", "0.00", team="ads", resource="i-3", effective="1.25"),
    line(
        "2025-06-05",
        "222",
        "us-east-1",
        "0.40",
        service="Amazon Simple Queue Service",
        description=FORMULA,
        quantity="1000",
        unit="Requests",
        resource="@queue",
    ),
    line("2025-06-30", "222", "", "0.77", service="Tax", description="VAT", quantity="", unit="", kind="Tax"),
]


def settings(**api: object) -> Settings:
    """Return settings of a server whose ledger keeps the tag ``team`` apart."""
    return Settings(
        grain=GrainSettings(tag_keys=("team",)), api=ApiSettings.model_validate({"rollup_tags": ("team",), **api})
    )


def make_ledger(folder: Path) -> Path:
    """Ingest the bill into a new ledger and return its path."""
    bill = folder / "bill.csv"
    bill.write_text("\n".join([HEAD, *LINES]) + "\n")
    ledger = folder / "L"
    assert ingest_files([bill], str(ledger), settings()).status == "ok"
    return ledger


def server_on(ledger: Path, **api: object) -> Server:
    """Return a server of a ledger; its lifespan has not begun."""
    return create_app(settings(**api), str(ledger))


@contextlib.contextmanager
def listening(server: Server) -> Iterator[str]:
    """Serve on a free port of this machine, and yield the address."""
    taken = socket.socket()
    taken.bind(("127.0.0.1", 0))
    port = taken.getsockname()[1]
    running = uvicorn.Server(uvicorn.Config(server, host="127.0.0.1", port=port, log_level="error", ws="none"))
    thread = threading.Thread(target=running.run, args=([taken],), daemon=True)
    thread.start()
    until = time.monotonic() + 120
    while not running.started and time.monotonic() < until:
        time.sleep(0.02)
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        running.should_exit = True
        thread.join(120)
        taken.close()


class ApiClient(httpx.Client):
    """An HTTP client of one server over a real socket, which also knows the server itself.

    Args:
        server: the server, whose lifespan has begun.
        url: its address.

    """

    def __init__(self, server: Server, url: str) -> None:
        super().__init__(base_url=url, timeout=60)
        self.server = server


def server_of(client: ApiClient) -> Server:
    """Return the server behind a client."""
    return client.server


@contextlib.contextmanager
def client_of(server: Server) -> Iterator[ApiClient]:
    """Serve on a free port, and yield a client."""
    with listening(server) as url, ApiClient(server, url) as client:
        yield client
