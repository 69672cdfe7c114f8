"""``offgridflow explain``: a SKU, a resource or a cell of a report, down to its factors."""

from decimal import Decimal, InvalidOperation
from typing import Annotated

import typer

from offgridflow.cli.options import (
    Format,
    FormatOption,
    FromOption,
    LedgerOption,
    ProfileOption,
    ToOption,
    WhereOption,
    filters_of,
)
from offgridflow.cli.output import Answer, emit
from offgridflow.cli.session import kitchen, open_ledger
from offgridflow.domain.errors import UsageError
from offgridflow.domain.identity import provider_slug
from offgridflow.domain.model import Sku, SkuAttributes
from offgridflow.domain.periods import Month
from offgridflow.reports.explain import MOST, Explainer, ExplainReport, as_text, explain_cell, explain_sku, step_records

ORDER = 32

_SKU = "A SKU that need not be in the ledger"


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("explain")(explain)


def explain(  # noqa: PLR0913  the options of one command
    name: Annotated[
        str | None,
        typer.Argument(metavar="[NAME]", help="SKU id, meter, instance type or resource id, as in the bill."),
    ] = None,
    *,
    where: WhereOption = None,
    date_from: FromOption = None,
    date_to: ToOption = None,
    most: Annotated[int, typer.Option("--most", min=0, help="SKUs to explain, largest first; 0 for all.")] = MOST,
    provider: Annotated[str | None, typer.Option(help="aws, azure, gcp ...", rich_help_panel=_SKU)] = None,
    service: Annotated[str | None, typer.Option(help="Service name.", rich_help_panel=_SKU)] = None,
    meter: Annotated[str | None, typer.Option(help="Usage type or meter.", rich_help_panel=_SKU)] = None,
    unit: Annotated[str | None, typer.Option(help="Unit of the bill.", rich_help_panel=_SKU)] = None,
    region: Annotated[str | None, typer.Option(help="Region id.", rich_help_panel=_SKU)] = None,
    operation: Annotated[str | None, typer.Option(help="Operation of the bill.", rich_help_panel=_SKU)] = None,
    instance_type: Annotated[str | None, typer.Option(help="Instance type.", rich_help_panel=_SKU)] = None,
    month: Annotated[str | None, typer.Option(metavar="YYYY-MM", help="Month of use.", rich_help_panel=_SKU)] = None,
    quantity: Annotated[str, typer.Option(help="Units used.", rich_help_panel=_SKU)] = "1",
    profile: ProfileOption = None,
    ledger: LedgerOption = None,
    form: FormatOption = Format.TABLE,
) -> None:
    """Show how a figure came about, step by step.

    Quantity x rate, and each factor with value, range, source and licence.

    With NAME, --where and days: what the ledger holds of it. With --provider: a SKU that need not be in any ledger,
    for example: offgridflow explain --provider aws --service "Amazon Elastic Compute Cloud" --meter BoxUsage:m5.large
    --unit Hrs --region us-east-1 --month 2025-06
    """
    if provider is None:
        explainer = _explainer(profile)
        with open_ledger(ledger) as opened:
            filters = filters_of(where)
            found = explain_cell(opened.con, explainer, name, filters, date_from=date_from, date_to=date_to, most=most)
    else:
        sku = Sku(
            provider=provider_slug(provider),
            service_name=service,
            service_code=None,
            sku_id=name,
            sku_meter=meter,
            operation=operation,
            consumed_unit=unit,
            region_id=region,
            attributes=SkuAttributes(instance_type=instance_type),
        )
        when, used = _month(month), _quantity(quantity)
        found = ExplainReport((explain_sku(_explainer(profile), sku, when, used),), 0)
    emit(answer_of(found), form)


def _explainer(profile: str | None) -> Explainer:
    from offgridflow.methodology.explain import explain as of_rate  # noqa: PLC0415  the methodology is late

    made = kitchen(profile)
    return lambda sku, period: of_rate(sku, period, made.factors, made.recipe)


def _month(text: str | None) -> Month:
    if text is None:
        sentence = "A SKU that is not in the ledger needs the month of its use."
        raise UsageError(sentence, action="Add --month YYYY-MM.")
    try:
        return Month.parse(text)
    except ValueError as error:
        sentence = f"--month {error}."
        raise UsageError(sentence, action="Write for example --month 2025-06.") from error


def _quantity(text: str) -> Decimal:
    try:
        value = Decimal(text)
    except InvalidOperation:
        value = Decimal("NaN")
    if not value.is_finite() or value < 0:
        sentence = f"--quantity {text!r} is not a number from 0 up."
        raise UsageError(sentence, action="Write for example --quantity 744.")
    return value


def answer_of(found: ExplainReport) -> Answer:
    """Return the explanation as it is shown; CSV has one line per step and one per number of its expression."""
    return Answer(found.to_json(), step_records(found), text=as_text(found))
