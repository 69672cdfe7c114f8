"""A real browser walks overview, drill, explain, what-if and export, in both themes and at phone width."""

import os
import shutil
from base64 import b64encode
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

import pytest
from playwright.sync_api import Browser, Page, ViewportSize, sync_playwright

from offgridflow.pipeline.service import ingest_files
from support.server import HEAD, line, listening, make_ledger, server_on, settings

CHROMIUM = shutil.which("chromium")
AXE = Path(
    os.environ.get("OFFGRIDFLOW_AXE", Path(__file__).parents[2] / "node_modules" / "axe-core" / "axe.min.js"),
)
ARGUMENTS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
VIEWS: dict[str, ViewportSize] = {"desk": {"width": 1360, "height": 900}, "phone": {"width": 390, "height": 844}}

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason="Debian's chromium is not installed"),
]


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A server on a small ledger."""
    folder = tmp_path_factory.mktemp("browser")
    with listening(server_on(make_ledger(folder), state=folder / "state.sqlite")) as url:
        yield url


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """One Chromium for all walks."""
    with sync_playwright() as player:
        opened = player.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield opened
        opened.close()


@pytest.fixture(params=[(theme, view) for theme in ("light", "dark") for view in VIEWS], ids="-".join)
def page(request: pytest.FixtureRequest, browser: Browser, address: str) -> Iterator[Page]:
    """A page in a theme and at a width; anything that it logs as an error, or asks elsewhere, fails the test."""
    theme, view = request.param
    context = browser.new_context(
        base_url=address,
        viewport=VIEWS[view],
        color_scheme=theme,
        reduced_motion="reduce",
        accept_downloads=True,
        permissions=["clipboard-read", "clipboard-write"],
    )
    page = context.new_page()
    wrong: list[str] = []
    page.on("console", lambda message: wrong.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.on("request", lambda asked: None if asked.url.startswith((address, "blob:")) else wrong.append(asked.url))
    yield page
    context.close()
    assert wrong == []


def check(page: Page) -> None:
    """Check that a page fits its width, and that axe finds no violation of WCAG 2.2 AA."""
    page.wait_for_load_state("load")
    assert page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth")
    if not AXE.is_file():
        return
    page.evaluate(AXE.read_text())
    found = page.evaluate(
        "axe.run({runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice']})"
        ".then(result => result.violations.map(each => [each.id, each.nodes.map(node => node.html).slice(0, 3)]))"
    )
    assert found == []


def follow(page: Page, link: str) -> None:
    """Click what leads to another address, and wait until the page of that address stands.

    A click itself comes back as soon as the browser has the first bytes, long before they are a page.
    """
    before = page.url
    page.click(link)
    page.wait_for_url(lambda address: address != before)


def test_the_walk(page: Page, tmp_path: Path) -> None:
    """Overview, drill to a resource, explain, what-if, export: each page stands, fits, and passes axe."""
    page.goto("/?from=2025-06&to=2025-06")
    page.wait_for_function("document.getElementById('chart').height > 0")
    check(page)
    with page.expect_download() as table:
        page.click("#csv")
    table.value.save_as(tmp_path / "rows.csv")
    assert "total_kgco2e" in (tmp_path / "rows.csv").read_text()
    for _ in range(4):
        follow(page, "a.drill >> nth=0")
        check(page)
    assert page.url.split("?")[0].endswith("/explain")
    assert "resource_id" in page.url
    assert page.locator(".equation").first.is_visible()
    page.goto("/whatif")
    check(page)
    page.fill("input[name=region]", "us-east-1")
    page.fill("input[name=new_region]", "eu-north-1")
    follow(page, "text=Compare")
    assert page.locator("[data-figure=after]").is_visible()
    assert page.locator("#moves-title").is_visible()
    check(page)
    with page.expect_download() as compared:
        page.click("#csv")
    compared.value.save_as(tmp_path / "compared.csv")
    assert "cost_after" in (tmp_path / "compared.csv").read_text()
    page.goto("/docs")
    check(page)


@pytest.mark.parametrize("path", ["/explain", "/?by=resource_id", "/explain?where=service_name%3D"])
def test_names_of_any_length_fit_a_narrow_page(browser: Browser, tmp_path: Path, path: str) -> None:
    """At 320 CSS pixels no page scrolls sideways, whatever the bill calls things (WCAG 2.2, 1.4.10); no name is cut."""
    name = "unbroken" * 60
    bill = tmp_path / "bill.csv"
    rows = [
        line("2025-06-01", "222", "us-east-1", "1.00", service=name, resource=name, quantity="2"),
        line("2025-06-01", "222", name, "1.00", service=name, resource=name, description=name, unit=name, quantity="2"),
    ]
    bill.write_text("\n".join([HEAD, *rows]) + "\n")
    assert ingest_files([bill], str(tmp_path / "L"), settings()).status == "ok"
    with listening(server_on(tmp_path / "L", state=tmp_path / "state.sqlite")) as url:
        page = browser.new_page(base_url=url, viewport={"width": 320, "height": 800})
        page.goto(path + (name if path.endswith("%3D") else ""))
        page.wait_for_load_state("load")
        assert name in page.inner_text("main")
        assert page.evaluate("document.documentElement.scrollWidth") <= 320
        page.close()


EXPORTS = {
    "/?from=2025-05&to=2025-06&by=region_id": (
        {"offgridflow-months.png": "--series-0", "offgridflow-breakdown.png": "--accent"},
        {"#csv": "region_id,", "#chart-csv": "month,region_id,", "#coverage-csv": "billing_currency,"},
    ),
    "/explain?from=2025-06&to=2025-06&where=region_id%3Deu-north-1": (
        {"offgridflow-explain.png": "--accent"},
        {"#csv": "provider,"},
    ),
    "/whatif?from=2025-06&to=2025-06&by=region_id&region=us-east-1&new_region=eu-north-1": (
        {"offgridflow-whatif.png": "--accent"},
        {"#csv": "region_id,", "#moves-csv": "provider,service_name,sku_meter_before,"},
    ),
}
"""Of every view that has a chart: its images, each with a colour that it must show, and its tables with their heads."""

COUNT = """async ([text, token]) => {
  const bytes = Uint8Array.from(atob(text), (each) => each.charCodeAt(0));
  const picture = await createImageBitmap(new Blob([bytes], {type: "image/png"}));
  const canvas = new OffscreenCanvas(picture.width, picture.height);
  const context = canvas.getContext("2d");
  context.fillStyle = getComputedStyle(document.documentElement).getPropertyValue(token).trim();
  context.fillRect(0, 0, 1, 1);
  const [red, green, blue] = context.getImageData(0, 0, 1, 1).data;
  context.drawImage(picture, 0, 0);
  const all = context.getImageData(0, 0, picture.width, picture.height).data;
  let found = 0;
  for (let at = 0; at < all.length; at += 4) {
    if (all[at] === red && all[at + 1] === green && all[at + 2] === blue) found += 1;
  }
  return [picture.width, found];
}"""
"""Counts the pixels of a PNG that have the colour of a token; returns them after the width."""


@pytest.mark.parametrize("page", [("light", "desk"), ("dark", "phone")], ids="-".join, indirect=True)
@pytest.mark.parametrize("address_of_view", EXPORTS)
def test_every_view_can_be_taken_along(page: Page, address_of_view: str) -> None:
    """As an image that shows its bars at one size on every screen, as CSV, and as a link that holds the whole state."""
    images, tables = EXPORTS[address_of_view]
    page.goto(address_of_view)
    page.wait_for_load_state("load")
    found = {}
    page.locator("button[data-picture]").last.wait_for()
    for button in page.locator("button[data-picture]").all():
        with page.expect_download() as image:
            button.click()
        name = image.value.suggested_filename
        found[name] = page.evaluate(COUNT, [b64encode(image.value.path().read_bytes()).decode(), images[name]])
    assert set(found) == set(images)
    assert all(width == 2400 and pixels > 5000 for width, pixels in found.values()), found
    for link, head in tables.items():
        answer = page.request.get(page.get_attribute(link, "href") or "")
        assert (answer.status, answer.text()[: len(head)]) == (200, head)
    page.click("#copy")
    page.wait_for_function("document.getElementById('said').textContent === 'Link copied'")
    link = page.evaluate("navigator.clipboard.readText()")
    asked, told = (sorted(parse_qsl(urlsplit(each).query)) for each in (address_of_view, link))
    assert (urlsplit(link).path, told) == (urlsplit(address_of_view).path, asked)
    before = page.inner_text("main").replace("Link copied", "").split()
    page.goto(link)
    page.wait_for_load_state("load")
    assert page.inner_text("main").split() == before


@pytest.mark.parametrize("page", [("light", "desk")], ids="-".join, indirect=True)
def test_the_link_of_the_newest_month_stays_with_that_month(page: Page) -> None:
    """The overview without an address shows the newest month that is over; its link names that month."""
    page.goto("/")
    page.click("#copy")
    page.wait_for_function("document.getElementById('said').textContent === 'Link copied'")
    assert page.evaluate("navigator.clipboard.readText()").endswith("/?from=2025-06&to=2025-06")


def test_figures_of_the_page_are_those_of_the_api(page: Page) -> None:
    """The total on the page is that of the API, in its unit and to its digits."""
    page.goto("/?from=2025-05&to=2025-06")
    shown = Decimal(page.inner_text("[data-figure=total]").replace(",", ""))
    answer = page.request.get("/api/v1/emissions?from=2025-05&to=2025-06").json()
    kilograms = Decimal(str(answer["impact_total"]["total_kgco2e"]))
    unit = page.inner_text(".hero .figure .unit").split()[0]
    scale = {"t": Decimal(1000), "kg": Decimal(1), "g": Decimal("0.001")}[unit]
    assert abs(kilograms / scale - shown) <= Decimal("0.005") * shown


def test_the_theme_can_be_switched_by_keyboard_and_is_kept(page: Page) -> None:
    """The switch is a button that the keyboard reaches; the choice survives a new page."""
    page.goto("/")
    before = page.evaluate(
        "getComputedStyle(document.body).backgroundColor + getComputedStyle(document.documentElement).backgroundColor"
    )
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    page.focus("#theme")
    page.keyboard.press("Enter")
    after = page.evaluate(
        "getComputedStyle(document.body).backgroundColor + getComputedStyle(document.documentElement).backgroundColor"
    )
    assert before != after
    chosen = page.evaluate("document.documentElement.dataset.theme")
    page.goto("/whatif")
    assert page.evaluate("document.documentElement.dataset.theme") == chosen


def test_axe_is_there() -> None:
    """Without axe-core the accessibility checks did not run, and the report of the tests says so."""
    if not AXE.is_file():
        pytest.skip("npm install --no-save axe-core")
    assert AXE.read_text()[:200].startswith("/*! axe")
