"""Take the pictures of the dashboard for the docs again, from the demo's bills.

    python tools/build_screenshots.py

Needs Debian's chromium and the requirements of the tests. Writes docs/screenshots; figures depend on the seed alone.
"""

import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))
sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "src"))

from playwright.sync_api import Browser, sync_playwright

from offgridflow.api.app import create_app
from offgridflow.cli.commands.demo import SEED, TAG_KEYS
from offgridflow.domain.periods import Month
from offgridflow.pipeline.samples import write_samples
from offgridflow.pipeline.service import ingest_files
from offgridflow.settings import ApiSettings, GrainSettings, Settings
from support.server import listening

PLACE = Path(__file__).resolve().parent.parent / "docs" / "screenshots"
MONTHS = [Month(2026, 8), Month(2026, 9), Month(2026, 10)]
STATE = "from=2026-10&to=2026-10"


@dataclass(frozen=True, slots=True)
class Shot:
    """A picture: its name, the address, the theme, and its size in CSS pixels (height 0: the whole page)."""

    name: str
    address: str
    theme: Literal["light", "dark"] = "light"
    width: int = 1360
    height: int = 0


SHOTS = (
    Shot("overview-light", f"/?{STATE}"),
    Shot("overview-dark", f"/?{STATE}&by=tag%3Ateam", "dark"),
    Shot("explain-light", f"/explain?{STATE}&where=service_name%3DAmazon+Elastic+Compute+Cloud", height=1150),
    Shot("whatif-light", f"/whatif?{STATE}&by=service_name&region=us-east-1&new_region=eu-north-1", height=1500),
    Shot("overview-phone", f"/?{STATE}", width=390, height=1700),
)
PICTURE = Shot("image-trend", f"/?{STATE}&by=tag%3Ateam")


def main() -> None:
    """Make a ledger, serve it, and take every picture."""
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        settings = Settings(grain=GrainSettings(tag_keys=TAG_KEYS), api=ApiSettings(state=folder / "state.sqlite"))
        write_samples(folder / "exports", SEED, MONTHS)
        ingest_files([folder / "exports"], str(folder / "ledger"), settings)
        with listening(create_app(settings, str(folder / "ledger"))) as url, sync_playwright() as player:
            browser = player.chromium.launch(executable_path="/usr/bin/chromium", args=["--no-sandbox"])
            for shot in SHOTS:
                take(browser, url, shot)
            save(browser, url, PICTURE)
            browser.close()


def take(browser: Browser, url: str, shot: Shot) -> None:
    """Take a page."""
    context = browser.new_context(
        base_url=url,
        viewport={"width": shot.width, "height": shot.height or 900},
        color_scheme=shot.theme,
        reduced_motion="reduce",
    )
    page = context.new_page()
    page.goto(shot.address)
    page.wait_for_load_state("load")
    page.screenshot(path=PLACE / f"{shot.name}.png", full_page=not shot.height)
    context.close()
    print(f"wrote {shot.name}.png")


def save(browser: Browser, url: str, shot: Shot) -> None:
    """Save the first image that a page offers."""
    context = browser.new_context(base_url=url, color_scheme=shot.theme, accept_downloads=True)
    page = context.new_page()
    page.goto(shot.address)
    with page.expect_download() as image:
        page.locator("button[data-picture]").first.click()
    image.value.save_as(PLACE / f"{shot.name}.png")
    context.close()
    print(f"wrote {shot.name}.png")


if __name__ == "__main__":
    main()
