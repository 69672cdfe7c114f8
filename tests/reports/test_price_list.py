"""Laws of the user's price list: when it is asked, what a row fits, and how a bad one is refused."""

from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

import duckdb
import pytest

from offgridflow.domain.errors import InputError
from offgridflow.domain.model import Sku, SkuAttributes
from offgridflow.reports.price_list import price_list_of, read_price_list
from offgridflow.reports.prices import NoPrice, PriceBasis, Prices
from offgridflow.reports.swap import Swap
from offgridflow.reports.whatif import what_if
from support.rates import kilogram

Con = duckdb.DuckDBPyConnection
MakeRow = Callable[..., dict[str, object]]
Add = Callable[..., None]

HEAD = "provider,instance_type,sku,service_name,operation,pricing_model,region_id,unit,price,currency"
TO_STOCKHOLM = Swap(region=("us-east-1", "eu-north-1"))


def listed(*rows: str, head: str = HEAD) -> Prices:
    """Return prices of a list alone."""
    return Prices({}, {}, price_list_of("\n".join([head, *rows]) + "\n", "prices.csv"))


def sku(meter: str = "EUN1-BoxUsage:m5.large", **more: object) -> Sku:
    """Return hours of a machine in Stockholm."""
    known = {name: more.pop(name) for name in ("instance_type", "pricing_model") if name in more}
    made: dict[str, object] = {
        "provider": "aws",
        "service_name": "Amazon EC2",
        "service_code": None,
        "sku_id": None,
        "sku_meter": meter,
        "operation": "RunInstances",
        "consumed_unit": "Hrs",
        "region_id": "eu-north-1",
        "attributes": SkuAttributes(**known),  # type: ignore[arg-type]
    }
    return Sku(**{**made, **more})  # type: ignore[arg-type]


def use(make_row: MakeRow, quantity: str, cost: str, **more: object) -> dict[str, object]:
    """Return a row of use: a quantity and what it cost."""
    return make_row(consumed_quantity=Decimal(quantity), billed_cost=Decimal(cost), **more)


def test_a_list_answers_where_the_ledger_paid_nothing(empty: Con, add: Add, make_row: MakeRow) -> None:
    """10 h without a paid price cost ten times the listed one, exactly, and the answer names file and line."""
    rows = price_list_of(f"{HEAD}\n\naws,m5.large,,,,,eu-north-1,hours,0.0864,usd\n", "prices.csv")
    add(empty, use(make_row, "10", "1.00"), use(make_row, "4", "2.00", sku_meter="BoxUsage:m7i.large"))
    found = what_if(empty, kilogram, TO_STOCKHOLM, ["region_id"], listed=rows)
    moves = {move.before.sku_meter: move.to_json() for move in found.moves}
    priced = moves["BoxUsage:m5.large"]
    assert (priced["cost_after"], priced["unit_price"], priced["price_basis"], priced["price_source"]) == (
        Decimal("0.864"),
        0.0864,
        PriceBasis.PRICE_LIST,
        "prices.csv, line 3",
    )
    assert priced["price_observations"] == 0
    unknown = moves["BoxUsage:m7i.large"]
    assert (unknown["cost_after"], unknown["reason"], unknown["price_source"]) == (None, NoPrice.NOT_IN_LEDGER, None)
    (total,) = found.cost_total
    assert (total["cost_priced_after"], total["cost_without_price"]) == (Decimal("0.864"), 2)


def test_what_was_paid_goes_before_the_list_and_the_list_before_another_size(
    empty: Con, add: Add, make_row: MakeRow
) -> None:
    """Paid for the thing itself, else the list, else another size of it: in this order."""
    rows = price_list_of(f"{HEAD}\naws,m5.large,,,,,eu-north-1,Hours,0.5,USD\n", "prices.csv")
    there = {"region_id": "eu-north-1"}
    add(empty, use(make_row, "10", "1.00"), use(make_row, "10", "1.60", sku_meter="EUN1-BoxUsage:m5.xlarge", **there))
    (move,) = what_if(empty, kilogram, TO_STOCKHOLM, listed=rows).moves
    assert move.price is not None
    assert (move.price.basis, move.price.central) == (PriceBasis.PRICE_LIST, 0.5)
    (move,) = what_if(empty, kilogram, TO_STOCKHOLM).moves
    assert move.price is not None
    assert move.price.basis is PriceBasis.PAID_FOR_OTHER_SIZE
    add(empty, use(make_row, "10", "0.90", sku_meter="EUN1-BoxUsage:m5.large", **there))
    (move,) = what_if(empty, kilogram, TO_STOCKHOLM, listed=rows).moves
    assert move.price is not None
    assert (move.price.basis, move.price.central, move.price.source) == (PriceBasis.PAID, 0.09, None)


@pytest.mark.parametrize(
    ("row", "other"),
    [
        ("aws,m5.large,,,,,eu-north-1,Hrs,1,USD", {"region_id": "eu-west-1"}),
        ("aws,m5.large,,,,,eu-north-1,Hrs,1,USD", {"consumed_unit": "GB-Mo"}),
        ("aws,m5.large,,,,,eu-north-1,Hrs,1,USD", {"provider": "azure"}),
        ("aws,m5.large,,,,,eu-north-1,Hrs,1,USD", {"meter": "EUN1-BoxUsage:m5.xlarge"}),
        ("aws,m5.large,,,,,eu-north-1,Hrs,1,USD", {"meter": "EUN1-EBSOptimized:m5.large", "instance_type": "m5.large"}),
        ("aws,m5.large,,,,,eu-north-1,Hrs,1,USD", {"pricing_model": "savings_plan"}),
        ("aws,m5.large,,,,,eu-north-1,Hrs,1,USD", {"pricing_model": "Spot"}),
        ("aws,m5.large,,,,reserved,eu-north-1,Hrs,1,USD", {"pricing_model": None}),
        ("aws,m5.large,,,RunInstances,,eu-north-1,Hrs,1,USD", {"operation": "RunInstances:0002"}),
        ("aws,m5.large,,Amazon EC2,,,eu-north-1,Hrs,1,USD", {"service_name": "Amazon RDS"}),
        ("aws,,BoxUsage:m5.large,,,,eu-north-1,Hrs,1,USD", {"meter": "EUN1-BoxUsage:m5.xlarge"}),
    ],
)
def test_a_row_fits_what_it_names_and_nothing_else(row: str, other: dict[str, object]) -> None:
    """Provider, region, unit, currency, thing and terms all decide; what differs in one of them has no price."""
    prices = listed(row)
    fitting = {"pricing_model": "reserved"} if ",reserved," in row else {}
    assert prices.of(sku(**fitting), "USD") is not None
    assert prices.of(sku(**fitting), "EUR") is None
    assert prices.of(sku(**{**fitting, **other}), "USD") is None  # type: ignore[arg-type]


def test_names_are_found_as_the_bills_spell_them() -> None:
    """Meters with and without their region, SKU ids, machines of a cloud that names them beside the meter."""
    meter = listed("aws,,BoxUsage:m5.large,,,,EU-NORTH-1,hrs,2,usd")
    assert meter.of(sku(), "USD") is not None
    assert listed("aws,,ABC123,,,,eu-north-1,Hrs,2,USD").of(sku(sku_id="ABC123"), "USD") is not None
    machine = sku("E4s v5", provider="azure", instance_type="Standard_E4s_v5", consumed_unit="1 Hour")
    row = "azure,Standard_E4s_v5,,,,,eu-north-1,1 Hour,0.3,EUR"
    assert listed(row).of(machine, "EUR") is not None
    core = sku("N2 Instance Core running in Finland", provider="gcp", region_id="europe-north1", consumed_unit="hour")
    assert listed("gcp,,N2 Instance Core,,,,europe-north1,hour,0.03,USD").of(core, "USD") is not None
    spot = sku(pricing_model="spot")
    assert listed("aws,m5.large,,,,*,eu-north-1,Hrs,1,USD").of(spot, "USD") is not None


def test_the_narrowest_row_counts() -> None:
    """A row for one operation goes before a row for all; of equally narrow ones the first in the file."""
    wide, narrow = "aws,m5.large,,,,,eu-north-1,Hrs,1,USD", "aws,m5.large,,,RunInstances,,eu-north-1,Hrs,2,USD"
    other = "aws,m5.large,,Amazon EC2,,,eu-north-1,Hrs,3,USD"
    for rows, central in (((wide, narrow), 2.0), ((narrow, wide), 2.0), ((narrow, other), 2.0), ((other, narrow), 3.0)):
        price = listed(*rows).of(sku(), "USD")
        assert price is not None
        assert price.central == central


GOOD = "aws,m5.large,,,,,eu-north-1,Hrs,1,USD"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "prices.csv, line 1: column provider is missing."),
        (HEAD.replace(",price", ""), "prices.csv, line 1: column price is missing."),
        ("provider,region_id,unit,price,currency", "prices.csv, line 1: column sku or instance_type is missing."),
        (HEAD + ",colour", "prices.csv, line 1: column 'colour' is not known, or stands twice."),
        (HEAD + ",price", "prices.csv, line 1: column 'price' is not known, or stands twice."),
        (f"{HEAD}\n{GOOD}\n{GOOD},more", "prices.csv, line 3: 11 cells, the header has 10."),
        (f"{HEAD}\n{GOOD.replace(',1,', ',one,')}", "prices.csv, line 2, column price: 'one' is not accepted."),
        (f"{HEAD}\n{GOOD.replace(',1,', ',-1,')}", "prices.csv, line 2, column price: '-1' is not accepted."),
        (f"{HEAD}\n{GOOD.replace(',1,', ',nan,')}", "prices.csv, line 2, column price: 'nan' is not accepted."),
        (f"{HEAD}\n{GOOD.replace(',1,', ',,')}", "prices.csv, line 2, column price: '' is not accepted."),
        (f"{HEAD}\n{GOOD.replace('USD', '$')}", "prices.csv, line 2, column currency: '$' is not accepted."),
        (f"{HEAD}\n{GOOD.replace('eu-north-1', '')}", "prices.csv, line 2, column region_id: '' is not accepted."),
        (f"{HEAD}\n{GOOD.replace('m5.large', '')}", "prices.csv, line 2, column sku: '' is not accepted."),
        (
            f"{HEAD}\n{GOOD}\n\n{GOOD}",
            "prices.csv, line 4: line 2 has a price for the same already.",
        ),
        (f'{HEAD}\n"aws', "prices.csv, line 2: unexpected end of data."),
    ],
)
def test_a_bad_list_is_refused_with_its_line(text: str, told: str) -> None:
    """File, line, column and the cell stand in the error, and what to write instead; no row is passed over."""
    with pytest.raises(InputError) as caught:
        price_list_of(text, "prices.csv")
    assert caught.value.sentence == told
    assert caught.value.action


def test_a_file_that_is_no_text_is_refused(tmp_path: Path) -> None:
    """A missing file and one that is no UTF-8 are one sentence each; a byte order mark is none of the header."""
    path = tmp_path / "prices.csv"
    for content in (None, b"\xff\xfe\x00"):
        if content is not None:
            path.write_bytes(content)
        with pytest.raises(InputError, match=r"The price list prices.csv cannot be read"):
            read_price_list(path)
    path.write_text(f"{HEAD}\n{GOOD}\n", encoding="utf-8-sig")
    assert len(read_price_list(path).rows) == 1
